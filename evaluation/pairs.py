"""Benchmarks as pairs of pictures: from a folder of originals, or ready-made."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.bicubic import crop_to_multiple, downscale
from data.images import list_images, read_rgb
from errors import UserError

_APPENDED = r"([-_. ]|x\d).*"  # what upscalers and data sets put behind the name of a picture: _x4, x4, -sr


class Pair(NamedTuple):
    """One benchmark picture: lr (h, w, 3) and hr (s*h, s*w, 3), both uint8."""

    name: str
    lr: np.ndarray
    hr: np.ndarray


class FolderPairs:
    """The pictures of a folder as pairs, made one at a time while iterating; can be iterated again."""

    def __init__(self, folder, *, scale):
        """Raises UserError when the folder is missing."""
        self._paths, self._scale = list_images(folder), scale

    def __len__(self):
        return len(self._paths)

    def __iter__(self):
        for path in self._paths:
            hr = read_rgb(path)
            if min(hr.shape[:2]) < self._scale:
                raise UserError(f"{path}: {hr.shape[1]}x{hr.shape[0]} cannot be brought down by {self._scale}")
            hr = crop_to_multiple(hr, self._scale)
            yield Pair(path.stem, downscale(hr, self._scale), hr)


class GivenPairs:
    """Ready-made (name, hr, lr) as pairs; can be iterated again if `triples` can."""

    def __init__(self, triples, *, scale):
        self._triples, self._scale = triples, scale

    def __iter__(self):
        for name, hr, lr in self._triples:
            yield aligned_pair(name, hr, lr, scale=self._scale)


def load_pairs(source, *, scale):
    """A benchmark: an iterable of `Pair`, made lazily.

    source: a folder of HR pictures, cropped to a multiple of `scale` and brought down by MATLAB's bicubic; or an
    iterable of (name, hr, lr), uint8 RGB, where hr is cropped to `scale` times lr.
    Raises UserError as pictures are read.
    """
    if isinstance(source, (str, Path)):
        return FolderPairs(source, scale=scale)
    return GivenPairs(source, scale=scale)


def aligned_pair(name, hr, lr, *, scale):
    """A Pair with hr cropped to `scale` times lr. Raises UserError when the two do not belong together."""
    height, width = lr.shape[0] * scale, lr.shape[1] * scale
    surplus = (hr.shape[0] - height, hr.shape[1] - width)  # what cropping to a multiple of the scale takes off
    if not all(0 <= rest < scale for rest in surplus):
        raise UserError(
            f"{name}: its LR picture of {lr.shape[1]}x{lr.shape[0]} does not belong to an HR picture "
            f"of {hr.shape[1]}x{hr.shape[0]} at scale {scale}"
        )
    return Pair(name, lr, hr[:height, :width])


def find_picture(files, name, *, folder):
    """The file of that name, or of that name with something appended: img_001.png, img_001_x4.png, 0801x4.png; None if there is none.

    Raises UserError naming `folder` when several could be meant.
    """
    exact = [path for path in files if path.stem == name]
    found = exact or [path for path in files if re.fullmatch(re.escape(name) + _APPENDED, path.stem)]
    if len(found) > 1:
        raise UserError(f"{folder}: {found[0].name} and {found[1].name} could both be {name}; keep one of them")
    return found[0] if found else None
