"""What every transfer method is handed (the networks, the losses, the weights of the terms), and the two kinds of phase it makes of that."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from losses.pixel import mse_loss
from training.loop import Phase

# The published weights of the imitation term are for pixels in [0, 255]; ours are in [0, 1].
_LEVELS_SQUARED = 255.0**2


@dataclass(kw_only=True)
class Parts:
    """teacher, student: generators; average: a student for the moving average. content_loss: `f(hr, sr)`.

    content_weight, kd_weight, adversarial_weight, affinity_weight: of the terms content, imitation, adversarial and affinity; None where a
    method has no such term, as content_loss then is.
    al: "after" or "jointly", when adversarial learning (AL) happens. steps, adversarial_steps: of the transfer and of AL after it.
    new_optimizer: `f(model, steps, adversarial=False)`. new_adversary: `f(steps)`, a fresh discriminator with its optimizer; teacher_adversary:
    `f(steps)`, the one that the teacher was trained against.
    """

    teacher: Any
    student: Any
    average: Any
    content_loss: Callable
    content_weight: float
    kd_weight: float
    adversarial_weight: float
    affinity_weight: float
    al: str
    steps: int
    adversarial_steps: int
    new_optimizer: Callable
    new_adversary: Callable
    teacher_adversary: Callable


def transfer_phase(parts, step, *, name="transfer", keep="best"):
    """A phase of `parts.steps`. step: its student and optimizer by these names.

    keep: "best" keeps the weights with the best validation metric; "last" is for a GAN-trained teacher, since growing like it lowers PSNR.
    """
    optimizers = {"student": step.optimizer}
    return Phase(name, step, step.student, parts.average, parts.steps, keep, optimizers)


def adversarial_phase(parts, step, *, steps):
    """A phase that keeps its last weights: adversarial learning lowers PSNR. step: has an `adversary` beside student and optimizer."""
    optimizers = {"student": step.optimizer, "discriminator": step.adversary.optimizer}
    return Phase("adversarial", step, step.student, parts.average, steps, "last", optimizers)


def imitation_loss(sr_teacher, sr):
    """K: mean squared difference between the teacher's and the student's picture, in units of 8-bit levels squared.

    sr_teacher, sr: (B, H, W, 3) float32 in [0, 1]. A weight published for pixels in [0, 255] keeps its effect.
    """
    return _LEVELS_SQUARED * mse_loss(sr_teacher, sr)
