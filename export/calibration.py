"""The pictures that set the ranges of an int8 file."""

import numpy as np

from inference.engines import KerasEngine

DEFAULT_SIZE = 64


def calibration_pictures(model, pictures, *, height=None, width=None, count=64, seed=0):
    """Low-resolution crops for calibration: real ones, the model's own outputs, and the ends of the range.

    pictures: non-empty list of (h, w, 3) uint8 low-resolution pictures; crops are drawn by `seed`, of height × width, or 64 × 64
    where the file takes any size. The model's outputs, sharper than what it was trained on, are there because people upscale what is sharp
    already. Black and white pin the
    input's range to [0, 1]. Returns a list of (1, h, w, 3) float32 in [0, 1].
    """
    size = (height or DEFAULT_SIZE, width or DEFAULT_SIZE)
    rng = np.random.default_rng(seed)
    engine = KerasEngine(model)
    crops = [np.full((1, *size, 3), value, np.float32) for value in (0.0, 1.0)]
    for i in range(count):
        real = _crop(pictures[i % len(pictures)], size, rng)
        crops.append(real)
        if i % 4 == 0:
            crops.append(_crop((engine(real)[0] * 255).astype(np.uint8), size, rng))
    return crops


def _crop(picture, size, rng):
    missing = [max(0, side - have) for side, have in zip(size, picture.shape, strict=False)]
    picture = np.pad(picture, [(0, missing[0]), (0, missing[1]), (0, 0)], mode="symmetric")
    top, left = (rng.integers(have - side + 1) for side, have in zip(size, picture.shape, strict=False))
    return picture[None, top : top + size[0], left : left + size[1]] / np.float32(255.0)
