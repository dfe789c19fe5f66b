"""Every recipe of a published system runs, with the command that its first line names, on the embedded photographs."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import models

ROOT = Path(__file__).parent.parent
RECIPES = {path.stem: path for path in sorted((ROOT / "recipes").glob("*.txt")) if not path.stem.startswith("demo_")}
SHORT = [
    *("--dataset=sample", "--content_loss=pixel", "--batch_size=2", "--patch_size=8", "--steps=20"),
    *("--validation_size=64", "--validation_pictures=1", "--validate_every=20", "--checkpoint_every=20"),
]
# Of RRDB's 345 convolutions TensorFlow takes minutes to make a training graph on a CPU; two blocks go through the same lines.
FEW_BLOCKS = {"esrgan": ["--depth=2"], "compressed_teacher": ["--depth=2"]}


def words(name):
    """The flags of a recipe, {name: value}."""
    lines = [line[2:].partition("=") for line in RECIPES[name].read_text().splitlines() if line.startswith("--")]
    return {flag: value for flag, _, value in lines}


def command(name):
    found = re.match(rf"# python (\w+\.py) --flagfile=recipes/{name}\.txt", RECIPES[name].read_text())
    assert found, f"{name}: its first line has to be the command"
    return found[1]


def in_order():
    """The recipes, each behind those that it starts from."""
    runs = {words(name)["run_dir"]: name for name in RECIPES}
    ordered = []

    def add(name):
        for flag in ("teacher", "init"):
            if words(name).get(flag) in runs:
                add(runs[words(name)[flag]])
        if name not in ordered:
            ordered.append(name)

    for name in RECIPES:
        add(name)
    return ordered


@pytest.mark.parametrize("name", RECIPES)
def test_each_says_where_it_is_from_and_what_it_costs(name):
    text = RECIPES[name].read_text()
    assert command(name) in ("train_teacher.py", "train_student.py", "distill.py")
    assert "Source" in text or "Korean study" in text or "compressed ESRGAN" in text
    assert "# Cost: " in text
    assert words(name)["run_dir"] == f"runs/{name}"


@pytest.mark.parametrize("name", RECIPES)
def test_its_command_knows_all_its_flags(name):
    """With one flag too many the command stops before it imports TensorFlow, and names that one alone."""
    line = [sys.executable, str(ROOT / command(name)), f"--flagfile={RECIPES[name]}", "--no_such_flag=1"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr.strip().endswith("Unknown command line flag 'no_such_flag'"), done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With a small network in the place of the one that from_realesrgan imports."""
    folder = tmp_path_factory.mktemp("recipes")
    teacher = models.build_generator("srvgg", depth=1, width=8)
    models.save_weights(teacher, folder / words("from_realesrgan")["teacher"])
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", in_order())
def test_twenty_steps(folder, name):
    short = [*SHORT, *FEW_BLOCKS.get(name, [])]
    if "adversarial_steps" in words(name):
        short.append("--adversarial_steps=20")
    line = [sys.executable, str(ROOT / command(name)), f"--flagfile={RECIPES[name]}", *short]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{shlex.join(line)}\n{done.stderr}"
    run = folder / words(name)["run_dir"]
    role = "teacher" if command(name) == "train_teacher.py" else "student"
    assert (run / f"{role}.weights.h5").stat().st_size > 0
    if words(name).get("interpolate_alpha"):
        assert (run / "teacher.alpha_0.8.weights.h5").stat().st_size > 0
