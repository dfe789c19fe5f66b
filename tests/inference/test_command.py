"""upscale.py as people run it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent.parent


def command(exported, *words):
    return [sys.executable, str(ROOT / "upscale.py"), *map(str, words), f"--model={exported['dynamic']}"]


def run(exported, *words, cwd):
    return subprocess.run(command(exported, *words), cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(0)
    for name in ("a b.png", "größe/日本.jpg", "c.webp"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 12, 3), np.uint8)).save(path)
    (tmp_path / "in/empty.png").touch()
    (tmp_path / "in/text.jpg").write_text("hello")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in", target_is_directory=True)
    return tmp_path


def test_folder_with_failures_then_again(exported, folder):
    first = run(exported, "in", "--scale=3", "--format=png", cwd=folder)
    assert first.returncode == 1 and "Traceback" not in first.stderr
    assert "2 of 5 failed (3 written):" in first.stderr
    assert "in/empty.png: empty file" in first.stderr and "in/text.jpg: not an image" in first.stderr
    made = {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in (folder / "in_x3").rglob("*.*")}
    assert sorted(made) == ["in_x3/a b_x3.png", "in_x3/c_x3.png", "in_x3/größe/日本_x3.png"]
    assert Image.open(folder / "in_x3/c_x3.png").size == (36, 24)
    again = run(exported, "in", "--scale=3", "--format=png", cwd=folder)
    assert again.returncode == 1 and "3 of 5 were done already" in again.stderr
    assert {
        path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in (folder / "in_x3").rglob("*.*")
    } == made


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scale=2", "--width=9"], "--scale and --width: give one"),
        (["--fit=9"], "--fit=9: write WIDTHxHEIGHT"),
        (["--strength=0.5"], "--strength: "),
        (["--engine=keras"], "not for --engine=keras"),
        (["-o", "in/text.jpg/b.png"], "b.png: cannot be written: in/text.jpg is not a folder"),
        (["-o", "{nonsense}.png"], "it may hold {stem}"),
        (["--quality=101"], "quality"),
    ],
)
def test_mistakes_are_one_line(exported, folder, words, said):
    done = run(exported, "in/a b.png", *words, cwd=folder)
    assert done.returncode in (1, 2) and said in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_leave_no_half_file(exported, folder, number):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), np.uint8)).save(folder / "large.png")
    process = subprocess.Popen(
        command(exported, "large.png", "--tile=32", "-o", "out/b.png"), cwd=folder, stderr=subprocess.PIPE
    )
    end = time.monotonic() + 60
    while not list(folder.glob("out/.*.part")):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(60) == 130
    assert list((folder / "out").iterdir()) == []
