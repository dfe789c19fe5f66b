"""GAN2G: from a GAN-trained teacher generator to the student generator.

The student's loss is that of G2G, C + 1e-3 K; only the teacher differs: it is the one from after
its GAN phase, whose image is sharper and less faithful. No discriminator: what the adversarial
phase taught the teacher reaches the student through K alone.

Source: as `transfer.g2g`.

    python -m transfer.gan2g      is      python distill.py --method gan2g
"""

from training.loop import Phase
from transfer import g2g
from transfer.command import run
from transfer.job import Method, TransferJob


def phases(job: TransferJob) -> list[Phase]:
    """One phase: the transfer.

    It keeps its last weights, since growing like a GAN-trained teacher lowers PSNR.
    """
    return g2g.phases(job, keep="last")


METHOD = Method("gan2g", teacher="adversarial", published=g2g.PUBLISHED, phases=phases)

if __name__ == "__main__":
    run(METHOD)
