"""What a user's mistake at the command line looks like: one line, no traceback, and at once."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
COMMANDS = ["train_teacher.py", "train_student.py", "distill.py", "export_tflite.py", "evaluate.py", "upscale.py"]


def run(*words, cwd):
    return subprocess.run(
        [sys.executable, str(ROOT / words[0]), *words[1:]], cwd=cwd, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_grouped_and_does_not_wait_for_tensorflow(command, tmp_path):
    code = f"""
import runpy, sys
sys.argv = [{command!r}, "--help"]
try:
    runpy.run_path({str(ROOT / command)!r}, run_name="__main__")
except SystemExit as end:
    assert not end.code
print("tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith("False\n"), done.stderr
    assert ":\n  --" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("distill.py", "--method=gan3g"), "--method=gan3g: value should be one of <g2g|g2g_al|gan2g|"),
        (
            ("train_teacher.py", "--dataset=imagenet"),
            "value should be one of <div2k|folder|paired|celeb_a|sample|unlabelled>",
        ),
        (("train_student.py", "--stepz=3"), "Unknown command line flag 'stepz'. Did you mean: steps"),
        (("train_student.py", "--steps=0"), "steps"),
        (("train_student.py", "steps=5"), "'steps=5' is no flag"),
        (("upscale.py",), "name an image or a folder"),
    ],
)
def test_a_wrong_flag_is_one_line(words, said, tmp_path):
    done = run(*words, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("distill.py",),
            "--teacher=runs/teacher: no such weight file or run folder; train one (python train_teacher.py) "
            "or take the shipped one (--teacher=edsr_8x64)",
        ),
        (("train_student.py", "--dataset=folder"), "--dataset=folder needs --hr_dir"),
        (("train_student.py", "--dataset=paired", "--hr_dir=x"), "--dataset=paired needs --lr_dir"),
        (
            ("train_student.py", "--dataset=paired", "--hr_dir=x", "--lr_dir=y", "--degradation=blur"),
            "--degradation=blur: only --dataset=div2k|folder|celeb_a|sample|unlabelled reads it",
        ),
        (("train_student.py", "--dataset=sample", "--scale=1"), "nothing left to learn; choose --degradation"),
        (("train_student.py", "--dataset=folder", "--hr_dir=none"), "none"),
        (
            ("train_student.py", "--dataset=sample", "--hr_dir=x"),
            "--hr_dir=x: only --dataset=folder|paired|unlabelled reads it",
        ),
        (("export_tflite.py",), "no run holds a student yet"),
        *(
            pytest.param(*case, marks=pytest.mark.slow)  # said once TensorFlow is loaded
            for case in (
                (
                    ("train_student.py", "--dataset=sample", "--student=compact"),
                    "'compact' is no generator; choose one of: srresnet",
                ),
                (("train_student.py", "--dataset=sample", "--patch_size=500"), "--patch_size"),
                (
                    ("train_student.py", "--dataset=sample", "--init=none.weights.h5"),
                    "none.weights.h5: no such file or folder",
                ),
                (("export_tflite.py", "--height=8", "--student=x"), "give both or neither"),
            )
        ),
    ],
)
def test_a_wrong_value_is_one_line(words, said, tmp_path):
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_flagfile(tmp_path):
    (tmp_path / "flags.txt").write_text("# a comment\n--method=gan3g\n")
    assert "gan3g" in run("distill.py", "--flagfile=flags.txt", cwd=tmp_path).stderr


def test_a_name_cannot_command_the_terminal(tmp_path):
    """Escape sequences and marks that turn the direction of writing are spelled out."""
    done = run("upscale.py", "a\x1b]0;title\x07\u202egnp.png", cwd=tmp_path)
    assert done.returncode == 1 and "\x1b" not in done.stderr and "\u202e" not in done.stderr
    assert r"a\x1b]0;title\x07\u202egnp.png: no such file" in done.stderr


def test_help_on_an_ascii_terminal_and_into_a_closed_pipe(tmp_path):
    words = [sys.executable, str(ROOT / "upscale.py"), "--help"]
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = subprocess.run(words, capture_output=True, cwd=tmp_path, env=ascii_only, timeout=60)
    assert done.returncode == 0 and b"--output" in done.stdout and done.stdout.isascii()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
    process.stdout.close()
    assert process.wait(60) == 0 and process.stderr.read() == b""


def test_help_shows_what_matters_for_its_command(tmp_path):
    """Examples, then the flags, those that choose the network first; what has no effect is taken
    and not shown.
    """
    shown = run("distill.py", "--help", cwd=tmp_path).stdout
    assert shown.index("python distill.py --") < shown.index("\n  --method=") < shown.index("\n  --dataset=")
    assert "--tv_weight" not in shown and "--pixel_weight" not in shown
    assert "--validation_size" not in run("export_tflite.py", "--help", cwd=tmp_path).stdout
    shown = run("upscale.py", "--help", cwd=tmp_path).stdout
    assert re.search(r"^  --(\w+)", shown, re.M)[1] == "model" and "  -o, --output=" in shown
    known = run("distill.py", "--tv_weight=0.1", "--help_me=1", cwd=tmp_path).stderr
    assert "Unknown command line flag 'help_me'" in known


def test_native_libraries_are_heard_only_where_a_command_breaks(tmp_path):
    """Descriptor 2 is theirs, standard error is ours: a fault brings out what they wrote, a mistake
    does not.
    """
    code = """
import os, sys
from cli import app
from errors import UserError
from settings.files import Upscale
kind = sys.argv.pop()
def main(settings):
    os.write(2, b"a library's words\\n")
    print("ours", file=sys.stderr)
    raise {"mistake": UserError, "fault": ValueError}[kind]("why")
app.run(main, Upscale(), description="")
"""
    for kind, expected in (("mistake", False), ("fault", True)):
        words = [sys.executable, "-c", code, kind]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "ours\n" in done.stderr
        assert ("a library's words" in done.stderr) == ("Traceback" in done.stderr) == expected


def test_a_signal_that_comes_while_an_object_is_collected_stops_too(tmp_path):
    """Python drops what a `__del__` raises."""
    code = """
import os, signal, time
from cli import app
from settings.files import Upscale

class Deaf:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)

def main(settings, words):
    Deaf()
    time.sleep(60)

app.run(main, Upscale(), description="", operands=True)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (143, "-c: SIGTERM: stopped\n")
