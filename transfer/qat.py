"""Quantisation-aware distillation: the collapsed student in fake 8-bit arithmetic, guided by a network in floats.

The loss is that of G2G, C + 1e-3 K, with the guide in the teacher's place: the student's own float self, whose picture says what rounding
has cost, or the teacher. Weights and ranges learn together, and the ranges learned are the ranges exported.

Sources: Jacob et al., arXiv:1712.05877 (fake quantisation); Polino et al., "Model compression via distillation and quantization",
arXiv:1802.05668 (a guide in floats).

    python distill.py --qat --init=runs/g2g_al
"""

from transfer.g2g import PUBLISHED, G2GStep
from transfer.parts import transfer_phase

__all__ = ["PUBLISHED", "phases"]


def phases(parts):
    """One phase. parts.teacher: the guide, a generator in floats; parts.student, parts.average: `models.quantized.QuantizedCompact`."""
    step = G2GStep(
        teacher=parts.teacher,
        student=parts.student,
        optimizer=parts.new_optimizer(parts.student, parts.steps),
        content_loss=parts.content_loss,
        weights={"content": parts.content_weight, "imitation": parts.kd_weight},
    )
    return [transfer_phase(parts, step, name="qat")]
