"""Between the pixels of files, unsigned integers over their full range, and those of networks,
float32 in [0, 1].
"""

import numpy as np

from data.image_pixels import LUMA
from errors import UserError

# Rows converted in one go: few enough to stay in the processor's cache.
_ROWS_AT_A_TIME = 32


def as_float(pixels: np.ndarray) -> np.ndarray:
    """Pixels of any shape as float32: floats as they are, unsigned integers from their full range
    to [0, 1].
    """
    if np.issubdtype(pixels.dtype, np.unsignedinteger):
        return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return pixels.astype(np.float32, copy=False)


def to_uint8(pixels: np.ndarray) -> np.ndarray:
    """Floats to 8 bits, clipped to [0, 1] and rounded half up, as MATLAB rounds.

    Any shape to the same.

    For measures of quality; `store` is for results, and refuses NaN.
    """
    return np.floor(np.clip(pixels, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def store(target: np.ndarray, sr: np.ndarray) -> None:
    """Write sr (h, w, 3), float32 in [0, 1] or uint8, into target, (h, w, 3) or (h, w) grey, as
    target's type.

    Integers span their full range and are rounded half up. Grey is the luma. Raises UserError on
    NaN.
    """
    if sr.dtype == target.dtype == np.uint8 and target.ndim == 3:
        target[:] = sr  # a network in 8 bits has done it all
        return
    for first in range(0, len(sr), _ROWS_AT_A_TIME):
        rows = slice(first, first + _ROWS_AT_A_TIME)
        _store_rows(target[rows], as_float(sr[rows]))


def _store_rows(target, rows):
    if target.ndim == 2:
        rows = np.minimum(rows @ LUMA, 1.0)  # the weights can add up to a rounding error more than 1
    if np.isnan(rows.sum()):  # one NaN makes the sum NaN; stored as an integer it would be a silent black
        raise UserError("the network's output holds NaN: its weights are damaged or its training diverged")
    if np.issubdtype(target.dtype, np.integer):
        rows = rows * np.float32(np.iinfo(target.dtype).max)
        rows += np.float32(0.5)  # what assignment then cuts off is the fraction
    np.copyto(target, rows, casting="unsafe")
