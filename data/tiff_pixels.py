"""data/tiff_pixels.py: the pixels of a TIFF, decided by its own tags, whatever the depth (TIFF 6.0
and its Technical Note 1).

tifffile decodes the samples, and what they mean is decided here: which page is the image,
WhiteIsZero, palettes, inks, extra samples, premultiplied colours, planes, depth. JPEG, fax, Lab and
YCbCr go through Pillow's libtiff, which gives 8-bit RGB or grey.
"""

import logging as python_logging
import math
from pathlib import Path

import numpy as np
import tifffile
from absl import logging
from PIL import Image

from data.image_pixels import cmyk_to_srgb, eight_bits, float_error, keeps_profile, pixels_of, sixteen_bits
from errors import UserError

for _library in ("tifffile", "PIL"):  # they note what they go on without
    python_logging.getLogger(_library).setLevel(python_logging.CRITICAL)

_WHITE_IS_ZERO, _PALETTE, _INKS, _YCBCR, _LAB = 0, 3, 5, 6, 8
_COLOURS = {_WHITE_IS_ZERO: 1, 1: 1, 2: 3, _PALETTE: 1, _INKS: 4}  # photometric interpretation -> samples of colour
_BY_PILLOW = (2, 3, 4, 6, 7)  # compressions: CCITT, JPEG
_PREMULTIPLIED, _ALPHA = 1, (1, 2, 999)  # kinds of extra samples; 999 is Corel's
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_MOST_SAMPLES = 64
_INK_SET, _OLD_SUBFILE_TYPE, _OLD_REDUCED = 332, 255, 2


def shown_page(file: tifffile.TiffFile, *, first: bool = False) -> tifffile.TiffPage:
    """The page that is the image: no thumbnail and no mask.

    Raises UserError where there are several, unless `first`.
    """
    pages = list(file.pages)
    images = [page for page in pages if _is_image(page)]
    if not images:  # a thumbnail first, the image below it
        images = [below for page in pages for below in page.pages or () if _is_image(below)] or pages[:1]
    if not images:
        raise UserError("damaged: no page of it is where its header says")
    if len(images) > 1 and not first:
        raise UserError(f"holds {len(images)} pages; split it into single images first")
    return images[0]


def _is_image(page):
    old = page.tags[_OLD_SUBFILE_TYPE].value if _OLD_SUBFILE_TYPE in page.tags else 0
    return not page.subfiletype & (_REDUCED | _MASK) and old != _OLD_REDUCED


def tiff_pixels(
    path: str | Path, file: tifffile.TiffFile, page: tifffile.TiffPage, icc_profile: bytes | None
) -> tuple[np.ndarray, bytes | None, bool]:
    """(pixels, profile, upright) of a page: pixels as in `data.image_pixels`; the profile that
    belongs to them, or None.

    upright: whether the orientation was applied already. Raises UserError for what is not
    supported.
    """
    photometric = int(page.photometric)
    if int(page.compression) in _BY_PILLOW or photometric in (_YCBCR, _LAB):
        return _by_pillow(path, file, page, icc_profile)
    if photometric not in _COLOURS:
        name = getattr(page.photometric, "name", f"unknown ({photometric})")
        raise UserError(f"{name} colours are not supported; save it as RGB")
    if photometric == _INKS and _INK_SET in page.tags and page.tags[_INK_SET].value != 1:
        raise UserError("inks other than CMYK are not supported; save it as RGB")
    colours = _COLOURS[photometric]
    kinds = _extra_samples(page, colours)
    samples = _samples(page)
    if samples.dtype.kind == "f":
        raise float_error(samples)
    if samples.dtype not in (np.uint8, np.uint16):
        if samples.shape[2] > 1 or samples.dtype.kind not in "ui" or samples.dtype == np.int8:
            raise UserError(f"{samples.dtype} pixels are not supported; save it with 8 or 16 bits")
        samples, bits = sixteen_bits(samples), 16
    else:
        bits = page.bitspersample
    alpha = next((colours + at for at, kind in enumerate(kinds) if kind in _ALPHA), None)
    if (left_out := len(kinds) - (alpha is not None)) > 0:
        logging.warning("%s: %d extra channels left out: neither colour nor transparency", path, left_out)
    covering = None if alpha is None else _full_range(samples[..., alpha], bits)
    if photometric == _PALETTE:
        pixels = _palette(page)[samples[..., 0]]
    else:
        pixels = _full_range(samples[..., :colours], bits)
        if covering is not None and kinds[alpha - colours] == _PREMULTIPLIED:
            pixels = _divided(pixels, covering)
    if photometric == _WHITE_IS_ZERO:
        pixels = np.iinfo(pixels.dtype).max - pixels
    if photometric == _INKS:
        pixels, icc_profile = cmyk_to_srgb(Image.fromarray(eight_bits(pixels), "CMYK"), icc_profile), None
    if covering is None:
        return pixels, icc_profile, False
    if pixels.dtype != covering.dtype:  # of a palette or inks
        covering = eight_bits(covering)
    return np.dstack([pixels, covering]), icc_profile, False


