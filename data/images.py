"""data/images.py: picture files to uint8 RGB arrays.

Whatever a picture file holds, the rest of the program sees (H, W, 3) uint8 in 0..255. Colour profiles are not applied:
the numbers in the file are taken as sRGB, as every published figure of the field takes them.
"""

import os
import stat
from pathlib import Path

import numpy as np
from absl import logging
from PIL import Image, ImageOps, UnidentifiedImageError

from errors import UserError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")

_SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")  # "I" is how some 16-bit PNG and TIFF files arrive
_ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")


def list_images(folder):
    """Paths of all picture files below a folder, at any depth, sorted by their path.

    A picture is told by its suffix (IMAGE_SUFFIXES, any case). Names that start with a dot are skipped, folders too.
    Links to folders are not followed, which could lead in circles; links to files are. A subfolder that cannot be read
    is left out with a warning that names it.
    Raises UserError where the folder is missing, is not a folder or cannot be read. An empty list is no error.
    """
    folder = Path(folder)
    if not folder.exists():
        raise UserError(f"{folder}: no such folder")
    if not folder.is_dir():
        raise UserError(f"{folder}: not a folder")
    found = []
    for parent, folders, files in os.walk(folder, onerror=lambda error: _unreadable(folder, error)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(parent, name)
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES
        ]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _unreadable(folder, error):
    if Path(error.filename) == folder:
        raise UserError(f"{folder}: cannot be read ({error.strerror})") from error
    logging.warning("left out: folder %s: cannot be read (%s)", error.filename, error.strerror)


def read_rgb(path):
    """Read one picture file as (H, W, 3) uint8 in 0..255.

    The EXIF orientation is applied. Grey becomes three equal channels; palettes and CMYK become RGB; transparency is
    laid over white; 16-bit grey is scaled to 8 bits by 1/257, rounded (Pillow itself cuts 16-bit colour PNG to its high
    byte). Of several frames the first is taken.

    Raises UserError, "PATH: reason", for a file that is missing, empty, damaged, cut short, not a picture, no regular
    file (a named pipe would be waited for without end), of floating-point pixels, or so large that Pillow takes it
    for a decompression bomb.
    """
    try:
        if stat.S_ISFIFO(os.stat(path).st_mode):
            raise UserError("a named pipe, not a picture file")
        with Image.open(path) as image:
            image.load()
            return _to_rgb(ImageOps.exif_transpose(image))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise UserError(f"{path}: a folder, not a picture file") from error
    except UnidentifiedImageError as error:
        reason = "the file is empty" if os.path.getsize(path) == 0 else "not a picture file that Pillow can read"
        raise UserError(f"{path}: {reason}") from error
    except Image.DecompressionBombError as error:
        raise UserError(f"{path}: too many pixels to be read safely; shrink or split it ({error})") from error
    except (
        Exception
    ) as error:  # a damaged file raises whatever its decoder tripped over: SyntaxError, struct.error, ...
        raise UserError(f"{path}: damaged or not supported ({error})") from error


def _to_rgb(image):
    if image.mode == "F":
        raise UserError("floating-point pixels have no fixed range; save the picture with 8 or 16 bits per channel")
    if image.mode in _SIXTEEN_BIT_MODES:
        return np.repeat(_sixteen_to_eight_bits(np.asarray(image))[:, :, np.newaxis], 3, axis=2)
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))  # a copy: asarray would be read-only


def _sixteen_to_eight_bits(values):
    values = values.astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise UserError(
            f"grey values from {values.min()} to {values.max()}, outside 16 bits; save it with 8 or 16 bits"
        )
    return ((values + 128) // 257).astype(np.uint8)  # 65535 / 257 = 255; 257 is odd, so there are no ties
