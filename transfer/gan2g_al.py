"""GAN2G+AL: from a GAN-trained teacher generator to the student generator, and adversarial learning (AL) of the student.

The student's loss is that of G2G+AL, C + 1e-3 K + 1e-3 A, with a new discriminator of the student's own; only the teacher differs: it is the one from
after its GAN phase. `--al` as in `transfer.g2g_al`.

Source: as `transfer.g2g`.

    python -m transfer.gan2g_al      is      python distill.py --method gan2g_al
"""

from transfer import g2g_al
from transfer.g2g_al import PUBLISHED

TEACHER_PHASE = "adversarial"

__all__ = ["PUBLISHED", "TEACHER_PHASE", "phases"]


def phases(parts):
    """As `g2g_al.phases`; the transfer too keeps its last weights."""
    return g2g_al.phases(parts, keep="last")


if __name__ == "__main__":
    from transfer.command import main

    main("gan2g_al")