def _extra_samples(page, colours):
    """The kind of each sample after the colours: 0 unknown, 1 alpha in premultiplied colours, 2
    alpha.
    """
    count = page.samplesperpixel - colours
    if not 0 <= count <= _MOST_SAMPLES:
        raise UserError(f"{page.samplesperpixel} samples a pixel are not supported in {page.photometric.name} colours")
    if not isinstance(page.bitspersample, int):
        raise UserError(f"samples of different depth {page.bitspersample} are not supported; save it with 8 or 16 bits")
    kinds = [int(kind) for kind in page.extrasamples][:count]
    if not kinds and (count, colours) == (1, 3):
        return [2]  # many writers forget to say so
    return kinds + [0] * (count - len(kinds))


def _samples(page):
    """(H, W, samples), as stored; bool as uint8."""
    if page.axes not in ("YX", "YXS", "SYX"):
        raise UserError(f"not a flat image (axes {page.axes}); save it as one")
    if len(page.databytecounts) < math.prod(page.chunked) or 0 in page.databytecounts:
        raise UserError("damaged: parts of it are missing")
    samples = page.asarray()
    if page.axes == "SYX":
        samples = np.moveaxis(samples, 0, -1)
    samples = samples.reshape(page.imagelength, page.imagewidth, page.samplesperpixel)
    return samples.astype(np.uint8) if samples.dtype == bool else samples


def _full_range(values, bits):
    """Values of `bits` bits over the full range of 8 bits, or of 16 where there are more than 8;
    rounded half up.
    """
    if bits in (8, 16):
        return values
    dtype, most = (np.uint8, 2**bits - 1) if bits < 8 else (np.uint16, 2**bits - 1)
    return ((values.astype(np.uint32) * np.iinfo(dtype).max + most // 2) // most).astype(dtype)


def _palette(page):
    """(colours, 3) uint8. Some writers fill the 16-bit table with values of 8 bits."""
    table = np.asarray(page.colormap, np.uint16).T
    return (table >> 8 if table.max() > 255 else table).astype(np.uint8)


def _divided(colours, alpha):
    """Colours that were multiplied by alpha, as they were before.

    8 bits are rounded down, as Pillow does.
    """
    alpha, most = alpha[..., None].astype(np.uint64), np.iinfo(colours.dtype).max
    half = 0 if colours.dtype == np.uint8 else alpha // 2
    divided = (colours.astype(np.uint64) * most + half) // np.maximum(alpha, 1)
    return np.where(alpha == 0, colours, np.minimum(divided, most)).astype(colours.dtype)


def _by_pillow(path, file, page, icc_profile):
    if page.bitspersample not in (1, 8):
        raise UserError(f"{page.compression.name} of {page.bitspersample} bits is not supported; save it with 8 bits")
    main = [other.offset for other in file.pages]
    if page.offset not in main:
        raise UserError(f"{page.compression.name} below a thumbnail is not supported; save it as PNG")
    with Image.open(path, formats=["TIFF"]) as image:
        image.seek(main.index(page.offset))
        image.load()
        return pixels_of(path, image), icc_profile if keeps_profile(image) else None, True
