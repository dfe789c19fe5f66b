"""What is put into the page's folder, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import weights
from errors import UserError
from inference.engines import TFLiteEngine
from web.students import CHOICES, read_student, read_students

ROOT = Path(__file__).parent.parent.parent


def build(*flags):
    command = [sys.executable, "-m", "web.build", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["tiny", "tiny.int8"])
@pytest.mark.parametrize("height, width", [(1, 1), (64, 96), (33, 70)])
def test_sizes_written_into_the_file_give_the_open_files_picture(students_folder, name, height, width):
    """What the page does: write the window's size over the file's, then run it with nothing
    resized.
    """
    content, entry = read_student(students_folder / f"{name}.tflite")
    content = bytearray(content)
    for offset, factor in entry["sizes"]:
        content[offset : offset + 8] = np.array([factor * height, factor * width], "<i4").tobytes()
    interpreter = Interpreter(model_content=bytes(content))
    (lr,), (sr,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert lr["shape_signature"].tolist() == [1, height, width, 3]
    assert sr["shape_signature"].tolist() == [1, 4 * height, 4 * width, 3]
    pixels = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), np.uint8)
    floats = pixels / np.float32(255)
    interpreter.allocate_tensors()
    interpreter.set_tensor(lr["index"], floats if lr["dtype"] == np.float32 else pixels)
    interpreter.invoke()
    result = interpreter.get_tensor(sr["index"])
    expected = TFLiteEngine(students_folder / f"{name}.tflite")(floats)
    np.testing.assert_allclose(result if lr["dtype"] == np.float32 else result / 255, expected, atol=1e-6)


def test_the_page_begins_with_the_choices_then_networks_made_for_small_machines(students_folder):
    entries = [entry for _, entry in read_students(students_folder)]
    chosen = [name for name in CHOICES if (students_folder / f"{name}.tflite").is_file()]
    assert [entry["name"] for entry in entries[: len(chosen)]] == chosen and chosen[0] == weights.DEFAULT
    assert [entry.get("choice") for entry in entries] == [CHOICES[name][0] for name in chosen] + [None] * (
        len(entries) - len(chosen)
    )
    rest = entries[len(chosen) :]
    others = [not entry["network"].endswith("Compact") for entry in rest]
    assert others == sorted(others) and any(others)  # the shipped teacher is there, last
    compact = [entry["parameters"] for entry in rest if entry["network"].endswith("Compact")]
    assert compact == sorted(compact, reverse=True)


def test_entries_say_what_the_page_needs(students_folder):
    students = {entry["name"]: (content, entry) for content, entry in read_students(students_folder)}
    for name, form in (("tiny", "float32"), ("tiny.int8", "int8")):
        content, entry = students[name]
        facts = json.loads((students_folder / f"{name}.json").read_text())
        assert {key: entry[key] for key in ("scale", "receptive_field", "parameters")} == {
            key: facts[key] for key in ("scale", "receptive_field", "parameters")
        }
        assert entry["bytes"] == len(content) and entry["quantize"] == form
    assert students["tiny"][1]["input"] == {"dtype": "float32"}
    quantised = students["tiny.int8"][1]["input"]
    assert quantised["zero_point"] == 0 and quantised["scale"] == pytest.approx(1 / 255)


def test_a_file_of_fixed_size_is_left_out(students_folder, tmp_path, caplog):
    content, _ = read_student(students_folder / "tiny.tflite")  # its sizes are filled in
    (tmp_path / "fixed.tflite").write_bytes(content)
    with pytest.raises(UserError, match="fixed size; export it without --height and --width"):
        read_student(tmp_path / "fixed.tflite")
    with pytest.raises(UserError, match="holds no exported student"):
        read_students(tmp_path)
    assert "fixed.tflite" in caplog.text and "left out" in caplog.text


def test_no_students_is_one_line(tmp_path):
    done = build(f"--models={tmp_path}", f"--output={tmp_path / 'page'}")
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"build.py: --models={tmp_path}: holds no exported student; make one with export_tflite.py")
    assert not (tmp_path / "page").exists()


def test_a_folder_that_is_no_page_stays(students_folder, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    done = build(f"--models={students_folder}", f"--output={tmp_path}")
    assert done.returncode == 1 and "holds no page; name another folder" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    (tmp_path / "students.json").write_text("[]")  # a page's, but beside what is none of it
    done = build(f"--models={students_folder}", f"--output={tmp_path}")
    assert done.returncode == 1 and "thesis.txt there is none of the page's" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_without_the_npm_packages_nothing_is_made(students_folder, tmp_path, monkeypatch):
    from web import build as command

    monkeypatch.setattr(command, "_PACKAGES", tmp_path / "node_modules" / "@litertjs")
    page = command.Page(models=str(students_folder), output=str(tmp_path / "page"))
    with pytest.raises(UserError, match="LiteRT.js is not there; install it with: npm ci --prefix web"):
        command.main(command.Build(page=page))
    assert not (tmp_path / "page").exists()
