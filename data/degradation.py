"""data/degradation.py: how a data set that has originals only makes its low-resolution images.

LR images are made once, when an image is decoded, not anew for each batch. `real` costs about a
quarter of a second per megapixel: 16 crops of 192x192 for every batch would keep a processor core
busy longer than a small student's whole update takes, and a GPU would wait. So that a photograph
does not teach one degradation only, `real` and `photo` cut training images into tiles and degrade
each in a way of its own; crops are then drawn inside tiles. So that a place does not always look
the same, several LR images can be made of each tile. Each is a pure function of (seed, number of
the image, number of the tile, number of the draw).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from data.bicubic import downscale
from data.cutting import crop_to_multiple, even_grid
from data.degrading_steps import gaussian_blur
from data.image_pixels import round_levels
from data.photo_degradation import degrade_as_phones_do
from data.real_degradation import degrade_as_in_the_wild
from errors import UserError
from settings.pictures import DEGRADATIONS

_LR_SIGMA = (0.1, 2.0)  # of "blur_lr", in LR pixels; its kernel has a radius of 12
_LR_RADIUS = 12
_DRAWN = ("blur_lr", "real", "photo")
_TILED = ("real", "photo")
_TILE = 96  # LR pixels; tiles have 96 to 191 to a side, which every usual patch fits into


@dataclass(frozen=True)
class Degradation:
    """Makes LR images of HR images.

    name: "bicubic": MATLAB's, as published figures have it. "blur": a Gaussian of standard
    deviation 0.4 * scale HR pixels (1.6 at scale 4), then bicubic. "blur_lr": bicubic, then a
    Gaussian on the LR image, 25 pixels to a side, of a standard deviation drawn for each image from
    0.1 to 2 LR pixels, as torchvision's GaussianBlur(25) does it (the public face SRGAN,
    github.com/tymonhuchla/srgan-pytorch). "real": see data.real_degradation. "photo": see
    data.photo_degradation. scale: HR pixels per LR pixel along a side. seed: of what is drawn;
    "bicubic" and "blur" ignore it. draws: how many LR images are made of each training image or
    tile.

    At scale 1 "bicubic" leaves an image as it is. Raises UserError for another name, and for
    several draws of what is not drawn.
    """

    name: str
    scale: int
    seed: int = 0
    draws: int = 1

    def __post_init__(self) -> None:
        if self.name not in DEGRADATIONS:
            raise UserError(f"--degradation={self.name}: expected {', '.join(DEGRADATIONS)}")
        if self.draws > 1 and self.name not in _DRAWN:
            raise UserError(
                f"--degradation_draws={self.draws}: --degradation={self.name} makes the same image every time; leave it at 1, "
                f"or choose --degradation={'|'.join(_DRAWN)}"
            )

    def __str__(self) -> str:
        """For descriptions: "MATLAB bicubic x4"."""
        kind = {
            "bicubic": "MATLAB bicubic",
            "blur": f"Gaussian blur {self.sigma:g} px, bicubic",
            "blur_lr": f"MATLAB bicubic, then Gaussian blur {_LR_SIGMA[0]:g} to {_LR_SIGMA[1]:g} px",
            "real": "second-order",
            "photo": "phone and web",
        }
        drawn = f", seed {self.seed}" if self.name in _DRAWN else ""
        return f"{kind[self.name]} x{self.scale}{drawn}" + (f", {self.draws} draws" if self.draws > 1 else "")

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
            "photo": {"photo": self.seed, "tile": _TILE},
        }[self.name] | ({"draws": self.draws} if self.draws > 1 else {})

    def of(self, split: str) -> "Degradation":
        """That of a split: validation images have one draw each."""
        return self if split == "train" else replace(self, draws=1)

    def count(self, images: int, split: str) -> int | None:
        """How many pairs `pairs` makes of so many images; None where that depends on their
        sizes.
        """
        return None if self.tiles(split) else images * self.draws

    def tiles(self, split: str) -> bool:
        """Whether the images of a split, "train" or "validation", are cut into tiles."""
        return self.name in _TILED and split == "train"

    def pairs(
        self, name: str, hr: np.ndarray, *, index: int, split: str
    ) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yield (name, hr, lr) of one image: one for each tile, or of the whole, and for each draw
        of it in turn.

        hr: (H, W, 3) uint8, cropped here at the bottom and right to a multiple of scale. index: the
        image's number in its data set, files that cannot be used counted. Raises ValueError for an
        image smaller than scale.
        """
        hr = crop_to_multiple(hr, self.scale)
        tiles = _tiles(hr, self.scale) if self.tiles(split) else [hr]
        for number, tile in enumerate(tiles):
            label = f"{name} tile {number}" if self.tiles(split) else name
            for draw in range(self.draws):
                at = (index, number, draw) if draw else (index, number)
                yield label + (f" draw {draw}" if self.draws > 1 else ""), tile, self.lr(tile, index=at)

    def lr(self, hr: np.ndarray, *, index: tuple[int, ...] = (0, 0)) -> np.ndarray:
        """(H, W, 3) uint8 to (H / scale, W / scale, 3) uint8; index: numbers that chance draws by,
        beside the seed.
        """
        if self.name == "bicubic":
            return downscale(hr, self.scale)
        if self.name == "blur":
            return downscale(round_levels(gaussian_blur(hr, self.sigma)), self.scale)
        rng = np.random.default_rng([self.seed, *index])
        if self.name == "blur_lr":
            sigma = rng.uniform(*_LR_SIGMA)
            lr = downscale(hr, self.scale)
            return round_levels(gaussian_blur(lr, sigma, mode="mirror", radius=_LR_RADIUS))
        degrade = degrade_as_phones_do if self.name == "photo" else degrade_as_in_the_wild
        return degrade(hr, scale=self.scale, rng=rng)


def _tiles(hr, scale):
    """An even grid of (H, W, 3) whose parts have at least _TILE * scale to a side where the image
    has that.
    """
    return even_grid(hr, counts=tuple(max(1, side // scale // _TILE) for side in hr.shape[:2]), unit=scale)
