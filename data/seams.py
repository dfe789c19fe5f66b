"""data/seams.py: the seams that JPEG leaves between its blocks of 8x8 pixels: how strong they are,
and whether an image shows them.
"""

import math

import numpy as np

BLOCK = 8
ENOUGH = (1024, 1024)  # height and width: more need not be looked at to see blocks
LEAST_SIDE = BLOCK + 3  # pixels: one period of steps, each with one beside it on either side

_TRACE = 0.4  # levels, added to both sides of a ratio: a flat image has 1, and what nobody sees does not count
# The ratio from which on blocks are seen. Kodak's 24 images have at most 1.03; as JPEG of quality
# 75 half of them have more than 1.44.
_SEEN = 1.4
_CONTOUR = 12.0  # levels: what stands out further is drawn, such as a line or a QR code; seams of JPEG are weaker
_LEAST_JUDGED = 64  # pixels a side


def block_seams(plane: np.ndarray, *, scale: int = 1) -> float:
    """How much stronger steps across the borders of 8x8 blocks are than other steps; about 1 where
    there are no seams.

    plane (H, W), luma in levels of 255. scale: output pixels for each pixel of the JPEG image. Its
    blocks begin at the top left, so their borders lie every 8 * scale pixels.

    A step is the mean of the `scale` pixels behind a place less that of the `scale` pixels before
    it, along a row or a column. Places are the multiples of `scale`: the grid that an upscaler
    draws with this period counts for nothing. A step stands out by its distance from the mean of
    the two steps beside it; a place is as strong as its steps stand out, on average along the
    image, plus 0.4 levels. The ratio is the geometric mean of the borders' strength over that of
    the seven other places in each period: one contour decides little. The measure is the mean of
    rows and columns.

    Source: Wang, Sheikh, Bovik: "No-reference perceptual quality assessment of JPEG compressed
    images", ICIP 2002, compare plain steps so. How far a step stands out depends less on what the
    image shows.

    Raises ValueError for a side of less than 11 * scale pixels.
    """
    return sum(float(_by_offset(part, scale, math.inf)[0]) for part in (plane, plane.T)) / 2


def shows_blocks(plane: np.ndarray) -> bool:
    """Whether an image shows the blocks of JPEG, also after it was decoded and cropped.

    The measure is that of `block_seams` at the best of 8 offsets, without steps that stand out by
    more than 12 levels. Rows and columns both have to show blocks.

    plane (H, W): luma in levels of 255; the middle of size ENOUGH will do. False for a side of less
    than 64 pixels.
    """
    if min(plane.shape) < _LEAST_JUDGED:
        return False
    return min(float(_by_offset(part, 1, _CONTOUR).max()) for part in (plane, plane.T)) > _SEEN


def _by_offset(plane, scale, most):
    """(8,) ratios between columns, the n-th of a grid whose borders lie at n, n + 8 and so on, in
    units of scale; steps above `most` left out.
    """
    rows, columns = plane.shape[0], plane.shape[1] // scale
    if min(rows // scale, columns) < LEAST_SIDE:
        raise ValueError(f"{plane.shape[1]}x{plane.shape[0]}: block seams take {LEAST_SIDE * scale} pixels a side")
    means = plane[:, : columns * scale].reshape(rows, columns, scale).mean(axis=2)
    steps = np.diff(means, axis=1)
    out = np.abs(steps[:, 1:-1] - (steps[:, :-2] + steps[:, 2:]) / 2)  # the first at place 2
    counted = out <= most
    strength = (out * counted).sum(axis=0) / np.maximum(counted.sum(axis=0), 1) + _TRACE
    periods = np.log(strength[: len(strength) // BLOCK * BLOCK]).reshape(-1, BLOCK)
    means = periods.mean(axis=0)
    return np.roll(np.exp(means - (means.sum() - means) / (BLOCK - 1)), 2)
