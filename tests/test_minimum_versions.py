"""What requirements*.txt call the least version does work: the tests of files, films and exports in
an environment of those.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = ("requirements.txt", "requirements-video.txt", "requirements-test.txt")


def minima(text):
    """["numpy==2.0", ...] of a requirements file; lines that name no least version stay as they
    are.
    """
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    return [re.sub(r"(>=|~=)\s*([\d.]+)[^;]*", r"==\2", line) for line in lines if line and not line.startswith("-r")]


def test_minima_of_a_file():
    text = "-r other.txt\nnumpy>=2.0,<3  # why\nkeras~=3.15.0\nav>=18.1,<19; python_version >= '3.11'\n"
    assert minima(text) == ["numpy==2.0", "keras==3.15.0", "av==18.1; python_version >= '3.11'"]


@pytest.mark.slow
def test_the_least_versions_read_write_and_export(tmp_path):
    """Installs 3 GB of packages first, so it needs a package index and some minutes."""
    lines = [line for name in FILES for line in minima((ROOT / name).read_text())]
    (tmp_path / "minima.txt").write_text("\n".join(lines) + "\n")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "--requirement", tmp_path / "minima.txt"]
    installed = subprocess.run(install, capture_output=True, text=True)
    assert installed.returncode == 0, installed.stderr[-2000:]
    words = [
        "-m",
        "pytest",
        "-m",
        "not slow",
        "-x",
        "tests/data",
        "tests/inference",
        "tests/export",
        "tests/models/test_weight_files.py",
    ]
    tested = subprocess.run([python, *words], cwd=ROOT, capture_output=True, text=True)
    assert tested.returncode == 0, tested.stdout[-3000:]
