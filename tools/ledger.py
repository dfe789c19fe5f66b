"""Train a student alone and with each transfer on the same images, and compare them: python -m
tools.ledger, which `make ledger` runs.

Of compact_s four trainings with three seeds each, three hours on one core. With --perceptual (`make
ledger-perceptual`) the transfers with a GAN in them, from the student that the first ledger trained
alone with seed 0: an hour more for each seed.

With --published (`make ledger-published`) the five methods of the study of lightening SRGAN, at its
settings: srresnet_8x32 from its shipped, pixel-trained weights; one teacher, the shipped edsr_8x64
and what a content phase and a GAN phase make of it; --updates of each.

Trainings that are finished are not done again. Paths are relative to the source tree.
"""

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from absl import logging

from cli import app
from errors import Stopped, UserError
from settings.fields import Command, setting
from settings.losses import VGG19_LAYERS

_ROOT = Path(__file__).parent.parent
_SEEDS = ("0", "1", "2")

_FIDELITY = {
    "alone": [],
    "g2g": ["--method=g2g"],
    "cached": ["--method=g2g", "--cache_teacher", "--self_ensemble"],
    "g2g_fa": ["--method=g2g_fa"],
}
# All update the student 900 times, from the same start. Alone, the adversarial phase needs a pixel
# phase before it: one update.
_PERCEPTUAL = {
    "alone": ["--steps=1", "--adversarial_steps=899"],
    "gan2g": ["--method=gan2g", "--steps=900"],
    "g2g_al": ["--method=g2g_al", "--steps=200", "--adversarial_steps=700"],
    "jointly": ["--method=g2g_al", "--al=jointly", "--steps=900"],
    "gan2gan": ["--method=gan2gan", "--steps=200", "--adversarial_steps=700"],
}
# The five methods of the study with one phase each, as its code has it, so that all update the
# student equally often.
_PUBLISHED = ("g2g", "g2g_al", "gan2g", "gan2g_al", "gan2gan")


@dataclass(frozen=True)
class Experiment:
    """What is compared, on which images."""

    heading: ClassVar[str] = "Ledger"
    perceptual: bool = setting(False, "The transfers with a GAN in them, after the first ledger.")
    published: bool = setting(False, "The methods of the study of lightening SRGAN, at its settings.")
    updates: int = setting(3000, "Updates of each student, and of the teacher's GAN phase, with --published.", low=2)
    content_updates: int = setting(2500, "Updates of the teacher's content phase with --published.", low=1)
    seeds: tuple[str, ...] = setting(
        (), "Seeds, with commas; by default 0,1,2, with --perceptual or --published 0.", low=0
    )
    perceptual_layer: str = setting(
        "block5_conv4", "VGG19 convolution of the content term with --published.", choices=VGG19_LAYERS
    )
    content_weight: float = setting(
        1.0, "Weight of the content term with --published; 1 is published, for block5_conv4.", low=0.0
    )
    hr_dir: str = setting("photographs", "Folder of original images for training.")
    valid_dir: str = setting("others", "Folder of original images for validation.")
    data_root: str = setting("benchmarks", "Folder that holds Set5 and Set14.")
    lpips_weights: str = setting(
        "benchmarks/lpips_squeeze_v0.1.npz", "The .npz file of LPIPS v0.1 with SqueezeNet 1.1."
    )
    vgg_weights: str = setting("benchmarks/vgg19.h5", "File with VGG19's weights, for --perceptual and --published.")
    teacher: str = setting("edsr_8x64", "The teacher: a run folder, a weight file, or a shipped network by name.")
    runs: str = setting("runs/ledger", "Folder of the runs.")
    results: str = setting("docs/results", "Folder that gets the ledger's folder.")


@dataclass(frozen=True)
class Ledger(Command):
    """python -m tools.ledger."""

    experiment: Experiment = Experiment()


def main(settings: Ledger) -> int:
    """Run the commands one after the other.

    Returns the exit status of the first that fails, or 0.
    """
    for command in commands(settings.experiment):
        logging.info("%s", shlex.join(command))
        with subprocess.Popen([sys.executable, *command], cwd=_ROOT, stderr=sys.stderr) as process:
            try:
                status = process.wait()
            except Stopped:  # told to stop: so is the training, which saves what it has; Ctrl+C it hears itself
                process.terminate()
                raise
        if status:
            return status
    return 0


