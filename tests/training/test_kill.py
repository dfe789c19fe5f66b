"""Real commands, killed at random moments: the same command again ends with the same bits."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import models
from settings.transfer import METHODS

ROOT = Path(__file__).parent.parent.parent
SMALL = [
    *("--dataset=sample", "--content_loss=pixel", "--validation_size=64", "--validation_pictures=1", "--deterministic"),
    *("--batch_size=4", "--patch_size=8", "--checkpoint_every=7", "--validate_every=10", "--log_every=5"),
]
STUDENT = ["--student=compact_xs", "--depth=1", "--width=8", "--steps=400", "--adversarial_steps=40"]
COMMANDS = {
    "teacher": ["train_teacher.py", "--depth=1", "--width=8", "--steps=60", "--adversarial_steps=40", *SMALL],
    **{method: ["distill.py", f"--method={method}", *STUDENT, *SMALL] for method in METHODS if method != "adapt"},
}
COMMANDS["adversarial"].append("--steps=60")  # each with a discriminator
# adapt wants images of another kind: tests/transfer/test_adapt.py stops and resumes it.


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A folder with a trained teacher, and with the decoded images."""
    folder = tmp_path_factory.mktemp("teacher")
    run_through(folder, COMMANDS["teacher"])
    return folder


def start(folder, command):
    with open(folder / "log.txt", "a") as log:
        return subprocess.Popen([sys.executable, str(ROOT / command[0]), *command[1:]], cwd=folder, stderr=log)


def run_through(folder, command):
    process = start(folder, command)
    assert process.wait(timeout=600) == 0, (folder / "log.txt").read_text()


def arrays(run):
    found = sorted(run.glob("*.weights.h5"))
    assert found
    return {path.name: models.load_model(path).get_weights() for path in found}


def checkpoints(run, phases, *, since=0, least=0):
    """Checkpoints that the first of these phases has at that step or later, or a later phase at
    any, written after `since`.
    """
    found = [path for path in run.glob(f"checkpoints/{phases[0]}/step-*") if int(path.name[5:]) >= least]
    found += [path for phase in phases[1:] for path in run.glob(f"checkpoints/{phase}/step-*")]
    return [path for path in found if path.stat().st_mtime_ns > since]


def kill_in_the_midst(folder, command, run, phases, *, least=0, delay=0.0, number=signal.SIGKILL):
    """Start, wait until such a checkpoint is written, then `delay` seconds, then kill.

    Returns the exit status.
    """
    since, process = time.time_ns(), start(folder, command)
    while process.poll() is None and not checkpoints(run, phases, since=since, least=least):
        time.sleep(0.002)
    time.sleep(delay)
    process.send_signal(number)
    return process.wait(timeout=120)


