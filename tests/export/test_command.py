"""export_tflite.py as people run it, and what becomes of a file that is none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import weights
from errors import UserError
from export.graph import read_metadata
from export.write import export_student
from models import build_generator, save_weights
from runs import find_weights
from settings.files import ExportTflite

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("command")
    save_weights(build_generator("compact_xs", depth=1, width=8), folder / "a.weights.h5", step=7)
    (folder / "foreign.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(200))
    return folder


def run(folder, script, *words):
    command = [sys.executable, str(ROOT / script), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize(
    ("script", "words", "said"),
    [
        ("export_tflite.py", ["--student=a.weights.h5", "--quantize=int8", "--calibration_dir=none"], "none: no such"),
        ("upscale.py", ["a.png", "--model=foreign.tflite"], "foreign.tflite: not a usable .tflite file"),
    ],
)
def test_mistakes_are_one_line(folder, script, words, said):
    before = sorted(os.listdir(folder))
    done = run(folder, script, *words)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert said in lines[-1] and lines[-1].startswith(f"{script}: "), done.stderr
    assert sorted(os.listdir(folder)) == before


@pytest.mark.slow
def test_a_licence_that_nobody_stated_is_unknown(folder):
    done = run(folder, "export_tflite.py", "--student=a.weights.h5", "--output=b.tflite")
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "b.json").read_text())["licence"] == "unknown"
    assert read_metadata((folder / "b.tflite").read_bytes())["licence"] == "unknown"


def test_a_shipped_network_goes_to_the_current_folder_and_nothing_is_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in weights.FOLDER.iterdir()}
    settings, shipped = ExportTflite(), find_weights("compact_xs")
    export_student(settings, shipped)
    assert sorted(os.listdir()) == ["compact_xs.json", "compact_xs.tflite"]
    content = Path("compact_xs.tflite").read_bytes()
    assert read_metadata(content)["licence"].startswith("MIT; ")  # what the weight file says
    for name in ("compact_xs.tflite", "compact_xs.json"):
        os.rename(name, "aside")
        with pytest.raises(UserError, match=r"^compact_xs\.\w+: is there already; --overwrite replaces it"):
            export_student(settings, shipped)
        os.rename("aside", name)
    Path("compact_xs.tflite").write_bytes(b"of another day")
    export_student(settings.with_values(overwrite=True), shipped)
    assert Path("compact_xs.tflite").stat().st_size == pytest.approx(len(content), abs=200)
    for output in (weights.FOLDER / "new.tflite", Path(os.path.relpath(weights.FOLDER)) / "sub" / "new.tflite"):
        with pytest.raises(UserError, match="the folder of the shipped networks stays as it is"):
            export_student(settings.with_values(output=str(output)), shipped)
    assert {path: path.stat().st_mtime_ns for path in weights.FOLDER.iterdir()} == before


@pytest.mark.parametrize(
    ("config", "phases", "warned"),
    [
        ("--steps=20\n", [20, 4], "of a run of 24 updates only"),
        ("--steps=2000\n", [2000], None),
        ("--steps=20\n--init=shipped\n", [20], None),  # goes on from what was trained long
    ],
)
def test_a_trial_run_is_named_as_one(folder, tmp_path, monkeypatch, caplog, config, phases, warned):
    monkeypatch.chdir(tmp_path)
    file = Path("run/student.weights.h5")
    file.parent.mkdir()
    file.write_bytes((folder / "a.weights.h5").read_bytes())
    (file.parent / "config.txt").write_text(f"--dataset=sample\n{config}")
    (file.parent / "report.json").write_text(json.dumps({"phases": [{"steps": steps} for steps in phases]}))
    export_student(ExportTflite(), file)
    assert Path("run/student.tflite").is_file()
    assert (warned in caplog.text) if warned else "updates only" not in caplog.text
