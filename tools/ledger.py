"""Train compact_s alone and with each transfer on the same images, and compare them: python -m tools.ledger, which `make ledger` runs.

Four trainings with three seeds each, three hours on one core. With --perceptual (`make ledger-perceptual`) the transfers with a GAN in them, one
seed, from the student that the first ledger trained alone: an hour more. Trainings that are finished are not done again. Paths are relative to
the source tree.
"""

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from absl import logging

from cli import app
from settings.fields import Command, setting

_ROOT = Path(__file__).parent.parent
_SEEDS = (0, 1, 2)

_FIDELITY = {
    "alone": [],
    "g2g": ["--method=g2g"],
    "cached": ["--method=g2g", "--cache_teacher", "--self_ensemble"],
    "g2g_fa": ["--method=g2g_fa"],
}
# All update the student 900 times, from the same start. Alone, the adversarial phase needs a pixel phase before it: one update.
_PERCEPTUAL = {
    "alone": ["--steps=1", "--adversarial_steps=899"],
    "gan2g": ["--method=gan2g", "--steps=900"],
    "g2g_al": ["--method=g2g_al", "--steps=200", "--adversarial_steps=700"],
    "jointly": ["--method=g2g_al", "--al=jointly", "--steps=900"],
    "gan2gan": ["--method=gan2gan", "--steps=200", "--adversarial_steps=700"],
}


@dataclass(frozen=True)
class Experiment:
    """What is compared, on which images."""

    heading: ClassVar[str] = "Ledger"
    perceptual: bool = setting(False, "The transfers with a GAN in them, after the first ledger.")
    hr_dir: str = setting("photographs", "Folder of original images for training.")
    valid_dir: str = setting("others", "Folder of original images for validation.")
    data_root: str = setting("benchmarks", "Folder that holds Set5 and Set14.")
    lpips_weights: str = setting(
        "benchmarks/lpips_squeeze_v0.1.npz", "The .npz file of LPIPS v0.1 with SqueezeNet 1.1."
    )
    vgg_weights: str = setting("benchmarks/vgg19.h5", "File with VGG19's weights, for --perceptual.")
    teacher: str = setting("edsr_8x64", "The teacher: a run folder, a weight file, or a shipped network by name.")
    runs: str = setting("runs/ledger", "Folder of the runs.")
    results: str = setting("docs/results", "Folder that gets the ledger's folder.")


@dataclass(frozen=True)
class Ledger(Command):
    """python -m tools.ledger."""

    experiment: Experiment = Experiment()


def main(settings: Ledger) -> int:
    """Run the commands one after the other. Returns the exit status of the first that fails, or 0."""
    for command in commands(settings.experiment):
        logging.info("%s", shlex.join(command))
        with subprocess.Popen([sys.executable, *command], cwd=_ROOT, stderr=sys.stderr) as process:
            try:
                status = process.wait()
            except SystemExit:  # told to stop: so is the training, which saves what it has; Ctrl+C it hears itself
                process.terminate()
                raise
        if status:
            return status
    return 0


def commands(experiment: Experiment) -> list[list[str]]:
    """Every training, then the comparison, as words for Python."""
    measured = [f"--data_root={experiment.data_root}", f"--lpips_weights={experiment.lpips_weights}"]
    if experiment.perceptual:
        trainings = _perceptual(experiment)
        compared = ["--benchmarks=Set5,Set14", *measured, f"--output={experiment.results}/ledger-perceptual"]
    else:
        trainings = _fidelity(experiment)
        benchmarks = f"--benchmarks=Set5,Set14,validation:{experiment.valid_dir}"
        output = f"--output={experiment.results}/ledger"
        compared = [benchmarks, *measured, f"--teacher={experiment.teacher}", output]
    found = [_training(words, run, experiment) for run, words in trainings.items()]
    return [*found, ["evaluate.py", "--ledger", *sorted(trainings), *compared]]


def _fidelity(experiment: Experiment) -> dict[str, list[str]]:
    """{run folder: flags}."""
    return {
        f"{experiment.runs}/{name}_{seed}": [*words, "--flagfile=tools/ledger.txt", f"--seed={seed}"]
        for seed in _SEEDS
        for name, words in _FIDELITY.items()
    }


def _perceptual(experiment: Experiment) -> dict[str, list[str]]:
    start = [f"--init={experiment.runs}/alone_0", f"--vgg_weights={experiment.vgg_weights}"]
    return {
        f"{experiment.runs}/perceptual/{name}": [
            *words,
            *(["--kd_weight=20"] if name != "alone" else []),
            "--flagfile=tools/ledger_perceptual.txt",
            *start,
        ]
        for name, words in _PERCEPTUAL.items()
    }


def _training(words: list[str], run: str, experiment: Experiment) -> list[str]:
    alone = not words[0].startswith("--method")
    script = ["train_student.py"] if alone else ["distill.py", f"--teacher={experiment.teacher}"]
    pictures = [f"--hr_dir={experiment.hr_dir}", f"--valid_dir={experiment.valid_dir}"]
    return [*script, *words, *pictures, f"--run_dir={run}"]


if __name__ == "__main__":
    app.run(main, Ledger(), description=__doc__)
