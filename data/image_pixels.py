"""data/image_pixels.py: the pixels of what Pillow has open: (H, W, C) uint8 or uint16, C 1 grey, 2
grey and alpha, 3 RGB, 4 RGBA.

Pillow keeps eight bits of 16-bit colour; there imagecodecs (PNG) and a way round (PPM) take its
place.
"""

import io
import re
from pathlib import Path

import imagecodecs
import numpy as np
from absl import logging
from PIL import Image, ImageCms

from errors import UserError, reason

# Shares of R, G and B in the luma of ITU-R BT.601, full range. The sum is 1: what is grey keeps its
# values.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)

_PPM_HEADER = re.compile(rb"P6\s+(?:#[^\n]*\n\s*)*(\d+)\s+(?:#[^\n]*\n\s*)*(\d+)\s+(?:#[^\n]*\n\s*)*(\d+)\s")


def pixels_of(path: str | Path, image: Image.Image) -> np.ndarray:
    """The pixels of an image that was loaded, not turned.

    Raises UserError for numbers that 16 bits do not hold.
    """
    deep = _deep_colour(path, image)
    if deep is not None:
        return deep
    if image.mode == "CMYK":
        return cmyk_to_srgb(image, image.info.get("icc_profile"))
    if image.mode.startswith("I"):
        pixels = sixteen_bits(np.asarray(image))[..., None]
        key = image.info.get("transparency")
        return pixels if key is None else _with_key(pixels, key)
    if image.mode == "F":
        raise float_error(np.asarray(image))
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        _scale_key(path, image)
        # by way of RGBA for grey too: a grey image with one transparent value has no direct way
        pixels = np.asarray(image.convert("RGBA"))
        return pixels[..., 2:] if grey else pixels
    pixels = np.asarray(image.convert("L" if grey else "RGB"))
    return pixels[..., None] if grey else pixels


def keeps_profile(image: Image.Image) -> bool:
    """Whether the file's colour profile is one of the pixels' own: not of CMYK, Lab or YCbCr, which
    become RGB.
    """
    return image.mode in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBX", "RGBA", "RGBa") or image.mode.startswith("I")


def sixteen_bits(values: np.ndarray) -> np.ndarray:
    """Integers of any type as uint16. Raises UserError where 16 bits do not hold them."""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise UserError(
            f"{8 * values.dtype.itemsize}-bit integer pixels from {low} to {high} are not supported; "
            "save it with 8 or 16 bits"
        )
    return values.astype(np.uint16)


def eight_bits(values: np.ndarray) -> np.ndarray:
    """uint16 over its full range as uint8, rounded; uint8 as it is, without a copy."""
    return values if values.dtype == np.uint8 else ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def round_levels(values: np.ndarray) -> np.ndarray:
    """Floats in levels of 255 as uint8: rounded half up and clipped to 0..255.

    Any shape to the same.
    """
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)


def float_error(values: np.ndarray) -> UserError:
    """The error for floating-point pixels, which have no fixed range."""
    nan = " (and some are NaN)" if np.isnan(values).any() else ""
    bits = 8 * values.dtype.itemsize
    return UserError(f"{bits}-bit floating-point pixels are not supported{nan}; save it with 8 or 16 bits")


def cmyk_to_srgb(image: Image.Image, icc_profile: bytes | None) -> np.ndarray:
    """(H, W, 3) uint8 of a CMYK image, by its profile where it has a usable one."""
    if icc_profile:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
            image = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            logging.warning("unusable CMYK profile (%s): converted without it", reason(error))
    return np.asarray(image.convert("RGB"))


def _deep_colour(path, image):
    """(H, W, 2, 3 or 4) uint16 of a PNG or PPM with 16 bits and more than one channel; None for any
    other image.
    """
    if image.format == "PNG" and (header := _png_header(path))[0] == 16 and header[1] in (2, 4, 6):
        with open(path, "rb") as file:
            pixels = imagecodecs.png_decode(file.read())
        key = image.info.get("transparency")
        return _with_key(pixels, key) if isinstance(key, tuple) and pixels.shape[2] == 3 else pixels
    if image.format == "PPM" and image.mode == "RGB":
        with open(path, "rb") as file:
            header = _PPM_HEADER.match(file.read(1000))
            if header is None or int(header[3]) < 256:
                return None
            width, height, most = (int(number) for number in header.groups())
            file.seek(header.end())
            # As a grey one of three times the width, of which Pillow keeps 16 bits.
            grey = io.BytesIO(b"P5 %d %d %d\n" % (3 * width, height, most) + file.read())
        with Image.open(grey, formats=["PPM"]) as image:
            return sixteen_bits(np.asarray(image)).reshape(height, width, 3)
    return None


def _png_header(path):
    """(bit depth, colour type)."""
    with open(path, "rb") as file:
        return tuple(file.read(26)[24:])


def _with_key(pixels, key):
    """With alpha: 0 where a pixel has the one colour that stands for nothing, else full. uint16."""
    alpha = np.where((pixels == np.array(key, np.uint16)).all(axis=2), 0, 65535).astype(np.uint16)
    return np.dstack([pixels, alpha])


def _scale_key(path, image):
    """A PNG's transparent grey of 1, 2 or 4 bits, to 8 as its pixels are: Pillow leaves it as it
    stands in the file.
    """
    key = image.info.get("transparency")
    if image.format == "PNG" and image.mode in ("1", "L") and isinstance(key, int):
        bits = _png_header(path)[0]
        image.info["transparency"] = min(255, key * 255 // (2**bits - 1)) if bits < 8 else key
