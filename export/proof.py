"""Does an exported file give what its model gives?

Measured on real images, before the file is kept.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from data.cutting import middle
from evaluation.latency import measure
from evaluation.metrics import psnr
from evaluation.peak_memory import file_peak_memory
from export.graph import float_operations, operations, outside_xnnpack
from inference.engines import KerasEngine, TFLiteEngine
from inference.pixels import to_uint8


@dataclass(frozen=True)
class Limits:
    """What a file may lose.

    max_difference: from Keras, of values in [0, 1]; None is not looked at. max_drop_db: of PSNR on
    Y, below Keras; and below the float student, where the network was trained in its quantised
    form.
    """

    max_difference: float | None
    max_drop_db: float

    @classmethod
    def of(cls, quantize: str, *, max_drop_db: float | None = None) -> "Limits":
        """The default limits: 1e-3 and 0.05 dB for float32, 0.05 dB for float16 and dynamic, 0.15
        dB for int8.
        """
        difference = 1e-3 if quantize == "none" else None
        return cls(difference, max_drop_db if max_drop_db is not None else 0.15 if quantize == "int8" else 0.05)

    def broken_by(self, proof: dict[str, Any]) -> str | None:
        """The reason why a proof is not good enough, or None."""
        difference, drop = proof["max_difference"], proof["psnr_drop_db"]
        if self.max_difference is not None and not difference <= self.max_difference:
            return f"differs from Keras by {difference:.2g} on a real picture, more than {self.max_difference:g}"
        if not drop <= self.max_drop_db:
            return f"loses {drop:.3f} dB against Keras, more than {self.max_drop_db:g} (--max_drop_db)"
        drop = proof.get("drop_from_float_db", 0.0)
        if not drop <= self.max_drop_db:
            return f"loses {drop:.3f} dB against the float student, more than {self.max_drop_db:g} (--max_drop_db)"
        return None


def prove(
    path: Path,
    model: keras.Model,
    pairs: list[tuple[np.ndarray, np.ndarray]],
    *,
    float_student: keras.Model | None = None,
    height: int = 180,
    width: int = 320,
) -> dict[str, Any]:
    """Run real images through the TFLite file (LiteRT) and through `model` (Keras), and look at the
    file.

    pairs: (lr, hr), (h, w, 3) and (scale·h, scale·w, 3) uint8 RGB; a file of fixed size sees their
    middle, continued by reflection where they are smaller. float_student: the network in floats
    that a quantised `model` was trained from, where it is at hand. height, width: of the input that
    is timed, where the file leaves it open.

    Returns JSON values: max_difference and mean_difference, of values in [0, 1]; psnr_db and
    psnr_drop_db (Y, border of `scale` pixels, 8-bit output); with float_student also float_psnr_db
    and drop_from_float_db; operations, outside_xnnpack, share_in_xnnpack, float_operations; at the
    timed size milliseconds and keras_milliseconds (medians) and peak_memory_bytes.
    """
    file, reference = TFLiteEngine(path), KerasEngine(model)
    engines = [file, reference, *([KerasEngine(float_student)] if float_student else [])]
    size = file.fixed_size or (height, width)
    differences, scores = [], []
    for lr, hr in pairs:
        lr, hr = fitted(lr, file.fixed_size), fitted(hr, file.fixed_size, model.scale)
        outputs = [engine(lr[None] / np.float32(255.0))[0] for engine in engines]
        differences.append(np.abs(outputs[0] - outputs[1]))
        scores.append([psnr(hr, to_uint8(sr), border=model.scale) for sr in outputs])
    ours, theirs, *floats = (float(score) for score in np.mean(scores, axis=0))
    times = measure({"file": file, "keras": reference}, height=size[0], width=size[1], repetitions=5, warmup=1)
    return {
        "pictures": len(pairs),
        "max_difference": float(max(d.max() for d in differences)),
        "mean_difference": float(np.mean([d.mean() for d in differences])),
        "psnr_db": ours,
        "psnr_drop_db": theirs - ours,
        **({"float_psnr_db": floats[0], "drop_from_float_db": floats[0] - ours} if floats else {}),
        **_look(path),
        **_cost(file, times["file"], size),
        "keras_milliseconds": round(times["keras"].median_ms, 2),
    }


def prove_copy(path: Path, original: TFLiteEngine, images: list[np.ndarray]) -> dict[str, Any]:
    """Run real images through a file of fixed size and through the one of any size that it was made
    from, and look at the file.

    images: (h, w, 3) uint8 RGB, low-resolution. Returns JSON values:
    max_difference_from_original, of values in [0, 1], and what `prove` tells of the file.
    """
    file = TFLiteEngine(path)
    pairs = [
        (file(lr), original(lr)) for lr in (fitted(lr, file.fixed_size)[None] / np.float32(255.0) for lr in images)
    ]
    height, width = file.fixed_size
    times = measure({"file": file}, height=height, width=width, repetitions=5, warmup=1)
    return {
        "pictures": len(images),
        "max_difference_from_original": float(max(np.abs(ours - theirs).max() for ours, theirs in pairs)),
        **_look(path),
        **_cost(file, times["file"], file.fixed_size),
    }


def _look(path: Path) -> dict[str, Any]:
    """What can be said of a .tflite file without images: its operations, and where they run."""
    content = path.read_bytes()
    names, outside = operations(content), outside_xnnpack(content)
    return {
        "operations": {name: names.count(name) for name in sorted(set(names))},
        "outside_xnnpack": outside,
        "share_in_xnnpack": round(1 - len(outside) / len(names), 3),
        "float_operations": float_operations(content),
    }


def _cost(file, latency, size):
    return {
        "timed_input": list(size),
        "threads": file.threads,
        "milliseconds": round(latency.median_ms, 2),
        "peak_memory_bytes": file_peak_memory(file.path, height=size[0], width=size[1]),
    }


def fitted(image: np.ndarray, size: tuple[int, int] | None, scale: int = 1) -> np.ndarray:
    """The central crop of `size` · scale; an image that is too small is continued by reflection."""
    if size is None:
        return image
    size = [side * scale for side in size]
    missing = [max(0, side - have) for side, have in zip(size, image.shape, strict=False)]
    image = np.pad(image, [(0, missing[0]), (0, missing[1]), (0, 0)], mode="symmetric")
    return middle(image, size, unit=scale)
