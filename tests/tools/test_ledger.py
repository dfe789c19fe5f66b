"""The commands behind the ledgers: those that docs/distillation.md tells of, with flags that they
know.
"""

import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tools.ledger import Experiment, commands

ROOT = Path(__file__).parent.parent.parent
FIDELITY, PERCEPTUAL = (
    Experiment(hr_dir="P", valid_dir="O"),
    Experiment(hr_dir="P", valid_dir="O", perceptual=True),
)
PUBLISHED = Experiment(hr_dir="P", valid_dir="O", published=True, updates=100, seeds=("0", "3"))
# What `make ledger` and `make ledger-perceptual` ran when docs/results was measured; seed 2 of the
# first.
RAN = """
train_student.py --flagfile=tools/ledger.txt --hr_dir=P --valid_dir=O --seed=2 --run_dir=runs/ledger/alone_2
distill.py --method=g2g --teacher=edsr_8x64 --flagfile=tools/ledger.txt --hr_dir=P --valid_dir=O --seed=2 --run_dir=runs/ledger/g2g_2
distill.py --method=g2g --cache_teacher --self_ensemble --teacher=edsr_8x64 --flagfile=tools/ledger.txt --hr_dir=P --valid_dir=O --seed=2 --run_dir=runs/ledger/cached_2
distill.py --method=g2g_fa --teacher=edsr_8x64 --flagfile=tools/ledger.txt --hr_dir=P --valid_dir=O --seed=2 --run_dir=runs/ledger/g2g_fa_2
"""  # noqa: E501
RAN_WITH_GAN = """
train_student.py COMMON --steps=1 --adversarial_steps=899 --run_dir=runs/ledger/perceptual/alone_0
distill.py --method=gan2g --teacher=edsr_8x64 COMMON --kd_weight=20 --steps=900 --run_dir=runs/ledger/perceptual/gan2g_0
distill.py --method=g2g_al --teacher=edsr_8x64 COMMON --kd_weight=20 --steps=200 --adversarial_steps=700 --run_dir=runs/ledger/perceptual/g2g_al_0
distill.py --method=g2g_al --al=jointly --teacher=edsr_8x64 COMMON --kd_weight=20 --steps=900 --run_dir=runs/ledger/perceptual/jointly_0
distill.py --method=gan2gan --teacher=edsr_8x64 COMMON --kd_weight=20 --steps=200 --adversarial_steps=700 --run_dir=runs/ledger/perceptual/gan2gan_0
"""
COMMON = "--seed=0 --flagfile=tools/ledger_perceptual.txt --init=runs/ledger/alone_0 --vgg_weights=benchmarks/vgg19.h5 --hr_dir=P --valid_dir=O"


def flags(line):
    """A command and its flags; their order has no meaning, as none stands there twice."""
    words = shlex.split(line) if isinstance(line, str) else line
    assert len(set(words)) == len(words)
    return words[0], set(words[1:])


def test_the_trainings_are_those_that_were_measured():
    *trainings, _ = commands(FIDELITY)
    assert len(trainings) == 12 and [flags(command) for command in trainings[8:]] == [
        flags(line) for line in RAN.strip().splitlines()
    ]
    *trainings, _ = commands(PERCEPTUAL)
    assert [flags(command) for command in trainings] == [
        flags(line.replace("COMMON", COMMON)) for line in RAN_WITH_GAN.strip().splitlines()
    ]


def test_the_methods_with_a_gan_take_seeds_from_one_start():
    *trainings, compared = commands(replace(PERCEPTUAL, seeds=("0", "1")))
    assert len(trainings) == 10 and len([word for word in compared if "/perceptual/" in word]) == 10
    assert all("--init=runs/ledger/alone_0" in words and "--seed=1" in words for words in trainings[5:])


def test_the_studys_methods_have_one_teacher_one_start_and_as_many_updates():
    first, *trainings, compared = commands(PUBLISHED)
    assert first[0] == "train_teacher.py" and "--run_dir=runs/ledger/published/teacher" in first
    assert {"--content_steps=2500", "--adversarial_steps=100", "--teacher=edsr_8x64"} <= set(first)
    methods = ("alone", "g2g", "g2g_al", "gan2g", "gan2g_al", "gan2gan")
    runs = [f"runs/ledger/published/{name}_{seed}" for seed in (0, 3) for name in methods]
    assert [words[-1] for words in trainings] == [f"--run_dir={run}" for run in runs]
    assert compared[:2] == ["evaluate.py", "--ledger"] and set(compared[2:14]) == set(runs)
    for words in trainings:
        assert {"--student=srresnet_8x32", "--init=shipped", "--content_weight=1"} <= set(words)
        if words[0] == "distill.py":
            assert {"--teacher=runs/ledger/published/teacher", "--al=jointly", "--steps=100"} <= set(words)
        else:
            assert {"--steps=1", "--adversarial_steps=99"} <= set(words)


def test_the_comparison_takes_all_runs():
    *trainings, compared = commands(FIDELITY)
    runs = {word.removeprefix("--run_dir=") for words in trainings for word in words if word.startswith("--run_dir")}
    assert compared[:2] == ["evaluate.py", "--ledger"] and set(compared[2:14]) == runs
    assert "--benchmarks=Set5,Set14,validation:O" in compared and "--teacher=edsr_8x64" in compared
    compared = commands(replace(PERCEPTUAL, results="R"))[-1]
    assert "--output=R/ledger-perceptual" in compared and "--benchmarks=Set5,Set14" in compared


@pytest.mark.parametrize(
    "words", [*commands(FIDELITY)[8:], *commands(PERCEPTUAL), *commands(PUBLISHED)[:3]], ids=lambda words: words[-1]
)
def test_each_command_knows_its_flags(words):
    """With one flag too many it stops before it imports TensorFlow, and names that one alone."""
    done = subprocess.run(
        [sys.executable, *words, "--no_such_flag=1"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stderr.strip().endswith("Unknown command line flag 'no_such_flag'"), done.stderr


def test_the_first_failure_ends_it(tmp_path):
    command = [sys.executable, "-m", "tools.ledger", f"--hr_dir={tmp_path}/none", f"--runs={tmp_path}/runs"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.count("train_student.py --flagfile") == 1 and f"{tmp_path}/none" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "runs").exists()
