"""export_tflite.py as people run it, and what becomes of a file that is none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from export.graph import read_metadata
from models import build_generator, save_weights

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


def test_a_licence_that_nobody_stated_is_unknown(folder):
    done = run(folder, "export_tflite.py", "--student=a.weights.h5", "--output=b.tflite")
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "b.json").read_text())["licence"] == "unknown"
    assert read_metadata((folder / "b.tflite").read_bytes())["licence"] == "unknown"
