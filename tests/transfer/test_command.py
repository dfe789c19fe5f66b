"""What a command line becomes before a transfer begins: the student, the published values, what has
no effect.
"""

from dataclasses import replace

import pytest

import weights
from errors import UserError
from models import build_generator, save_weights
from settings.transfer import Distill
from transfer.command import _finished_student, _form_of, _with_published_values, distill
from transfer.methods import METHODS
from transfer.qat import METHOD as QAT


def given(**values):
    return replace(Distill().with_values(**values), given=frozenset(values)).completed()


@pytest.fixture
def student(tmp_path):
    path = tmp_path / "mine.weights.h5"
    save_weights(build_generator("compact_xs", depth=2), path)
    return path


def test_qat_takes_the_form_of_the_student_from_its_file(student):
    """Else config.txt and report would name another network."""
    assert _form_of(weights.for_init("compact_m"), given()) == {"student": "compact_m"}
    assert _form_of(student, given()) == {"student": "compact_xs", "depth": 2}
    assert _form_of(student, given(student="compact_xs", depth=2)) == {"student": "compact_xs", "depth": 2}
    for values in ({"student": "compact_s"}, {"student": "compact_xs"}, {"depth": 3}, {"student": "edsr_8x64"}):
        with pytest.raises(UserError, match=r"mine.weights.h5 holds another network \(--depth=2, --width=16, .*leave"):
            _form_of(student, given(**values))


def test_qat_begins_with_what_init_names(student, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert _finished_student(given(init="shipped", student="compact_xs"), METHODS["g2g"]) == weights.for_init(
        "compact_xs"
    )
    assert _finished_student(given(init=str(student)), METHODS["g2g"]) == student
    with pytest.raises(UserError, match="runs/g2g: no such file"):
        _finished_student(given(), METHODS["g2g"])


def test_qat_has_one_guide(student):
    settings = given(qat=True, init=str(student), teacher_images="large")
    with pytest.raises(UserError, match="--teacher_images: --qat imitates the student's float self; --guide=teacher"):
        distill(settings, METHODS["g2g"])


def test_an_optimizer_that_was_asked_for_brings_its_own_rate():
    def rate(**values):
        return _with_published_values(given(**values), QAT, run_dir="r").training.learning_rate

    assert (rate(), rate(optimizer="muon"), rate(learning_rate=1e-3)) == (5e-4, 2e-3, 1e-3)


@pytest.mark.parametrize(
    ("method", "values", "said"),
    [
        (
            "g2g",
            {"adversarial_weight": 0.01},
            "--adversarial_weight=0.01: g2g has no adversarial term; it has no effect",
        ),
        ("comparative", {"content_weight": 2.0}, "--content_weight=2: comparative has no content term"),
        ("g2g_al", {"al": "jointly", "adversarial_steps": 9}, "--adversarial_steps=9: --al=jointly has one phase"),
        ("g2g_al", {"adversarial_weight": 0.01, "content_weight": 2.0, "adversarial_steps": 9}, ""),
    ],
)
def test_what_has_no_effect_is_named(method, values, said, caplog):
    _with_published_values(given(method=method, **values), METHODS[method], run_dir="r")
    assert said in caplog.text and bool(said) == bool(caplog.text)