def three_moments(phases, moments):
    """(phase's index, least step) for three kills, in order: the first phase, the last one and any,
    each in its first half.
    """
    indices = sorted([0, moments.randrange(len(phases)), len(phases) - 1])
    return sorted((index, moments.randrange(phases[index]["steps"] // 2)) for index in indices)


@pytest.mark.slow
@pytest.mark.parametrize("kind", COMMANDS)
def test_killed_three_times_it_ends_with_the_same_bits(kind, teacher, tmp_path):
    for name in ("runs", "datasets"):
        (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / "datasets/cache").symlink_to(teacher / "datasets/cache")
    whole, killed = tmp_path / "runs/whole", tmp_path / "runs/killed"
    command = [*COMMANDS[kind], *([] if kind == "teacher" else [f"--teacher={teacher}/runs/teacher"])]
    run_through(tmp_path, [*command, f"--run_dir={whole}"])
    phases = json.loads((whole / "report.json").read_text())["phases"]
    names = [phase["phase"] for phase in phases]
    seed = time.time_ns()
    print(f"seed of the moments: {seed}")
    moments = random.Random(seed)
    for index, least in three_moments(phases, moments):
        delay = moments.uniform(0, 0.2)
        command_line = [*command, f"--run_dir={killed}"]
        status = kill_in_the_midst(tmp_path, command_line, killed, names[index:], least=least, delay=delay)
        assert status == -signal.SIGKILL, (tmp_path / "log.txt").read_text()
    run_through(tmp_path, [*command, f"--run_dir={killed}"])
    expected, found = arrays(whole), arrays(killed)
    assert list(expected) == list(found)
    for name in expected:
        for a, b in zip(expected[name], found[name], strict=True):
            np.testing.assert_array_equal(a, b, err_msg=name)
    assert not [path.name for path in killed.rglob(".*") if path.name != ".lock"]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_save_and_say_where(teacher, tmp_path, number, status):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/cache").symlink_to(teacher / "datasets/cache")
    run = tmp_path / "run"
    command = ["train_student.py", *STUDENT, *SMALL, f"--run_dir={run}", "--steps=100000", "--checkpoint_every=100000"]
    assert kill_in_the_midst(tmp_path, command, run, ["pixel"], delay=2.0, number=number) == status
    saved = max(run.glob("checkpoints/pixel/step-*"))
    assert int(saved.name[5:]) > 0
    assert f"{number.name}: saved {saved}; the same command goes on from there" in (tmp_path / "log.txt").read_text()
    process = start(tmp_path, command)
    while f"goes on from step {int(saved.name[5:])} of" not in (tmp_path / "log.txt").read_text():
        assert process.poll() is None
        time.sleep(0.05)
    double = subprocess.run(
        [sys.executable, str(ROOT / command[0]), *command[1:]], cwd=tmp_path, capture_output=True, text=True
    )
    assert double.returncode == 1
    assert "another process is training there" in double.stderr and "Traceback" not in double.stderr
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130


@pytest.mark.slow
def test_a_second_signal_exits_at_once(teacher, tmp_path):
    """While the first is still waiting for its step: the checkpoint that it asks for is not
    written.
    """
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/cache").symlink_to(teacher / "datasets/cache")
    run = tmp_path / "run"
    # Steps of a second and more, so that both signals fall into one.
    heavy = ["train_student.py", "--student=compact_m", *SMALL, "--batch_size=32", "--patch_size=96", "--log_every=1"]
    command = [*heavy, f"--run_dir={run}", "--steps=100000", "--checkpoint_every=100000"]
    process = start(tmp_path, command)
    while not checkpoints(run, ["pixel"]):
        assert process.poll() is None, (tmp_path / "log.txt").read_text()
        time.sleep(0.01)
    time.sleep(1.0)
    for _ in range(2):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    assert process.wait(timeout=60) == 143
    assert [path.name for path in run.glob("checkpoints/pixel/step-*")] == ["step-000000000"]
    assert "saved" not in (tmp_path / "log.txt").read_text()


def files_of(run):
    return {
        path.relative_to(run): path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != ".lock"
    }


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_new_run_that_is_stopped_while_images_are_decoded_leaves_the_old_one(tmp_path, number):
    """The old run lies where it lay, to the byte, and the same command without --new_run finds it
    finished.
    """
    run, cache = tmp_path / "runs/student", tmp_path / "cache"
    command = ["train_student.py", *STUDENT, *SMALL, "--steps=4", "--adversarial_steps=0", f"--run_dir={run}"]
    cached = [*command, f"--cache_dir={tmp_path}/old_cache"]
    run_through(tmp_path, cached)
    before = files_of(run)
    process = start(tmp_path, [*command, "--new_run", "--degradation=real", f"--cache_dir={cache}"])
    while not list(cache.glob(".building-*/*.uint8")):
        assert process.poll() is None, (tmp_path / "log.txt").read_text()
        time.sleep(0.01)
    process.send_signal(number)
    status = process.wait(timeout=120)
    assert status == (-9 if number == signal.SIGKILL else 128 + number), (tmp_path / "log.txt").read_text()
    assert files_of(run) == before
    assert [path.name for path in run.parent.iterdir()] == ["student"]
    assert number == signal.SIGKILL or not list(cache.glob("*"))
    run_through(tmp_path, [*cached, "--keep=2"])
    assert f"{run}: finished; nothing trained; --steps or --new_run" in (tmp_path / "log.txt").read_text()
    assert {name for name, content in files_of(run).items() if before.get(name) != content} <= {
        name for name in files_of(run) if "logs" in name.parts
    }
    run_through(tmp_path, [*cached, "--steps=6", "--keep=2"])
    config, report = (run / "config.txt").read_text(), json.loads((run / "report.json").read_text())
    assert "--steps=6\n" in config and "# from pixel step 5 on (" in config
    assert "--keep was 3, is 2, --steps was 4, is 6" in config
    assert report["history"] == [line[2:] for line in config.splitlines() if line.startswith("# ")]
    assert [phase["steps"] for phase in report["earlier"][0]["phases"] + report["phases"]] == [4, 6]
