"""data/orientations.py: the eight orientations of a square (four quarter turns, each also
mirrored).

Used to draw training crops in any orientation and, with the inverse, to average a network over all
eight (geometric self-ensemble, EDSR, arXiv:1707.02921, section 3.4). Bicubic downscaling commutes
with all of them.
"""

import numpy as np

ORIENTATIONS = 8


def orient(image: np.ndarray, k: int) -> np.ndarray:
    """Mirror left to right if k >= 4, then turn by k % 4 quarters counter-clockwise.

    image: (..., H, W, C), any type. Returns a view, (..., W, H, C) for odd k. ValueError for k
    outside 0..7.
    """
    _check(k)
    if k >= 4:
        image = image[..., ::-1, :]
    return np.rot90(image, k % 4, axes=(-3, -2))


def inverse_orient(image: np.ndarray, k: int) -> np.ndarray:
    """Undo `orient(image, k)`: same shapes and types."""
    _check(k)
    image = np.rot90(image, -(k % 4), axes=(-3, -2))
    return image[..., ::-1, :] if k >= 4 else image


def _check(k):
    if k not in range(ORIENTATIONS):
        raise ValueError(f"orientation {k!r}; expected a whole number from 0 to 7")
