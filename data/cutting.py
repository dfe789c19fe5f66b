"""data/cutting.py: parts of images: the middle, an even grid, whole multiples of the scale, what a
pair shares.

Images are (H, W) or (H, W, C) of any type; parts are views, nothing is copied.
"""

import numpy as np

from errors import UserError


def middle(image: np.ndarray, size: tuple[int, int], *, unit: int = 1) -> np.ndarray:
    """The middle of an image, at most `size` (height, width); a shorter side stays whole.

    unit: the part begins at a multiple of it. Given the scale, the parts of HR and of its LR image
    show the same.
    """
    top, left = (max(0, have - side) // unit // 2 * unit for side, have in zip(size, image.shape, strict=False))
    return image[top : top + size[0], left : left + size[1]]


def even_grid(image: np.ndarray, *, counts: tuple[int, int], unit: int = 1) -> list[np.ndarray]:
    """Cut (H, W, 3) into an even grid of views, row by row. counts: of rows and columns. unit:
    sides are multiples of it.
    """
    rows, columns = (_cuts(side // unit, count, unit) for side, count in zip(image.shape[:2], counts, strict=True))
    return [image[top:bottom, left:right] for top, bottom in rows for left, right in columns]


def crop_to_multiple(image: np.ndarray, scale: int) -> np.ndarray:
    """Cut rows off the bottom and columns off the right until both are multiples of scale: a view,
    no copy.

    Raises ValueError where nothing would be left (a side shorter than scale).
    """
    height, width = np.shape(image)[:2]
    if min(height, width) < scale:
        raise ValueError(f"a picture of {height}x{width} pixels is smaller than the scale {scale}")
    return image[: height - height % scale, : width - width % scale]


def fits_scale(hr_side: int, lr_side: int, scale: int) -> bool:
    """Whether a side of hr_side pixels, shrunk by scale and cut or rounded up to whole pixels, has
    lr_side pixels.
    """
    return abs(hr_side - lr_side * scale) < scale


def crop_to_shared(hr: np.ndarray, lr: np.ndarray, *, scale: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(hr, lr) cut at the bottom and right to the part they share, with HR scale times as large.

    Raises UserError, "NAME: reason", where the sizes are no pair of that scale, or where no whole
    LR pixel is shared.
    """
    sides = list(zip(hr.shape[:2], lr.shape[:2], strict=True))
    height, width = (min(large // scale, small) for large, small in sides)
    if not height or not width or not all(fits_scale(large, small, scale) for large, small in sides):
        raise UserError(f"{name}: HR {hr.shape} and LR {lr.shape} do not fit scale {scale}")
    return hr[: height * scale, : width * scale], lr[:height, :width]


def _cuts(side, count, unit):
    edges = [number * side // count * unit for number in range(count + 1)]
    return list(zip(edges[:-1], edges[1:], strict=True))
