"""From settings to losses and optimizers."""

import numpy as np
import pytest

import models
from errors import UserError
from settings.losses import Losses
from settings.training import TrainStudent
from training.job import Job, content_loss, new_generator, phases_without_teacher


def job(**values):
    model = models.build_generator("compact_xs", depth=1, width=4)
    return Job(TrainStudent().with_values(**values), model, models.clone(model))


def test_the_grid_adds_to_the_content_term():
    hr = np.zeros((1, 32, 32, 3), "float32")
    striped = hr + np.float32([[0.5], [0.25]] * 16)
    plain = content_loss(Losses(content_loss="pixel"), scale=4)
    grid = content_loss(Losses(content_loss="pixel", grid_weight=2.0), scale=4)
    assert float(plain(hr, striped)) == pytest.approx(0.375)
    assert float(grid(hr, striped)) == pytest.approx(0.375 + 2 * 0.125)  # the stripes lie 0.125 from their mean


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"warmup_steps": 11, "steps": 10}, "--warmup_steps=11: the phase has 10 steps"),
    ],
)
def test_schedules_that_cannot_be_are_refused(values, said):
    with pytest.raises(UserError, match=said):
        job(**values).optimizer(10)


def test_the_phases_of_a_teacher():
    """Content, on its term alone, leaves the GAN phase out of account, and that has the weights of
    the settings.
    """
    weights = {"content_weight": 0.5, "pixel_weight": 4.0, "adversarial_weight": 1e-3, "tv_weight": 8e-8}
    job_of = job(content_loss="pixel", discriminator="patch", patch_size=8, steps=6, adversarial_steps=3, **weights)
    pixel, content, gan = phases_without_teacher(job_of, content_steps=4)
    assert [(phase.name, phase.steps, phase.keep, phase.begins) for phase in (pixel, content, gan)] == [
        ("pixel", 6, "best", None),
        ("content", 4, "last", "pixel"),
        ("adversarial", 3, "last", None),
    ]
    assert [term.name for term in content.step.terms] == ["content"]
    assert {term.name: term.weight for term in gan.step.terms} == {
        "content": 0.5,
        "pixel": 4.0,
        "adversarial": 1e-3,
        "total_variation": 8e-8,
    }
    assert [phase.name for phase in phases_without_teacher(job_of)] == ["pixel", "adversarial"]


SIZES = {"width": 8, "scale": 2, "tail": "luma"}


def generator(name="compact_s", **values):
    return new_generator(TrainStudent().with_values(student=name, **values), name)


def test_the_form_is_what_the_settings_say():
    model = generator(**SIZES, depth=6, residual=2)
    assert model.get_config() == {**SIZES, "depth": 6, "expansion": 0, "residual": 2}


def test_a_student_with_blocks_begins_where_a_plain_one_stands(tmp_path):
    begun = models.build_generator("compact_s", depth=3, **SIZES)
    chance = np.random.default_rng(1)
    begun.set_weights([weight + chance.normal(0, 0.1, weight.shape) for weight in begun.get_weights()])
    models.save_weights(begun, tmp_path / "student.weights.h5")
    grown = generator(**SIZES, depth=7, residual=2, init=str(tmp_path / "student.weights.h5"))
    image = chance.random((1, 5, 6, 3), np.float32)
    assert grown.residual == 2
    np.testing.assert_allclose(grown(image), begun(image), atol=1e-5)


def test_a_form_that_there_is_not_is_refused():
    with pytest.raises(UserError, match="a depth of 3 has room for 0 to 1 residual blocks"):
        generator(**SIZES, depth=3, residual=2)
    with pytest.raises(UserError, match="generator edsr_8x64.*residual"):
        generator("edsr_8x64", residual=2)
