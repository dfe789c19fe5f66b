"""From a picture file to its pixels and all that has to survive: alpha, 16 bits, EXIF, colour profile, frames.

Palettes become RGB or RGBA, CMYK becomes sRGB, the EXIF orientation is applied and reset. Pillow reads everything but
16-bit colour, of which it keeps eight bits; there imagecodecs (PNG) and tifffile take its place.
"""

import contextlib
import io
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import logging
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from errors import UserError

# Pictures above this are refused: ×4 makes a gigapixel of it, and a few kilobytes of crafted file can claim any size.
MAX_PIXELS = 64_000_000

# Suffixes that a search through a folder takes for pictures.
READABLE = frozenset([".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".pnm"])

# What a file may be, whatever its name says. Among the formats left out are those that run an interpreter (EPS).
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
# In these a second frame is an animation. (In a JPEG it is the other eye, or a gain map: not missed.)
_ANIMATED = ("GIF", "WEBP", "PNG")

# TIFF tags that say how the old file stored its pixels: wrong for the new one.
_LAYOUT_TAGS = frozenset(range(254, 260)) | {262, 266, 273, 277, 278, 279, 284, 317, 320, 330, 338, 339, 347, 34675}
_LAYOUT_TAGS |= frozenset(range(322, 326))  # tiles
_TIFF_BITS_PER_SAMPLE = 258

# What each EXIF orientation asks for, on (H, W, ...) arrays.
_TURNS = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels[::-1].swapaxes(0, 1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: pixels[:, ::-1].swapaxes(0, 1),
}


class Picture(NamedTuple):
    """A decoded file, upright. colours (H, W, 3) or (H, W), uint8 or uint16; alpha (H, W) of the same type, or None."""

    colours: np.ndarray
    alpha: np.ndarray | None = None
    exif: Image.Exif | None = None
    icc_profile: bytes | None = None


class Animation(NamedTuple):
    """frames: an iterator of `Picture`s, decoded one at a time while the file is open. durations: of each, in ms."""

    frames: object
    durations: list
    loop: int
    icc_profile: bytes | None = None


@contextlib.contextmanager
def open_picture(path, *, max_pixels=MAX_PIXELS):
    """Open a picture file as a `Picture` or an `Animation`, for the time of a `with` block.

    Raises UserError ("PATH: reason") when it is missing, empty, damaged, no picture, or larger than max_pixels (None:
    any size); for an animation also from its iterator.
    """
    path = Path(path)
    with _one_line(path, max_pixels):
        if path.is_dir():
            raise UserError(f"{path}: a folder, not a picture")
        if not path.exists():
            raise UserError(f"{path}: no such file")
        if not path.stat().st_size:
            raise UserError(f"{path}: empty file")
        image = _open(path)
    with image:
        with _one_line(path, max_pixels), _patient_pillow():
            _check_size(path, image, max_pixels)
            frames = getattr(image, "n_frames", 1)
            if frames > 1 and image.format == "TIFF":
                raise UserError(f"{path}: holds {frames} pages; split it into single pictures first")
            if frames > 1 and image.format in _ANIMATED:
                picture = _animation(path, image, max_pixels)
            else:
                picture = _still(path, image)
                image.close()  # gives back the memory of Pillow's own copy, four bytes a pixel
        yield picture


def read_picture(path, *, max_pixels=MAX_PIXELS):
    """Decode a picture file to a `Picture`; raises UserError as `open_picture`, and for an animation."""
    with open_picture(path, max_pixels=max_pixels) as picture:
        if isinstance(picture, Animation):
            raise UserError(f"{path}: holds {len(picture.durations)} frames, not a single picture")
        return picture


@contextlib.contextmanager
def _one_line(path, max_pixels=None):
    """Decoders raise nearly everything on a damaged file: SyntaxError, struct.error, IndexError..."""
    try:
        yield
    except UserError:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        limit = f"more than {max_pixels / 1e6:g} megapixels" if max_pixels else "not enough memory"
        raise UserError(f"{path}: too large: {limit}") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{path}: not a picture, or damaged beyond recognition") from error
    except Exception as error:
        raise UserError(f"{path}: damaged or unreadable: {reason(error)}") from error


@contextlib.contextmanager
def _patient_pillow():
    with warnings.catch_warnings():
        # Damaged metadata is left out, and is no reason to refuse a picture; max_pixels decides about size.
        warnings.simplefilter("ignore")
        yield


def _open(path):
    """Pillow refuses what exceeds its own limit while opening; the size is checked by our own right after."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with _patient_pillow():
            return Image.open(path, formats=_FORMATS)
    except UnidentifiedImageError:
        _refuse_deep_tiff(path)
        raise
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _refuse_deep_tiff(path):
    """Raise UserError for a sound TIFF of numbers that no picture of 8 or 16 bits has; Pillow does not say what it met."""
    import tifffile

    with contextlib.suppress(tifffile.TiffFileError, IndexError), tifffile.TiffFile(path) as file:
        dtype = file.pages[0].dtype
        if dtype is not None and dtype not in (np.bool_, np.uint8, np.uint16):
            raise UserError(f"{path}: {dtype} pixels are not supported; save it with 8 or 16 bits")


def _check_size(path, image, max_pixels):
    if max_pixels is not None and image.width * image.height > max_pixels:
        raise UserError(
            f"{path}: too large: {image.width}x{image.height} is more than {max_pixels / 1e6:g} megapixels; "
            "--allow_large takes it all the same"
        )


def _animation(path, image, max_pixels):
    """Every frame as it is shown: Pillow lays partial frames over what stood there before."""
    durations = []
    for index in range(image.n_frames):
        image.seek(index)
        image.load()  # only then WebP knows
        durations.append(int(image.info.get("duration", 0)) or 100)  # 0 is what browsers show as a tenth of a second
    image.seek(0)

    def frames():
        for index in range(len(durations)):
            with _one_line(path, max_pixels), _patient_pillow():
                image.seek(index)
                pixels = np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))
            yield Picture(pixels[..., :3], pixels[..., 3] if pixels.shape[2] == 4 else None)

    return Animation(frames(), durations, int(image.info.get("loop", 1)), image.info.get("icc_profile"))


def _still(path, image):
    deep = _sixteen_bit_colour(path, image)
    if deep is not None:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        turn = _TURNS.get(orientation, lambda pixels: pixels)
        deep = np.ascontiguousarray(turn(deep))
        colours = deep[..., 0] if deep.shape[2] < 3 else deep[..., :3]
        alpha = deep[..., -1] if deep.shape[2] in (2, 4) else None
        return Picture(colours, alpha, _kept_exif(image), image.info.get("icc_profile"))
    image.load()
    return _decode(path, image)


def _sixteen_bit_colour(path, image):
    """(H, W, 2, 3 or 4) uint16 of a PNG or TIFF with 16 bits and more than one channel; None for any other picture."""
    if image.format == "PNG":
        with open(path, "rb") as file:
            header = file.read(26)
        if header[24] != 16 or header[25] not in (2, 4, 6):
            return None
        import imagecodecs

        pixels = imagecodecs.png_decode(path.read_bytes())
        key = image.info.get("transparency")
        if header[25] == 2 and isinstance(key, tuple) and pixels.shape[2] == 3:  # one colour that stands for nothing
            alpha = np.where((pixels == np.array(key, np.uint16)).all(axis=2), 0, 65535).astype(np.uint16)
            pixels = np.dstack([pixels, alpha])
        return pixels
    if image.format == "TIFF" and set(image.tag_v2.get(_TIFF_BITS_PER_SAMPLE, ())) == {16}:
        bits = image.tag_v2[_TIFF_BITS_PER_SAMPLE]
        if len(bits) < 2 or image.mode not in ("RGB", "RGBA", "RGBX", "LA", "RGBa"):
            return None
        import tifffile

        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            pixels = page.asarray()
            return np.moveaxis(pixels, 0, -1) if page.axes.startswith("S") else pixels
    return None


def _decode(path, image):
    icc_profile = image.info.get("icc_profile")
    exif = _kept_exif(image)
    with contextlib.suppress(Exception):  # damaged EXIF, of any kind: _kept_exif has said so
        image = ImageOps.exif_transpose(image)
    if image.mode == "CMYK":
        return Picture(np.asarray(_cmyk_to_srgb(image, icc_profile)), exif=exif)
    if image.mode.startswith("I"):
        return Picture(_sixteen_bits(path, np.asarray(image)), exif=exif, icc_profile=icc_profile)
    if image.mode == "F":
        nan = " (and some are NaN)" if np.isnan(np.asarray(image)).any() else ""
        raise UserError(f"{path}: 32-bit float pixels are not supported{nan}; save it with 8 or 16 bits")
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        # by way of RGBA for grey too: a grey picture with one transparent value has no direct way
        pixels = np.asarray(image.convert("RGBA"))
        return Picture(pixels[..., 0] if grey else pixels[..., :3], pixels[..., 3], exif, icc_profile)
    if image.mode not in ("1", "L", "P", "RGB", "RGBX"):
        icc_profile = None  # of Lab or YCbCr: wrong for the RGB made of it
    return Picture(np.asarray(image.convert("L" if grey else "RGB")), None, exif, icc_profile)


def _sixteen_bits(path, pixels):
    """Pillow's modes I;16, I;16B (16 bits) and I (32 bits, but of 16-bit files too) -> uint16."""
    if pixels.min() < 0 or pixels.max() > 65535:
        raise UserError(f"{path}: 32-bit integer pixels are not supported; save it with 8 or 16 bits")
    return pixels.astype(np.uint16)


def _cmyk_to_srgb(image, icc_profile):
    if icc_profile:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
            return ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            logging.warning("unusable CMYK profile (%s): converted without it", reason(error))
    return image.convert("RGB")


def _kept_exif(image):
    """The EXIF to keep: orientation 1, without pixel layout; None where there is none.

    Damaged EXIF is left out: it is common, and never worth losing the picture for.
    """
    try:
        exif, kept = image.getexif(), Image.Exif()
        for tag, value in exif.items():
            shape = tag == ExifTags.Base.ImageDescription and str(value).startswith(
                '{"shape"'
            )  # tifffile's, of the old size
            if tag not in _LAYOUT_TAGS and tag not in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo) and not shape:
                kept[tag] = value
        for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            if ifd in exif:
                kept[ifd] = dict(exif.get_ifd(ifd))  # read now, while the file is open
        if ExifTags.Base.Orientation in kept:
            kept[ExifTags.Base.Orientation] = 1
        kept.tobytes()  # shows whether it can be written
    except Exception as error:  # any kind, as for decoders
        logging.warning("EXIF left out: %s", reason(error))
        return None
    return kept if len(kept) else None


def reason(error):
    """Why, on one line: the system's words where there are any."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return " ".join(str(error).split())[:200] or type(error).__name__
