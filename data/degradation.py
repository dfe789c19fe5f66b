"""data/degradation.py: how a data set that has originals only makes its low-resolution pictures.

LR pictures are made once, when a picture is decoded, not anew for each batch. `real` costs about a quarter of a
second per megapixel: 16 crops of 192x192 for every batch would keep a processor core busy longer than a small
student's whole update takes, and a GPU would wait. The price is variety: a place always looks the same. So that a
photograph does not teach one degradation only, `real` cuts training pictures into tiles, and degrades each in a way
of its own, a pure function of (seed, number of the picture, number of the tile); crops are then drawn inside tiles.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from data.bicubic import crop_to_multiple, downscale
from data.real_degradation import degrade_as_in_the_wild
from errors import UserError
from settings.training import DEGRADATIONS

_LR_SIGMA = (0.1, 2.0)  # of "blur_lr", in LR pixels; its kernel has a radius of 12
_LR_RADIUS = 12
_DRAWN = ("blur_lr", "real")
_TILE = 96  # LR pixels; tiles have 96 to 191 to a side, which every usual patch fits into


@dataclass(frozen=True)
class Degradation:
    """Makes LR pictures of HR pictures.

    name: "bicubic": MATLAB's, as published figures have it. "blur": a Gaussian of standard deviation 0.4 * scale HR
    pixels (1.6 at scale 4), then bicubic. "blur_lr": bicubic, then a Gaussian on the LR picture, 25 pixels to a side, of a
    standard deviation drawn for each picture from 0.1 to 2 LR pixels, as torchvision's GaussianBlur(25) does it (the public
    face SRGAN, github.com/tymonhuchla/srgan-pytorch). "real": see data.real_degradation. scale: HR pixels per LR pixel
    along a side. seed: of "blur_lr" and "real"; the others ignore it.

    At scale 1 "bicubic" leaves a picture as it is. Raises UserError for another name.
    """

    name: str
    scale: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name not in DEGRADATIONS:
            raise UserError(f"--degradation={self.name}: expected {', '.join(DEGRADATIONS)}")

    def __str__(self) -> str:
        """For descriptions: "MATLAB bicubic x4"."""
        kind = {
            "bicubic": "MATLAB bicubic",
            "blur": f"Gaussian blur {self.sigma:g} px, bicubic",
            "blur_lr": f"MATLAB bicubic, then Gaussian blur {_LR_SIGMA[0]:g} to {_LR_SIGMA[1]:g} px",
            "real": "second-order",
        }
        return f"{kind[self.name]} x{self.scale}" + (f", seed {self.seed}" if self.name in _DRAWN else "")

    @property
    def sigma(self) -> float:
        """Standard deviation of "blur" in HR pixels."""
        return 0.4 * self.scale

    @property
    def options(self) -> dict[str, Any]:
        """What a fingerprint has to hold beside the scale. Empty for "bicubic"."""
        return {
            "bicubic": {},
            "blur": {"blur": self.sigma},
            "blur_lr": {"blur_lr": self.seed, "sigma": _LR_SIGMA},
            "real": {"real": self.seed, "tile": _TILE},
        }[self.name]

    def tiles(self, split: str) -> bool:
        """Whether the pictures of a split, "train" or "validation", are cut into tiles."""
        return self.name == "real" and split == "train"

    def pairs(
        self, name: str, hr: np.ndarray, *, index: int, split: str
    ) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yield (name, hr, lr) of one picture: a single pair, or one for each tile.

        hr: (H, W, 3) uint8, cropped here at the bottom and right to a multiple of scale. index: the picture's number
        in its data set, files that cannot be used counted. Raises ValueError for a picture smaller than scale.
        """
        hr = crop_to_multiple(hr, self.scale)
        if not self.tiles(split):
            yield name, hr, self.lr(hr, index=(index, 0))
            return
        for number, tile in enumerate(_tiles(hr, self.scale)):
            yield f"{name} tile {number}", tile, self.lr(tile, index=(index, number))

    def lr(self, hr: np.ndarray, *, index: tuple[int, int] = (0, 0)) -> np.ndarray:
        """(H, W, 3) uint8 to (H / scale, W / scale, 3) uint8; index: numbers that chance draws by, beside the seed."""
        if self.name == "bicubic":
            return downscale(hr, self.scale)
        if self.name == "blur":
            return downscale(_gaussian_blur(hr, self.sigma, mode="reflect", truncate=4.0), self.scale)
        rng = np.random.default_rng([self.seed, *index])
        if self.name == "blur_lr":
            sigma = rng.uniform(*_LR_SIGMA)
            return _gaussian_blur(downscale(hr, self.scale), sigma, mode="mirror", radius=_LR_RADIUS)
        return degrade_as_in_the_wild(hr, scale=self.scale, rng=rng)


def _gaussian_blur(picture, sigma, **how):
    """A uint8 picture under a Gaussian, rounded half-up. how: its borders and its size, of `ndimage.gaussian_filter`."""
    blurred = ndimage.gaussian_filter(picture.astype(np.float32), sigma, axes=(0, 1), **how)
    return np.clip(blurred + 0.5, 0, 255).astype(np.uint8)


def _tiles(hr, scale):
    """Cut (H, W, 3) into an even grid of views, row by row.

    Their sides are multiples of scale, and at least _TILE * scale where the picture has that.
    """
    rows, columns = (_cuts(side // scale, scale) for side in hr.shape[:2])
    return [hr[top:bottom, left:right] for top, bottom in rows for left, right in columns]


def _cuts(lr_side, scale):
    count = max(1, lr_side // _TILE)
    edges = [number * lr_side // count * scale for number in range(count + 1)]
    return list(zip(edges[:-1], edges[1:], strict=True))
