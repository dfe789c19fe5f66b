"""Quantisation-aware distillation: the collapsed student in fake 8-bit arithmetic, guided by a network in floats.

The loss is that of G2G, C + 1e-3 K, with the guide in the teacher's place: the student's own float self, whose picture says what rounding
has cost, or the teacher. Weights and ranges learn together, and the ranges learned are the ranges exported.

Sources: Jacob et al., arXiv:1712.05877 (fake quantisation); Polino et al., "Model compression via distillation and quantization",
arXiv:1802.05668 (a guide in floats).

    python distill.py --qat --init=runs/g2g_al
"""

from training.loop import Phase
from transfer.g2g import G2GStep

PUBLISHED = {"kd_weight": 1e-3}  # as G2G


def phases(*, guide, student, average, optimizer, content_loss, kd_weight, steps):
    """One phase. guide: a generator in floats, never changed. student, average: `models.quantized.QuantizedCompact`. The rest as in `Parts`."""
    step = G2GStep(
        teacher=guide,
        student=student,
        optimizer=optimizer,
        content_loss=content_loss,
        weights={"content": 1.0, "imitation": kd_weight},
    )
    return [Phase("qat", step, student, average, steps, optimizers={"student": optimizer})]
