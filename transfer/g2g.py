"""G2G: from a teacher generator that never met a discriminator to the student generator.

The student's loss is C + 1e-3 K: C the content loss against the original, K the squared difference
to the teacher's image in 8-bit levels. The teacher is frozen: the pixel-trained generator, trained
on for 2,500 updates with the content loss alone (train_teacher.py --content_steps=2500). No
discriminator.

Source: Lee and Park, "A Study of Lightening SRGAN Using Knowledge Distillation", J. Korea
Multimedia Society 24(12), 2021, doi:10.9717/kmms.2021.24.12.1598. Its code,
github.com/vennie2lee/Knowledge-Distillation-for-Discriminator-in-SRGAN, has no script for G2G; that
the teacher is the one which its G2G+AL.py trains is inferred.

    python -m transfer.g2g      is      python distill.py --method g2g
"""

from training.loop import Phase
from transfer.command import run
from transfer.job import Method, TransferJob

PUBLISHED = {"content_weight": 1.0, "kd_weight": 1e-3}


def phases(job: TransferJob, *, keep: str = "best") -> list[Phase]:
    """One phase: the transfer. keep: "best" keeps the weights with the best validation metric,
    "last" the last ones.
    """
    return [job.phase("transfer", [job.content(), job.imitation()], steps=job.steps, keep=keep)]


METHOD = Method("g2g", teacher="content", published=PUBLISHED, phases=phases)

if __name__ == "__main__":
    run(METHOD)
