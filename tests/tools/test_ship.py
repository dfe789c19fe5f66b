"""A finished run becomes a shipped network, and says nothing of the machine that it was
trained on.
"""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from errors import UserError
from models import build_generator, load_generator, read_facts, save_weights
from tools.ship import flags_of, read_origin

ROOT = Path(__file__).parent.parent.parent
REPORT = {
    "method": "alone",
    "student": "compact_xs",
    "commit": "abc",
    "seed": 3,
    "finished": "2026-11-01T10:00:00+00:00",
    "protocol": "PSNR on Y",
    "phases": [
        {"phase": "pixel", "steps": 2000, "seconds": 3600.0, "metrics": {"psnr_y": 27.0}},
        {"phase": "adversarial", "steps": 10, "seconds": 1800.0, "metrics": {"psnr_y": 26.0}},
    ],
}
CONFIG = "--dataset=sample\n--steps=2000\n--hr_dir=/home/me/photos\n--run_dir=runs/a\n--cache_dir=/tmp/c\n--keep=1\n"


@pytest.fixture
def run(tmp_path):
    keras.utils.set_random_seed(0)
    folder = tmp_path / "run"
    save_weights(build_generator("compact_xs", depth=1, width=8, expansion=2), folder / "student.weights.h5")
    (folder / "report.json").write_text(json.dumps(REPORT))
    (folder / "config.txt").write_text(CONFIG)
    return folder


@pytest.mark.slow
def test_files_of_a_shipped_network(run, tmp_path):
    (run / "config.txt").write_text(f"--dataset=sample\n--cache_dir={tmp_path}/cache\n--steps=2000\n")
    (tmp_path / "out").mkdir()
    words = [f"--run={run}", "--name=small", f"--output={tmp_path}/out"]
    done = subprocess.run(
        [sys.executable, "-m", "tools.ship", *words], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("small.weights.h5", "small.tflite", "small.json", "small.flags.txt")
    }
    shipped = load_generator(tmp_path / "out/small.weights.h5")
    assert shipped.get_config()["expansion"] == 0  # its branches are collapsed
    lr = np.random.default_rng(0).random((1, 9, 7, 3), np.float32)
    branched = load_generator(run / "student.weights.h5")(lr, training=False)
    np.testing.assert_allclose(shipped(lr, training=False), branched, atol=1e-5)
    interpreter = Interpreter(model_path=str(tmp_path / "out/small.tflite"))
    assert interpreter.get_output_details()[0]["shape_signature"].tolist() == [1, -1, -1, 3]
    origin = read_facts(tmp_path / "out/small.weights.h5")["origin"]
    assert origin == json.loads((tmp_path / "out/small.json").read_text())["origin"]
    assert origin["command"] == "python train_student.py --flagfile=weights/small.flags.txt"
    assert origin["hours"] == 1.5 and origin["steps"] == {"pixel": 2000, "adversarial": 10}


def test_flags_without_places(run):
    assert flags_of(run) == "--dataset=sample\n--steps=2000\n"


def test_flags_that_changed_on_the_way_are_told(run):
    change = "from pixel step 1001 on (2026-11-01T09:00:00+00:00): --steps was 1000, is 2000"
    (run / "config.txt").write_text(f"{CONFIG}# {change}\n")
    (run / "report.json").write_text(json.dumps(REPORT | {"history": [change]}))
    assert flags_of(run) == f"# {change}\n--dataset=sample\n--steps=2000\n"
    assert read_origin(run, "n")["history"] == [change]


@pytest.mark.parametrize(
    ("report", "script"),
    [
        ({}, "train_student.py"),
        ({"method": "g2g", "teacher": "edsr_8x64"}, "distill.py"),
        ({"student": None, "teacher": "edsr_8x64"}, "train_teacher.py"),
    ],
)
def test_the_command_that_makes_it_again(run, report, script):
    merged = {key: value for key, value in (REPORT | report).items() if value is not None}
    (run / "report.json").write_text(json.dumps(merged))
    assert read_origin(run, "n")["command"] == f"python {script} --flagfile=weights/n.flags.txt"


def test_what_nobody_could_do_again_is_refused(run):
    (run / "config.txt").write_text("--init=shipped\n")
    assert read_origin(run, "n")["began_from"] == "compact_xs"
    (run / "config.txt").write_text("--init=runs/other\n")
    with pytest.raises(UserError, match="began from runs/other, which is not shipped"):
        read_origin(run, "n")
    (run / "report.json").unlink()
    with pytest.raises(UserError, match=r"holds no report\.json; only a finished run is shipped"):
        read_origin(run, "n")
