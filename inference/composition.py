"""Engines made of engines: an average over orientations, and the input's own colours.

Each works on a window as a network does, and states its receptive field; so tiling stays exact with
them.
"""

import numpy as np
from scipy import ndimage

from data.orientations import ORIENTATIONS, inverse_orient, orient
from errors import UserError
from inference.engines import Engine

_SIGMA = 2.5  # LR pixels: coarser than any detail a network adds, finer than a cast of colour
_RADIUS = 8


class SelfEnsemble(Engine):
    """The mean of an engine's results for all eight orientations of its input (EDSR,
    arXiv:1707.02921, section 3.4).
    """

    def __init__(self, engine: Engine):
        """Raises UserError for an engine of a fixed size that is not square: it could not take a
        turned image.
        """
        if engine.fixed_size and engine.fixed_size[0] != engine.fixed_size[1]:
            raise UserError(
                f"--self_ensemble: the network takes {engine.fixed_size[1]}x{engine.fixed_size[0]} pixels only, and a "
                "turned picture has another form; use a network of dynamic or square size"
            )
        self._engine, self.scale, self.fixed_size = engine, engine.scale, engine.fixed_size
        self.receptive_field, self.alignment = engine.receptive_field, engine.alignment
        # the sum, and one result more than the engine alone
        self.bytes_per_pixel = engine.bytes_per_pixel + 24 * engine.scale**2

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        """See `Engine`."""
        _, height, width, _ = lr.shape
        # Turned or not, blocks of the network begin where those of the whole image do.
        missing = [(0, -side % self.alignment) for side in (height, width)]
        lr = np.pad(lr, [(0, 0), *missing, (0, 0)], mode="reflect")
        total = 0.0
        for k in range(ORIENTATIONS):
            total = total + inverse_orient(self._engine(np.ascontiguousarray(orient(lr, k))), k)
        return total[:, : height * self.scale, : width * self.scale] / np.float32(ORIENTATIONS)


class PreservedColour(Engine):
    """An engine whose result has the input's low frequencies: details from the network, colours
    from the input.

    sr + enlarge(blur(lr - shrink(sr))), with shrink the mean of each s×s block, blur a Gaussian of
    2.5 LR pixels and enlarge bilinear.
    """

    def __init__(self, engine: Engine):
        self._engine, self.scale, self.fixed_size = engine, engine.scale, engine.fixed_size
        self.receptive_field = engine.receptive_field + _RADIUS + 1
        self.alignment = engine.alignment
        self.bytes_per_pixel = engine.bytes_per_pixel + 48 * engine.scale**2

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        """See `Engine`."""
        sr, (_, height, width, _) = self._engine(lr), lr.shape
        shrunk = sr.reshape(height, self.scale, width, self.scale, 3).mean(axis=(1, 3))
        missing = lr[0] - shrunk
        for axis in (0, 1):
            missing = ndimage.gaussian_filter1d(missing, _SIGMA, axis=axis, radius=_RADIUS, mode="nearest")
        for axis in (0, 1):
            missing = _enlarge(missing, self.scale, axis)
        return np.clip(sr + missing, 0.0, 1.0)


def _enlarge(plane, scale, axis):
    """Bilinear along one axis, pixel centres at half-integers, the border pixel repeated.

    (h, w, 3) float32.
    """
    length = plane.shape[axis]
    places = (np.arange(length * scale, dtype=np.float32) + 0.5) / scale - 0.5
    first = np.floor(places).astype(int)
    shape = [1, 1, 1]
    shape[axis] = -1
    share = (places - first).astype(np.float32).reshape(shape)
    low = plane.take(np.clip(first, 0, length - 1), axis)
    high = plane.take(np.clip(first + 1, 0, length - 1), axis)
    return low + share * (high - low)
