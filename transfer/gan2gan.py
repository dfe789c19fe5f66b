"""GAN2GAN: GAN2G+AL with a second discriminator, which tells the teacher's images from the
student's.

The student's loss is C + 1e-3 K + 1e-3 A + 1e-3 A2. The discriminator of A takes originals for
real, that of A2 the GAN-trained teacher's images. In the public code the second one was trained,
but never entered the student's loss; here it does. `--al` as in `transfer.g2g_al`.

Source: as `transfer.g2g`.

    python -m transfer.gan2gan      is      python distill.py --method gan2gan
"""

from training.loop import Phase
from transfer import g2g, g2g_al
from transfer.command import run
from transfer.job import Method, TransferJob


def phases(job: TransferJob) -> list[Phase]:
    """The transfer, then the adversarial phase; or one phase with all terms."""
    transfer = [] if job.jointly else g2g.phases(job, keep="last")
    steps = job.steps if job.jointly else job.adversarial_steps
    terms = [job.content(), job.imitation(), job.adversarial(steps=steps), job.second_adversarial(steps=steps)]
    return [*transfer, job.phase("adversarial", terms, steps=steps, keep="last")]


METHOD = Method("gan2gan", teacher="adversarial", published=g2g_al.PUBLISHED, phases=phases)

if __name__ == "__main__":
    run(METHOD)
