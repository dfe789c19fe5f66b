"""What a word means: the one look-up of evaluate.py, upscale.py and export_tflite.py."""

import logging
from pathlib import Path

import pytest

import weights
from errors import UserError
from runs import Found, find_teacher, find_weights, look_up


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (
        "a.weights.h5",
        "b.keras",
        "c.tflite",
        "generator.h5",
        "photo.jpg",
        "saved/saved_model.pb",
        "photos/a.png",
    ):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    Path("run").mkdir()
    for name in ("config.txt", "student.weights.h5", "teacher.weights.h5", "student.tflite", "saved_model.pb"):
        Path("run", name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("bicubic", "bicubic"),
        ("a.weights.h5", "weights"),
        ("b.keras", "keras"),
        ("c.tflite", "tflite"),
        ("saved", "saved_model"),
        ("photos", "images"),
    ],
)
def test_kinds(place, word, kind):
    assert look_up(word) == Found(kind, Path(word))


def test_a_run_folder_is_its_weights_or_its_fastest_file(place):
    """Before a saved_model.pb that somebody put there: a SavedModel is a program."""
    assert look_up("run") == Found("weights", Path("run/student.weights.h5"))
    assert look_up("run", fastest=True) == Found("tflite", Path("run/student.tflite"))
    assert look_up("run", fastest=True, engine="keras") == Found("weights", Path("run/student.weights.h5"))
    Path("run/student.weights.h5").unlink()
    assert look_up("run").path == find_weights("run") == Path("run/teacher.weights.h5")


def test_shipped_networks_by_name(place):
    assert look_up("compact_s") == Found("tflite", weights.FOLDER / "compact_s.tflite")
    assert look_up("compact_s.int8") == Found("tflite", weights.FOLDER / "compact_s.int8.tflite")
    assert look_up("compact_s", engine="keras") == Found("weights", weights.FOLDER / "compact_s.weights.h5")
    assert find_weights("compact_s") == weights.FOLDER / "compact_s.weights.h5"
    Path("compact_s").mkdir()  # what lies here goes before it
    assert look_up("compact_s") == Found("images", Path("compact_s"))


@pytest.mark.parametrize(
    ("word", "how", "said"),
    [
        (
            "generator.h5",
            {},
            r"generator\.h5: somebody else's network; python import_weights\.py generator\.h5 .* as a \.keras file",
        ),
        ("none", {}, "none: no such file or folder; give .* or a shipped network: .*compact_s"),
        ("photo.jpg", {}, "photo.jpg: not a network; give a .tflite, .weights.h5 or .keras file, or a run folder"),
        ("photos", {"fastest": True}, "photos: a folder without student.tflite, student.weights.h5 or teacher.weights"),
        ("c.tflite", {"engine": "keras"}, "c.tflite: not for --engine=keras; give its .weights.h5 file"),
        ("b.keras", {"engine": "tflite"}, "b.keras: not for --engine=tflite; make one with export_tflite.py"),
        ("saved", {"engine": "tflite"}, "saved: not for --engine=tflite"),
    ],
)
def test_refusals(place, word, how, said):
    with pytest.raises(UserError, match=said):
        look_up(word, **how)


def test_weights_are_refused_in_the_same_words(place):
    with pytest.raises(UserError, match="none: no such file or folder; give .* shipped network"):
        find_weights("none")
    with pytest.raises(UserError, match="run: a folder without student.pixel.weights.h5 or teacher.pixel.weights.h5"):
        find_weights("run", phase="pixel")


def test_a_teacher_of_content_is_the_side_branch_or_one_line_says_what_is_taken(place, caplog):
    """g2g's rule: the content phase; without one the pixel phase; of a shipped network the training
    for fidelity.
    """
    Path("teacher").mkdir()
    Path("teacher/teacher.pixel.weights.h5").touch()
    with caplog.at_level(logging.INFO, "absl"):
        assert find_teacher("teacher", phase="content") == Path("teacher/teacher.pixel.weights.h5")
        assert find_teacher("edsr_8x64", phase="content") == weights.FOLDER / "edsr_8x64.weights.h5"
    first, second = caplog.messages
    assert first == (
        "--teacher=teacher: no content phase, which train_teacher.py --content_steps=2500 adds; "
        "teacher/teacher.pixel.weights.h5 is taken instead"
    )
    assert "edsr_8x64.weights.h5 is taken instead" in second
    caplog.clear()
    Path("teacher/teacher.content.weights.h5").touch()
    assert find_teacher("teacher", phase="content") == Path("teacher/teacher.content.weights.h5")
    assert find_teacher("teacher", phase="pixel") == Path("teacher/teacher.pixel.weights.h5")
    assert find_teacher("a.weights.h5", phase="content") == Path("a.weights.h5")  # a file is what it is
    assert not caplog.messages
    with pytest.raises(UserError, match="--teacher=run: holds no teacher.pixel.weights.h5"):
        find_teacher("run", phase="content")
