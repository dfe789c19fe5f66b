"""Quantisation-aware distillation: the collapsed student in fake 8-bit arithmetic, guided by a
network in floats.

The loss is that of G2G, C + 1e-3 K, with the guide in the teacher's place: the student's own float
self, whose image says what rounding has cost, or the teacher. Weights and ranges learn together,
and the ranges learned are the ranges exported.

Sources: Jacob et al., arXiv:1712.05877 (fake quantisation); Polino et al., "Model compression via
distillation and quantization", arXiv:1802.05668 (a guide in floats).

    python distill.py --qat --init=runs/g2g_al
"""

from pathlib import Path

from data import PictureStore
from errors import UserError
from export.calibration import calibration_pictures, spread
from models.quantized import QuantizedCompact
from training.loop import Phase
from transfer.job import Method, TransferJob
from transfer.teacher import load_in_float32

# The weights are those of G2G. A finished student keeps small steps.
PUBLISHED = {"content_weight": 1.0, "kd_weight": 1e-3, "optimizer": "adam", "learning_rate": 5e-4}


def phases(job: TransferJob) -> list[Phase]:
    """One phase. job.teacher: the guide, a generator in floats; job.model: a
    `models.quantized.QuantizedCompact`.
    """
    return [job.phase("qat", [job.content(), job.imitation()], steps=job.steps)]


METHOD = Method("qat", teacher="pixel", published=PUBLISHED, phases=phases)


def quantised_student(file: Path, store: PictureStore, seed: int) -> QuantizedCompact:
    """The compact student in `file` in fake 8-bit arithmetic.

    Raises UserError for another network.
    """
    student = load_in_float32(file)
    if not hasattr(student, "fuse"):
        raise UserError(f"--init={file}: holds a {type(student).__name__}; --qat is for the compact students")
    pictures = [store.lr(i) for i in spread(range(len(store)))]
    return QuantizedCompact.of(student, calibration_pictures(student, pictures, seed=seed))
