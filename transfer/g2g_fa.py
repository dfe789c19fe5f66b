"""G2G with feature affinity (FA): G2G, and the student's features relate the parts of an image as
the teacher's do.

The student's loss is C + 1e-3 K + 1e-3 F, F the mean absolute difference between the two networks'
matrices of cosines between the features at every two places of a crop, so that the networks need
not be equally wide. The features are those from which each network makes its image.

Source: He et al., "FAKD: Feature-Affinity Based Knowledge Distillation for Efficient Image
Super-Resolution", ICIP 2020, which compares several layers of two deep networks with L1 terms
beside; here the terms beside are G2G's, one layer is compared, and the weight is our choice.

    python -m transfer.g2g_fa      is      python distill.py --method g2g_fa
"""

from training.loop import Phase
from transfer.command import run
from transfer.job import Method, TransferJob

PUBLISHED = {"content_weight": 1.0, "kd_weight": 1e-3, "affinity_weight": 1e-3}


def phases(job: TransferJob) -> list[Phase]:
    """One phase: the transfer."""
    return [job.phase("transfer", [job.content(), job.imitation(), job.affinity()], steps=job.steps)]


METHOD = Method("g2g_fa", teacher="content", published=PUBLISHED, phases=phases)

if __name__ == "__main__":
    run(METHOD)
