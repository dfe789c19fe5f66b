"""upscale.py as people run it."""

import re
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
    assert re.search(r"^3 images in [\d.]+ s -> in_x3/$", first.stderr, re.M), first.stderr
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
        (["--scale=nan"], "scale=nan"),
        (["--strength=nan"], "strength=nan"),
        (["-o", "-"], "--output=-: standard output is for raw frames"),
        (["b.png"], "b.png: no such file; for the result to go there: upscale.py in/a b.png -o b.png"),
        (["-o", "b.avif"], "--output=b.avif: cannot write .avif; use one of .png"),
        (["-o", "b.mp4"], "--output=b.mp4: a video; in/a b.png is none"),
        (["-o", "b.png", "--format=webp"], "--output=b.png: its name says the format"),
    ],
)
def test_mistakes_are_one_line(exported, folder, words, said):
    done = run(exported, "in/a b.png", *words, cwd=folder)
    assert done.returncode in (1, 2) and said in done.stderr and "Traceback" not in done.stderr


def test_a_finished_folder_of_one_is_done_and_what_fails_leaves_the_rest(exported, folder):
    """Ends with 0 when there is nothing left to do; with 1 where a folder cannot be read or two
    results would be one.
    """
    one = folder / "one"
    one.mkdir()
    Image.new("RGB", (8, 8)).save(one / "a.png")
    for said in ("one_x2/a_x2.png", "1 of 1 were done already"):
        done = run(exported, "one", cwd=folder)
        assert done.returncode == 0 and said in done.stderr
    Image.new("RGB", (8, 8)).save(one / "a.jpg")
    (one / "note.heic").touch()
    done = run(exported, "one", "--format=webp", cwd=folder)
    assert done.returncode == 1 and "would be the result of both one/a.jpg and one/a.png" in done.stderr
    assert "1 of 2 failed (1 written):" in done.stderr and (folder / "one_x2/a_x2.webp").is_file()
    assert "one: 1 file of another kind left alone: .heic (1)" in done.stderr


def test_comparisons_of_results_that_share_a_name_and_of_earlier_ones(exported, folder):
    for path, suffix in ((folder / "in/c.webp", "gif"), (folder / "in/a b.png", "webp")):
        Image.open(path).convert("RGB").save(path.with_suffix(f".{suffix}"))
    frames = [Image.new("RGB", (8, 6), (40 * i, 0, 0)) for i in range(3)]
    frames[0].save(folder / "film.gif", save_all=True, append_images=frames[1:])
    words = ["in/c.webp", "in/c.gif", "in/a b.png", "film.gif", "-o", "out/"]
    assert run(exported, *words, cwd=folder).returncode == 0
    again = run(exported, *words, "--compare", cwd=folder)
    assert again.returncode == 0 and "4 of 4 were done already" in again.stderr, again.stderr
    sheets = ["a b_x2.compare.png", "c_x2.gif.compare.png", "c_x2.webp.compare.png", "film_x2.compare.png"]
    assert sorted(path.name for path in folder.glob("out/*.compare.png")) == sheets
    assert run(exported, *words, "--compare", cwd=folder).returncode == 0


def test_streams(exported, folder):
    """Nothing on standard input is a mistake, as is a frame beyond all measure; who stops to read
    ends it quietly.
    """
    start = [*command(exported, "-"), "--video_size=64x64"]
    done = subprocess.run(start, cwd=folder, input=b"", capture_output=True, timeout=120)
    assert done.returncode == 1 and done.stderr.endswith(
        b"-: standard input is empty; it takes raw RGB frames of 8 bits\n"
    )
    done = run(exported, "-", "--video_size=99999x99999", cwd=folder)
    assert done.returncode == 1 and "--video_size=99999x99999: too large" in done.stderr
    process = subprocess.Popen(start, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(bytes(64 * 64 * 3))
    process.stdin.flush()
    assert len(process.stdout.read(100)) == 100
    process.stdout.close()
    try:
        process.stdin.write(bytes(64 * 64 * 3 * 40))
        process.stdin.close()
    except BrokenPipeError:
        pass
    assert process.wait(60) == 0
    assert b"Broken" not in process.stderr.read()


@pytest.mark.parametrize(
    ("number", "status", "said"), [(signal.SIGTERM, 143, b"SIGTERM: stopped"), (signal.SIGINT, 130, b"stopped")]
)
def test_signals_leave_no_half_file(exported, folder, number, status, said):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), np.uint8)).save(folder / "large.png")
    process = subprocess.Popen(
        command(exported, "large.png", "--tile=32", "-o", "out/b.png"), cwd=folder, stderr=subprocess.PIPE
    )
    end = time.monotonic() + 60
    while not list(folder.glob("out/.*.part")):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(60) == status
    assert said in process.stderr.read()
    assert list((folder / "out").iterdir()) == []


def test_without_pyav_a_video_is_one_line_and_images_go_on(exported, folder):
    """PyAV is optional: an interpreter that finds none, which None in sys.modules makes of any."""
    (folder / "clip.mp4").touch()
    start = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); sys.modules['av'] = None; sys.argv.pop(0)"
    start += "; runpy.run_path(sys.argv[0], run_name='__main__')"
    words = command(exported, "clip.mp4", "in/a b.png", "-o", "out/")[1:]
    done = subprocess.run([sys.executable, "-c", start, *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1 and (folder / "out/a b_x2.png").is_file(), done.stderr
    assert [line for line in done.stderr.splitlines() if "PyAV" in line] == [
        "error: videos need PyAV, and it Python 3.11: pip install -r requirements-video.txt"
    ]
