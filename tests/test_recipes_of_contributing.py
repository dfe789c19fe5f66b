"""The three recipes of CONTRIBUTING.md, applied to a copy of the tree as they stand there, and
trained with.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DIFFS = re.findall(r"```diff\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
SMALL = [
    *("--content_loss=pixel", "--validation_size=64", "--validation_pictures=1", "--batch_size=2", "--patch_size=8"),
    *("--steps=2", "--run_dir=run"),
]
RUNS = {
    "method": ["distill.py", "--method=g2g_l1", "--teacher=compact_xs", "--student=compact_xs", "--dataset=sample"],
    "network": ["train_student.py", "--student=espcn", "--dataset=sample"],
    "data set": ["train_student.py", "--student=compact_xs", "--dataset=astronaut"],
}
# Tests of the whole tree that a new one of the kind has to pass too.
CHECKED = {
    "method": ["tests/transfer/test_methods.py", "-k=teacher or published or architecture"],
    "network": ["tests/export/test_every_network.py", "tests/inference/test_tiling.py", "-k=espcn or architecture"],
    "data set": ["tests/data/test_choice.py"],
}
REPORTED = {"method": ("method", "g2g_l1"), "network": ("student", "espcn"), "data set": ("student", "compact_xs")}


@pytest.fixture
def tree(tmp_path):
    """A copy of what the commands need."""
    kept = shutil.ignore_patterns(
        ".*", "runs", "build", "datasets", "node_modules", "__pycache__", "docs", "benchmarks"
    )
    return Path(shutil.copytree(ROOT, tmp_path / "tree", ignore=kept))


def test_there_is_a_recipe_for_each():
    assert len(DIFFS) == len(RUNS)


@pytest.mark.parametrize("recipe", range(3), ids=RUNS)
def test_a_recipe_touches_three_files_and_applies(tree, recipe):
    assert len(re.findall(r"^\+\+\+ ", DIFFS[recipe], re.MULTILINE)) == 3
    done = subprocess.run(["git", "apply", "--check"], input=DIFFS[recipe], cwd=tree, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("recipe", range(3), ids=RUNS)
def test_a_recipe_leaves_a_sound_tree(tree, recipe):
    subprocess.run(["git", "apply"], input=DIFFS[recipe], cwd=tree, text=True, check=True)
    tests = ["tests/test_architecture.py", *CHECKED[list(RUNS)[recipe]], "-m=not slow", "-q"]
    done = subprocess.run([sys.executable, "-m", "pytest", *tests], cwd=tree, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("recipe", range(3), ids=RUNS)
def test_a_recipe_trains(tree, recipe):
    subprocess.run(["git", "apply"], input=DIFFS[recipe], cwd=tree, text=True, check=True)
    name = list(RUNS)[recipe]
    done = subprocess.run([sys.executable, *RUNS[name], *SMALL], cwd=tree, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    report = json.loads((tree / "run/report.json").read_text())
    key, value = REPORTED[name]
    assert report[key] == value
    assert report["phases"][0]["steps"] == 2
