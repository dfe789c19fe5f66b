"""G2G+AL: G2G, then adversarial learning (AL) of the student. The study's best method.

C + 1e-3 K in the transfer; C + 1e-3 K + 1e-3 A after it. A is the adversarial loss: a new
discriminator learns to tell originals from the student's images. With `--al=after` (the paper) the
adversarial phase follows the transfer; with `--al=jointly` (its code) one phase has all three
terms. The teacher is that of `transfer.g2g`: in the study's G2G+AL.py `Train_only_gen` tunes the
pixel-trained generator for 2,500 updates on content alone, and `Train_and_Distill_only_gen` then
has the three terms at once.

Source: as `transfer.g2g`.

    python -m transfer.g2g_al      is      python distill.py --method g2g_al
"""

from training.loop import Phase
from transfer import g2g
from transfer.command import run
from transfer.job import Method, TransferJob

PUBLISHED = {"content_weight": 1.0, "kd_weight": 1e-3, "adversarial_weight": 1e-3}


def phases(job: TransferJob, *, keep: str = "best") -> list[Phase]:
    """The transfer, then the adversarial phase; or one phase with all terms. keep: of the transfer,
    as in `g2g.phases`.
    """
    transfer = [] if job.jointly else g2g.phases(job, keep=keep)
    steps = job.steps if job.jointly else job.adversarial_steps
    terms = [job.content(), job.imitation(), job.adversarial(steps=steps)]
    return [*transfer, job.phase("adversarial", terms, steps=steps, keep="last")]


METHOD = Method("g2g_al", teacher="content", published=PUBLISHED, phases=phases)

if __name__ == "__main__":
    run(METHOD)
