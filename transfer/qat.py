"""Quantisation-aware distillation: the collapsed student in fake 8-bit arithmetic, guided by a network in floats.

The loss is that of G2G, C + 1e-3 K, with the guide in the teacher's place: the student's own float self, whose image says what rounding has
cost, or the teacher. Weights and ranges learn together, and the ranges learned are the ranges exported.

Sources: Jacob et al., arXiv:1712.05877 (fake quantisation); Polino et al., "Model compression via distillation and quantization",
arXiv:1802.05668 (a guide in floats).

    python distill.py --qat --init=runs/g2g_al
"""

from training.loop import Phase
from transfer.job import Method, TransferJob

PUBLISHED = {"content_weight": 1.0, "kd_weight": 1e-3}  # of G2G


def phases(job: TransferJob) -> list[Phase]:
    """One phase. job.teacher: the guide, a generator in floats; job.model: a `models.quantized.QuantizedCompact`."""
    return [job.phase("qat", [job.content(), job.imitation()], steps=job.steps)]


METHOD = Method("qat", teacher="pixel", published=PUBLISHED, phases=phases)
