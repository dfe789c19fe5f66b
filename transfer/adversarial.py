"""Adversarial: the student learns to deceive the discriminator that the teacher was trained
against.

The student's loss is 0.05 · VGG(HR, S) + 1e-4 · RaGAN(T as real, S as fake) + (1 - 1e-4) · MSE(T,
S), MSE in 8-bit levels squared. The critic is the discriminator that the teacher was trained
against (discriminator.weights.h5 in the teacher's run), and goes on training, on T against S. In
the public code it ran with its batch statistics frozen; here it trains as it did before.

Start from a student of `transfer.comparative` (`--init=runs/comparative`), as was meant there: its
code never loaded it.

Source: the public compressed ESRGAN (captain-pool/GSOC), after Aguinaldo et al., arXiv:1902.00159,
section 3.2 (the joint loss).

    python -m transfer.adversarial      is      python distill.py --method adversarial
"""

from training.loop import Phase
from transfer.command import run
from transfer.job import Method, TransferJob

PUBLISHED = {
    "content_weight": 0.05 * 12.75**2,  # published for features as they are; our content loss divides them by 12.75
    "kd_weight": 1 - 1e-4,
    "adversarial_weight": 1e-4,
    "adversarial_loss": "relativistic",
    "before_activation": True,
}


def phases(job: TransferJob) -> list[Phase]:
    """One phase, at the learning rate of adversarial phases."""
    terms = [job.content(), job.imitation(), job.teachers_discriminator(steps=job.steps)]
    return [job.phase("adversarial", terms, steps=job.steps, keep="last")]


METHOD = Method("adversarial", teacher="adversarial", published=PUBLISHED, phases=phases)

if __name__ == "__main__":
    run(METHOD)
