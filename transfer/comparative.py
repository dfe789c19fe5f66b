"""Comparative: the student copies the teacher's image, and nothing else counts.

The student's loss is MSE(T, S), for the GAN-trained teacher, in 8-bit levels squared as its source
has them. The original is not looked at in training; validation still measures against it.

Source: the public compressed ESRGAN (captain-pool/GSOC), after Aguinaldo et al., "Compressing GANs
using Knowledge Distillation", arXiv:1902.00159, section 3.1.

    python -m transfer.comparative      is      python distill.py --method comparative
"""

from training.loop import Phase
from transfer.command import run
from transfer.job import Method, TransferJob


def phases(job: TransferJob) -> list[Phase]:
    """One phase: the transfer."""
    return [job.phase("transfer", [job.imitation()], steps=job.steps, keep="last")]


METHOD = Method("comparative", teacher="adversarial", published={"kd_weight": 1.0}, phases=phases)

if __name__ == "__main__":
    run(METHOD)
