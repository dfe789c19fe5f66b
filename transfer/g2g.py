"""G2G: from a pixel-trained teacher generator to the student generator.

The student's loss is C + 1e-3 K: C the content loss against the original, K the squared difference to the teacher's image in 8-bit levels.
The teacher is the one from before its GAN phase. No discriminator.

Source: Lee and Park, "A Study of Lightening SRGAN Using Knowledge Distillation", J. Korea Multimedia Society 24(12), 2021,
doi:10.9717/kmms.2021.24.12.1598, and its public code.

    python -m transfer.g2g      is      python distill.py --method g2g
"""

from training.loop import Phase
from transfer.command import run
from transfer.job import Method, TransferJob

PUBLISHED = {"content_weight": 1.0, "kd_weight": 1e-3}


def phases(job: TransferJob, *, keep: str = "best") -> list[Phase]:
    """One phase: the transfer. keep: "best" keeps the weights with the best validation metric, "last" the last ones."""
    return [job.phase("transfer", [job.content(), job.imitation()], steps=job.steps, keep=keep)]


METHOD = Method("g2g", teacher="pixel", published=PUBLISHED, phases=phases)

if __name__ == "__main__":
    run(METHOD)
