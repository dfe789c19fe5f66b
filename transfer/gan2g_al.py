"""GAN2G+AL: from a GAN-trained teacher generator to the student generator, and adversarial learning
(AL) of the student.

The student's loss is that of G2G+AL, C + 1e-3 K + 1e-3 A; only the teacher differs: it is the one
from after its GAN phase. `--al` as in `transfer.g2g_al`.

Source: as `transfer.g2g`.

    python -m transfer.gan2g_al      is      python distill.py --method gan2g_al
"""

from training.loop import Phase
from transfer import g2g_al
from transfer.command import run
from transfer.job import Method, TransferJob


def phases(job: TransferJob) -> list[Phase]:
    """As `g2g_al.phases`; the transfer too keeps its last weights."""
    return g2g_al.phases(job, keep="last")


METHOD = Method("gan2g_al", teacher="adversarial", published=g2g_al.PUBLISHED, phases=phases)

if __name__ == "__main__":
    run(METHOD)
