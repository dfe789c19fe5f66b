"""What is compared: networks, bicubic interpolation, and pictures that something else has made."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.bicubic import upscale
from data.images import list_images, read_rgb
from errors import UserError
from evaluation.pairs import find_picture
from inference.pixels import to_uint8


@dataclass
class Candidate:
    """One row of the table: an engine as in inference.engines, or `pictures`, and nothing to run.

    file_size in bytes. multiply_adds: of one output of 1280x720. None where not known.
    """

    name: str
    engine: Callable | None = None
    parameters: int | None = None
    file_size: int | None = None
    path: str | None = None
    multiply_adds: float | None = None
    pictures: "ReadyPictures | None" = None

    @property
    def is_bicubic(self):
        return isinstance(self.engine, BicubicEngine)


class BicubicEngine:
    """MATLAB's bicubic interpolation as an engine: the row every table begins with."""

    receptive_field = 3  # two LR pixels to each side, and one for the half pixel between the grids
    fixed_size = None

    def __init__(self, scale):
        self.scale = scale

    def __call__(self, lr):
        """Upscale lr (1, h, w, 3) float32 in [0, 1], taken as 8 bits -> (1, s*h, s*w, 3) float32, steps of 1/255."""
        sr = upscale(to_uint8(lr[0]), self.scale)
        return sr[None].astype(np.float32) / np.float32(255)


class ReadyPictures:
    """Another upscaler's output: FOLDER/<benchmark>/<name>.png, or FOLDER/<name>.png where there is one benchmark."""

    def __init__(self, folder):
        """Raises UserError when the folder is missing or holds no picture at any depth."""
        self.folder = Path(folder)
        if not list_images(self.folder):
            raise UserError(f"{self.folder}: holds no pictures, and no network either")

    def read(self, benchmark, name):
        """The picture that belongs to `name`, (H, W, 3) uint8.

        Its file has that name, or that name with something appended (img_001_x4.png). Raises UserError when it is missing or unreadable.
        """
        folder = self.folder / benchmark
        if not folder.is_dir():
            folder = self.folder
        path = find_picture(list_images(folder), name, folder=folder)
        if path is None:
            raise UserError(f"{folder}: no picture named {name}")
        return read_rgb(path)