def commands(experiment: Experiment) -> list[list[str]]:
    """Every training, then the comparison, as words for Python.

    Raises UserError for two experiments at once.
    """
    if experiment.perceptual and experiment.published:
        raise UserError("--perceptual --published: one ledger after the other")
    measured = [f"--data_root={experiment.data_root}", f"--lpips_weights={experiment.lpips_weights}"]
    benchmarks = f"--benchmarks=Set5,Set14,validation:{experiment.valid_dir}"
    first = []
    if experiment.perceptual:
        trainings = _perceptual(experiment)
        compared = ["--benchmarks=Set5,Set14", *measured, f"--output={experiment.results}/ledger-perceptual"]
    elif experiment.published:
        trainings, first = _published(experiment), [_published_teacher(experiment)]
        compared = [benchmarks, *measured, f"--output={experiment.results}/ledger-published"]
    else:
        trainings = _fidelity(experiment)
        compared = [benchmarks, *measured, f"--teacher={experiment.teacher}", f"--output={experiment.results}/ledger"]
    found = [_training(words, run, experiment) for run, words in trainings.items()]
    return [*first, *found, ["evaluate.py", "--ledger", *sorted(trainings), *compared]]


def _fidelity(experiment: Experiment) -> dict[str, list[str]]:
    """{run folder: flags}."""
    return {
        f"{experiment.runs}/{name}_{seed}": [*words, "--flagfile=tools/ledger.txt", f"--seed={seed}"]
        for seed in experiment.seeds or _SEEDS
        for name, words in _FIDELITY.items()
    }


def _perceptual(experiment: Experiment) -> dict[str, list[str]]:
    start = [f"--init={experiment.runs}/alone_0", f"--vgg_weights={experiment.vgg_weights}"]
    return {
        f"{experiment.runs}/perceptual/{name}_{seed}": [
            *words,
            *(["--kd_weight=20"] if name != "alone" else []),
            "--flagfile=tools/ledger_perceptual.txt",
            *start,
            f"--seed={seed}",
        ]
        for seed in experiment.seeds or _SEEDS[:1]
        for name, words in _PERCEPTUAL.items()
    }


def _published(experiment: Experiment) -> dict[str, list[str]]:
    """Alone, one update of a pixel phase stands before the adversarial phase, as above."""
    steps = f"--steps={experiment.updates}"
    trainings = {"alone": ["--steps=1", f"--adversarial_steps={experiment.updates - 1}"]}
    trainings |= {name: [f"--method={name}", "--al=jointly", steps] for name in _PUBLISHED}
    common = ["--student=srresnet_8x32", "--init=shipped", *_published_terms(experiment)]
    return {
        f"{experiment.runs}/published/{name}_{seed}": [*words, *common, f"--seed={seed}"]
        for seed in experiment.seeds or _SEEDS[:1]
        for name, words in trainings.items()
    }


def _published_teacher(experiment: Experiment) -> list[str]:
    """One run with the three teachers of the study: of pixels, of content, and GAN-trained."""
    phases = ["--steps=1", f"--content_steps={experiment.content_updates}", f"--adversarial_steps={experiment.updates}"]
    words = [f"--teacher={experiment.teacher}", "--init=shipped", *phases, *_published_terms(experiment)]
    return ["train_teacher.py", *words, *_images(experiment), f"--run_dir={experiment.runs}/published/teacher"]


def _published_terms(experiment: Experiment) -> list[str]:
    return [
        "--flagfile=tools/ledger_published.txt",
        f"--vgg_weights={experiment.vgg_weights}",
        f"--perceptual_layer={experiment.perceptual_layer}",
        f"--content_weight={experiment.content_weight:g}",
    ]


def _training(words: list[str], run: str, experiment: Experiment) -> list[str]:
    alone = not words[0].startswith("--method")
    teacher = f"{experiment.runs}/published/teacher" if experiment.published else experiment.teacher
    script = ["train_student.py"] if alone else ["distill.py", f"--teacher={teacher}"]
    return [*script, *words, *_images(experiment), f"--run_dir={run}"]


def _images(experiment: Experiment) -> list[str]:
    return [f"--hr_dir={experiment.hr_dir}", f"--valid_dir={experiment.valid_dir}"]


if __name__ == "__main__":
    app.run(main, Ledger(), description=__doc__)
