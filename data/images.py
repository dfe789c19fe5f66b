"""data/images.py: which files are images, where they are, and their pixels as the networks learn
from them.

Colour profiles are not applied: the numbers in the file are taken as sRGB, as every published
figure of the field takes them.
"""

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import logging
from PIL import Image

from data.image_pixels import eight_bits
from data.image_reader import Still, read_still
from errors import UserError, reason

_LOSSLESS = (".png", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".pnm")
IN_BLOCKS = (".jpg", ".jpeg", ".jpe", ".jfif", ".webp")  # coded in blocks of 8x8 pixels
IMAGE_SUFFIXES = _LOSSLESS + IN_BLOCKS

_MAX_PIXELS = 178_956_970  # twice Pillow's own limit: where it takes a file for a decompression bomb
_ARCHIVE_LEFTOVERS = "__MACOSX"  # macOS puts its own files there


class Found(NamedTuple):
    """What a folder holds. images: sorted by their path; others: {suffix: count}; unreadable:
    (subfolder, why).
    """

    images: list[Path]
    others: Counter
    unreadable: list[tuple[str, str]]


def search(folder: str | Path, *, leave_out: Path | None = None) -> Found:
    """All image files below a folder, at any depth.

    An image is told by its suffix (IMAGE_SUFFIXES, any case). Names that start with a dot are
    skipped, folders too. Links to folders are not followed, which could lead in circles; links to
    files are. leave_out: a folder, resolved.
    Raises UserError where the folder is missing, is not a folder or cannot be read.
    """
    folder, found = Path(folder), Found([], Counter(), [])

    def unreadable(error):
        if Path(error.filename) == folder:
            raise UserError(f"{folder}: cannot be read ({error.strerror})") from error
        found.unreadable.append((error.filename, error.strerror))

    try:
        if not folder.exists():
            raise UserError(f"{folder}: no such folder")
        if not folder.is_dir():
            raise UserError(f"{folder}: not a folder")
        for parent, folders, files in os.walk(folder, onerror=unreadable):
            folders[:] = [name for name in folders if not _is_hidden(name)]
            if leave_out:
                folders[:] = [name for name in folders if os.path.realpath(Path(parent, name)) != str(leave_out)]
            for path in (Path(parent, name) for name in files if not _is_hidden(name)):
                if (suffix := path.suffix.lower()) in IMAGE_SUFFIXES:
                    found.images.append(path)
                else:
                    found.others[suffix or "without suffix"] += 1
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({reason(error)})") from error
    found.images.sort(key=lambda path: path.relative_to(folder).as_posix())
    return found


def list_images(folder: str | Path) -> list[Path]:
    """The images of `search`; a subfolder that cannot be read is left out with a warning.

    An empty list is no error.
    """
    found = search(folder)
    for subfolder, why in found.unreadable:
        logging.warning("left out: folder %s: cannot be read (%s)", subfolder, why)
    return found.images


def _is_hidden(name):
    return name.startswith(".") or name == _ARCHIVE_LEFTOVERS


def read_rgb(path: str | Path) -> np.ndarray:
    """Read one image file as (H, W, 3) uint8 in 0..255, whatever it holds.

    Grey becomes three equal channels; transparency is laid over white; 16 bits are scaled to 8 by
    1/257, rounded. Of several frames the first is taken. Raises UserError, "PATH: reason", as
    `data.image_reader.open_image`.
    """
    return on_white(read_still(path, max_pixels=_MAX_PIXELS, first=True, remedy="shrink or split it"))


def on_white(still: Still) -> np.ndarray:
    """(H, W, 3) uint8 of an image as it shows on white."""
    colours, alpha = still.colours, still.alpha
    if colours.ndim == 2:
        colours = np.repeat(colours[..., None], 3, axis=2)
    if alpha is None:
        return np.array(eight_bits(colours))  # a copy: Pillow's memory is read-only
    if colours.dtype == np.uint16:
        covering = alpha[..., None].astype(np.uint64)
        shown = colours * covering + 65535 * (65535 - covering)
        return ((shown + 65535 * 257 // 2) // (65535 * 257)).astype(np.uint8)
    image = Image.fromarray(np.dstack([colours, alpha]), "RGBA")
    return np.array(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"))
