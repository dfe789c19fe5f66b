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

_TILE = 96  # LR pixels; tiles have 96 to 191 to a side, which every usual patch fits into


@dataclass(frozen=True)
class Degradation:
    """Makes LR pictures of HR pictures.

    name: "bicubic": MATLAB's, as published figures have it. "blur": a Gaussian of standard deviation 0.4 * scale HR
    pixels (1.6 at scale 4), then bicubic. "real": see data.real_degradation. scale: HR pixels per LR pixel along a
    side. seed: of "real"; the others ignore it.

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
            "real": "second-order",
        }
        return f"{kind[self.name]} x{self.scale}" + (f", seed {self.seed}" if self.name == "real" else "")

    @property
    def sigma(self) -> float:
        """Standard deviation of "blur" in HR pixels."""
        return 0.4 * self.scale

    @property
    def options(self) -> dict[str, Any]:
        """What a fingerprint has to hold beside the scale. Empty for "bicubic"."""
        return {"bicubic": {}, "blur": {"blur": self.sigma}, "real": {"real": self.seed, "tile": _TILE}}[self.name]

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
        """(H, W, 3) uint8 to (H / scale, W / scale, 3) uint8; index: numbers that "real" draws its chain by, beside the seed."""
        if self.name == "bicubic":
            return downscale(hr, self.scale)
        if self.name == "blur":
            return downscale(_gaussian_blur(hr, self.sigma), self.scale)
        return degrade_as_in_the_wild(hr, scale=self.scale, rng=np.random.default_rng([self.seed, *index]))


def _gaussian_blur(picture, sigma):
    """A uint8 picture under a Gaussian cut off at 4 sigma, borders mirrored, rounded half-up."""
    blurred = ndimage.gaussian_filter(picture.astype(np.float32), (sigma, sigma, 0), mode="reflect", truncate=4.0)
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
