"""The road, with the commands people type and no flag but those that shorten it."""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
SHORT = ["--batch_size=2", "--patch_size=8", "--validate_every=2", "--checkpoint_every=2", "--log_every=1"]
# What TensorFlow and LiteRT write by themselves: it is no part of what a command says.
LIBRARIES = re.compile("XNNPACK delegate|oneDNN|cuda|retracing|fully_quantize|InitializeLog|^[IWE]0000 |Warning", re.M)
SAMPLE = ["--dataset=sample", "--content_loss=pixel", "--validation_size=64"]


def run(folder, *words):
    done = subprocess.run(
        [sys.executable, str(ROOT / words[0]), *words[1:]], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert not LIBRARIES.search(done.stderr), done.stderr
    return done


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    folder = tmp_path_factory.mktemp("road")
    small = ["--depth=1", "--width=8"]
    run(folder, "train_teacher.py", "--steps=4", "--content_steps=2", "--adversarial_steps=2", *small, *SHORT, *SAMPLE)
    run(folder, "distill.py", "--method", "g2g_al", "--steps=4", "--adversarial_steps=2", *SHORT, *SAMPLE)
    run(folder, "export_tflite.py")
    return folder


def test_what_the_runs_leave_behind(road):
    for name in (
        "teacher/teacher.weights.h5",
        "teacher/teacher.pixel.weights.h5",
        "teacher/teacher.content.weights.h5",
        "teacher/teacher.adversarial.weights.h5",
        "teacher/last.weights.h5",
        "teacher/config.txt",
        "g2g_al/student.weights.h5",
        "g2g_al/student.transfer.weights.h5",
        "g2g_al/student.tflite",
    ):
        assert (road / "runs" / name).stat().st_size > 0, name
    report = json.loads((road / "runs/g2g_al/report.json").read_text())
    assert report["method"] == "g2g_al" and report["parameters"] == 99_296
    assert report["teacher"] == "runs/teacher/teacher.content.weights.h5"
    assert [phase["phase"] for phase in report["phases"]] == ["transfer", "adversarial"]
    described = json.loads((road / "runs/g2g_al/student.json").read_text())
    assert described["proof"]["max_difference"] <= 1e-3
    assert described["scale"] == 4 and described["receptive_field"] == 12


def test_the_same_command_again_changes_nothing(road):
    before = (road / "runs/teacher/teacher.weights.h5").read_bytes()
    run(road, "train_teacher.py", "--flagfile=runs/teacher/config.txt")
    assert (road / "runs/teacher/teacher.weights.h5").read_bytes() == before


@pytest.mark.slow
def test_evaluate(road):
    done = run(road, "evaluate.py", "--repetitions=1", "--height=20", "--width=30")
    report = json.loads((road / "runs/g2g_al/report.json").read_text())
    assert report["method"] == "g2g_al"  # the run's own report is left as it was
    table = json.loads((road / "runs/g2g_al/evaluation/report.json").read_text())
    assert list(table["models"]) == ["bicubic", "teacher", "student", "student.tflite"]
    student, exported = (
        table["models"][name]["benchmarks"]["validation"]["psnr"] for name in ("student", "student.tflite")
    )
    assert exported == pytest.approx(student, abs=1e-3)
    for name in table["models"]:
        assert f"\n{name} " in done.stdout
    assert Image.open(road / "runs/g2g_al/evaluation/comparison.png").width > 500


def test_upscale(road):
    picture = np.random.default_rng(0).integers(0, 256, (9, 14, 3), np.uint8)
    Image.fromarray(picture).save(road / "photo.png")
    run(road, "upscale.py", "photo.png")
    assert Image.open(road / "photo_x4.png").size == (56, 36)


@pytest.mark.slow
def test_transfer_from_the_gan_trained_teacher_as_a_module(road):
    runs = [f"--run_dir={road}/runs/gan2g", f"--teacher={road}/runs/teacher", f"--cache_dir={road}/cache"]
    done = subprocess.run(
        [sys.executable, "-m", "transfer.gan2g", "--steps=2", *runs, *SHORT, *SAMPLE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "teacher.adversarial.weights.h5" in (road / "runs/gan2g/report.json").read_text()


@pytest.mark.slow
def test_train_student_fixed_size_export(road):
    run(road, "train_student.py", "--student=compact_xs", "--steps=2", *SHORT, *SAMPLE)
    run(road, "export_tflite.py", "--student=runs/student", "--height=12", "--width=16", "--output=fixed.tflite")
    assert json.loads((road / "fixed.json").read_text())["input"]["shape"] == [1, 12, 16, 3]


@pytest.mark.slow
def test_quantisation_aware_fine_tuning_and_its_file(road):
    run(road, "distill.py", "--qat", "--method=g2g_al", "--steps=2", *SHORT, *SAMPLE)
    run(road, "export_tflite.py", "--student=runs/g2g_al_qat", "--quantize=int8", "--max_drop_db=1")
    described = json.loads((road / "runs/g2g_al_qat/student.int8.json").read_text())
    assert described["input"]["dtype"] == "uint8" and described["proof"]["float_operations"] == []
    assert described["proof"]["drop_from_float_db"] <= 1


@pytest.mark.parametrize(
    ("command", "mistake", "said"),
    [
        ("train_student.py", ["--patch_size=500"], "--patch_size=500 is larger than every LR picture"),
        ("distill.py", ["--teacher=runs/g2g_al", "--method=g2g"], "holds no teacher.pixel.weights.h5"),
        ("distill.py", ["--qat", "--init=runs/teacher", "--teacher=runs/teacher"], "--qat is for the compact students"),
    ],
)
def test_a_mistake_at_the_start_is_one_line_and_leaves_no_run(road, command, mistake, said):
    short = [word for word in SHORT if "patch_size" not in word]
    line = [sys.executable, str(ROOT / command), *mistake, *short, *SAMPLE, "--run_dir=runs/mistaken"]
    done = subprocess.run(line, cwd=road, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert said in done.stderr.splitlines()[-1]
    assert not (road / "runs/mistaken").exists()


def test_tensorboard_serves_the_scalars_and_pictures(road):
    """A real TensorBoard server on the run folder, asked over HTTP."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "tensorboard.main",
        "--logdir=runs",
        f"--port={port}",
        "--load_fast=false",
        "--reload_interval=1",
    ]
    server = subprocess.Popen(command, cwd=road, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        scalars = _ask(f"http://127.0.0.1:{port}/data/plugin/scalars/tags", wanted="g2g_al/logs")
        tags = set(scalars["g2g_al/logs"])
        assert {"losses/content", "losses/imitation", "losses/adversarial", "losses/discriminator"} <= tags
        assert {"metrics/psnr_y", "metrics/ssim_y", "charts/images_per_second", "charts/data_wait"} <= tags
        assert {"charts/learning_rate_student", "charts/learning_rate_discriminator"} <= tags
        pictures = _ask(f"http://127.0.0.1:{port}/data/plugin/images/tags", wanted="g2g_al/logs")
        assert list(pictures["g2g_al/logs"]) == ["lr_bicubic_teacher_sr_hr/0"]
        assert {"weighted/content", "weighted/imitation", "weighted/adversarial"} <= tags
        texts = _ask(f"http://127.0.0.1:{port}/data/plugin/text/tags", wanted="g2g_al/logs")
        assert texts["g2g_al/logs"] == ["flags"]
    finally:
        server.kill()
        server.wait()


def _ask(url, *, wanted, seconds=180):
    """The JSON at `url`, once it holds the run that is wanted."""
    end = time.monotonic() + seconds
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this machine's own server: past any proxy
    while True:
        try:
            with opener.open(url, timeout=5) as answer:
                found = json.load(answer)
            if wanted in found:
                return found
        except OSError:
            pass
        assert time.monotonic() < end, f"{url} does not show {wanted}"
        time.sleep(0.5)
