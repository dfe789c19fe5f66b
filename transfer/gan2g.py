"""GAN2G: from a GAN-trained teacher generator to the student generator.

The student's loss is that of G2G, C + 1e-3 K; only the teacher differs: it is the one from after its GAN phase, and its picture is the sharper,
less faithful one. No discriminator: what the adversarial phase taught the teacher reaches the student through K alone.

Source: as `transfer.g2g`.

    python -m transfer.gan2g      is      python distill.py --method gan2g
"""

from transfer import g2g
from transfer.g2g import PUBLISHED

TEACHER_PHASE = "adversarial"

__all__ = ["PUBLISHED", "TEACHER_PHASE", "phases"]


def phases(parts):
    """One phase: the transfer."""
    return g2g.phases(parts, keep="last")


if __name__ == "__main__":
    from transfer.command import main

    main("gan2g")
