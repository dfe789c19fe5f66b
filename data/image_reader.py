"""data/image_reader.py: the one way from an image file to its pixels and all that has to survive,
for every command.

Palettes become RGB or RGBA, CMYK becomes sRGB, the orientation is applied. What a viewer shows is
what is read: no thumbnail, no mask, no stand-in of an animation.
"""

import contextlib
import stat
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from data.image_metadata import Metadata, metadata_of, metadata_of_tiff
from data.image_pixels import keeps_profile, pixels_of
from data.orientations import orient
from data.tiff_pixels import shown_page, tiff_pixels
from errors import UserError, reason

# Images above this are refused, all frames counted: x4 makes a gigapixel of it, and a small file
# can claim any size.
MAX_PIXELS = 64_000_000
_MAX_SIDE = 1_000_000  # libpng's limit; so thin an image takes hours

# What a file may be, whatever its name says. Among the formats left out are those that run an
# interpreter (EPS).
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "PPM")  # and TIFF
TIFF_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# In these a second frame is an animation. (In a JPEG it is the other eye, or a gain map: not
# missed.)
ANIMATED = ("GIF", "WEBP", "PNG")

_NOTHING = Metadata()

# EXIF orientation -> `k` of data.orientations.orient that makes the image upright.
_UPRIGHT = {2: 4, 3: 2, 4: 6, 5: 5, 6: 3, 7: 7, 8: 1}

# What else a file may be: where its mark stands, the mark, and the name.
_OTHER_IMAGES = (
    *((4, b"ftyp" + brand, "AVIF") for brand in (b"avif", b"avis")),
    *((4, b"ftyp" + brand, "HEIC") for brand in (b"heic", b"heix", b"hevc", b"heim", b"mif1", b"msf1")),
    *((0, mark, "JPEG 2000") for mark in (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")),
    *((0, mark, "JPEG XL") for mark in (b"\0\0\0\x0cJXL ", b"\xff\x0a")),
    *((0, mark, "PostScript") for mark in (b"%!", b"\xc5\xd0\xd3\xc6")),
    *((0, mark, "SVG") for mark in (b"<svg", b"<?xml")),
    (0, b"II\xbc\x01", "JPEG XR"),
    (0, b"\xff\xd8\xff\xf7", "JPEG-LS"),
    (0, b"8BPS", "Photoshop"),
    (0, b"gimp xcf", "GIMP"),
    (0, b"%PDF", "PDF"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"\0\0\1\0", "Windows icon"),
    (0, b"DDS ", "DDS"),
    (0, b"qoif", "QOI"),
    (0, b"SIMPLE  =", "FITS"),
)
_OTHER_FILES = (
    *((0, mark, "a sound file") for mark in (b"fLaC", b"ID3", b"\xff\xfb", b"\xff\xf3", b"FORM")),
    (8, b"WAVE", "a sound file"),
    (4, b"ftypM4A", "a sound file"),
    (0, b"OggS", "a sound or video file"),
    (8, b"AVI ", "a video file"),
    (4, b"ftyp", "a video file"),
    (0, b"\x1aE\xdf\xa3", "a video file"),
    (0, b"PK\3\4", "a ZIP archive or office document"),
    (0, b"\x1f\x8b", "a gzip archive"),
)


class Still(NamedTuple):
    """A decoded image, upright. colours (H, W, 3) or (H, W), uint8 or uint16; alpha (H, W) of the
    same type, or None.
    """

    colours: np.ndarray
    alpha: np.ndarray | None = None
    metadata: Metadata = _NOTHING


class Animation(NamedTuple):
    """frames: an iterator of `Still`s, decoded one at a time while the file is open. durations: of
    each, in ms.
    """

    frames: Iterator[Still]
    durations: list[int]
    loop: int
    metadata: Metadata = _NOTHING


class _Limit(NamedTuple):
    pixels: int | None
    remedy: str

    def check(self, width, height, frames=1):
        if not width * height:
            raise UserError(f"damaged: {width}x{height} pixels")
        if self.pixels is None:
            return
        if width * height * frames > self.pixels:
            several = f" in {frames} frames" if frames > 1 else ""
            raise UserError(
                f"too large: {width}x{height}{several} is more than {self.pixels / 1e6:g} megapixels; {self.remedy}"
            )
        if max(width, height) > _MAX_SIDE:
            raise UserError(f"too large: {width}x{height} has a side of more than {_MAX_SIDE} pixels; {self.remedy}")


@contextlib.contextmanager
def open_image(
    path: str | Path,
    *,
    max_pixels: int | None = MAX_PIXELS,
    first: bool = False,
    remedy: str = "--allow_large takes it all the same",
) -> Iterator[Still | Animation]:
    """Open an image file, for the time of a `with` block.

    max_pixels: of all frames together; None: any number. first: of several frames or pages, the
    first one alone.
    remedy: what to do about an image that is too large.
    Raises UserError ("PATH: reason") when it is missing, empty, damaged, no image, or too large;
    for an animation also from its iterator.
    """
    path, limit = Path(path), _Limit(max_pixels, remedy)
    if max_pixels is None:
        Image.MAX_IMAGE_PIXELS = None  # else Pillow refuses above 179 megapixels
    with contextlib.ExitStack() as stack:
        with _one_line(path, limit):
            if _head(path) in TIFF_HEADS:
                found = _tiff(path, limit, first)
            else:
                image = stack.enter_context(_open(path))
                found = _decoded(path, image, limit, first)
                if isinstance(found, Still):
                    stack.close()  # gives back the memory of Pillow's own copy, four bytes a pixel
        yield found


def read_still(path: str | Path, **options: Any) -> Still:
    """Decode an image file; options and errors as of `open_image`.

    Raises UserError for an animation, too.
    """
    with open_image(path, **options) as image:
        if isinstance(image, Animation):
            raise UserError(f"{path}: holds {len(image.durations)} frames, not a single image")
        return image


def image_size(path: str | Path) -> tuple[int, int]:
    """(height, width) of what `open_image` gives for the first frame, from the header alone.

    Raises UserError.
    """
    path = Path(path)
    with _one_line(path, _Limit(None, "")):
        if _head(path) in TIFF_HEADS:
            with tifffile.TiffFile(path) as file:
                page = shown_page(file, first=True)
                orientation = metadata_of_tiff(file, page)[1]
                height, width = page.imagelength, page.imagewidth
        else:
            with _open(path) as image:
                width, height = image.size
                # Asking a PNG without EXIF data for them would decode the image.
                known = image.format != "PNG" or "exif" in image.info
                orientation = metadata_of(path, image)[1] if known else 1
    return (width, height) if orientation >= 5 else (height, width)


@contextlib.contextmanager
def _one_line(path, limit):
    """One line for whatever decoders raise on a damaged file, nearly everything: SyntaxError,
    struct.error, ...
    """
    try:
        with warnings.catch_warnings():
            # Damaged metadata is left out, and is no reason to refuse an image; `limit` decides
            # about size.
            warnings.simplefilter("ignore")
            yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (Image.DecompressionBombError, MemoryError) as error:
        most = f"more than {limit.pixels / 1e6:g} megapixels; {limit.remedy}" if limit.pixels else "not enough memory"
        raise UserError(f"{path}: too large: {most}") from error
    except UnidentifiedImageError as error:
        raise UserError(f"{path}: {_what_else(path)}") from error
    except (TypeError, AttributeError, LookupError) as error:
        raise UserError(f"{path}: damaged: its header contradicts itself") from error
    except Exception as error:
        raise UserError(f"{path}: damaged or unreadable: {reason(error)}") from error


def _head(path):
    """The first four bytes.

    Raises UserError for what is no file, or empty (a pipe would be waited for without end).
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise UserError("no such file") from None
    if stat.S_ISDIR(mode):
        raise UserError("a folder, not an image")
    if not stat.S_ISREG(mode):
        raise UserError(f"a {'named pipe' if stat.S_ISFIFO(mode) else 'device'}, not an image file")
    with open(path, "rb") as file:
        head = file.read(4)
    if not head:
        raise UserError("empty file")
    return head


def _open(path):
    return Image.open(path, formats=FORMATS)


def _what_else(path):
    """What a file is that none of FORMATS fits."""
    with open(path, "rb") as file:
        head = file.read(1 << 16).lstrip(b"\xef\xbb\xbf")
        file.seek(max(0, path.stat().st_size - 18))
        foot = file.read()
    for at, mark, name in _OTHER_IMAGES:
        if head.startswith(mark, at):
            return f"{name} is not supported; save it as PNG, JPEG or TIFF"
    if foot == b"TRUEVISION-XFILE.\0" or (path.suffix.lower() == ".tga" and head[1:3] in (b"\0\2", b"\0\3", b"\0\n")):
        return "TGA is not supported; save it as PNG, JPEG or TIFF"
    if head.startswith(b"\xff\xd8") and (bits := _jpeg_precision(head)) not in (None, 8):
        return f"JPEG of {bits} bits is not supported; save it as PNG or TIFF"
    for at, mark, name in _OTHER_FILES:
        if head.startswith(mark, at):
            return f"{name}, not an image"
    return "not an image, or damaged beyond recognition"


def _jpeg_precision(head):
    """Bits a sample, of the frame header of a JPEG (ITU-T T.81, B.2.2); None where there is
    none.
    """
    at = 2
    while at + 5 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], struct.unpack_from(">H", head, at + 2)[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return head[at + 4]
        at += 2 + length
    return None


def _decoded(path, image, limit, first):
    limit.check(*image.size)
    if image.format not in ANIMATED or getattr(image, "n_frames", 1) == 1:
        image.load()
        return _still(path, image)
    shown = range(1 if image.info.get("default_image") else 0, image.n_frames)  # a PNG's stand-in is not shown
    if first or len(shown) == 1:
        image.seek(shown[0])
        limit.check(*image.size)
        image.load()
        return _still(path, image)
    limit.check(*image.size, len(shown))
    return _animation(path, image, limit, shown)


def _still(path, image):
    metadata, orientation = metadata_of(path, image)
    if not keeps_profile(image):
        metadata = metadata._replace(icc_profile=None)
    return _split(_turned(pixels_of(path, image), orientation), metadata)


def _tiff(path, limit, first):
    with tifffile.TiffFile(path) as file:
        page = shown_page(file, first=first)
        limit.check(page.imagewidth, page.imagelength)
        metadata, orientation = metadata_of_tiff(file, page)
        pixels, profile, upright = tiff_pixels(path, file, page, metadata.icc_profile)
    metadata = metadata._replace(icc_profile=profile)
    return _split(pixels if upright else _turned(pixels, orientation), metadata)


def _turned(pixels, orientation):
    k = _UPRIGHT.get(orientation)
    return pixels if k is None else np.ascontiguousarray(orient(pixels, k))


def _split(pixels, metadata=_NOTHING):
    channels = pixels.shape[2]
    return Still(
        pixels[..., 0] if channels < 3 else pixels[..., :3], pixels[..., -1] if channels in (2, 4) else None, metadata
    )


def _animation(path, image, limit, shown):
    """Every frame as it is shown: Pillow lays partial frames over what stood there before."""
    durations = []
    for index in shown:
        image.seek(index)
        limit.check(*image.size, len(shown))  # a GIF's frame can be larger than the first
        image.load()  # only then WebP knows
        durations.append(int(image.info.get("duration", 0)) or 100)  # 0 is what browsers show as a tenth of a second
    image.seek(shown[0])

    def frames():
        for index in shown:
            with _one_line(path, limit):
                image.seek(index)
                pixels = np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))
            yield _split(pixels)

    return Animation(frames(), durations, int(image.info.get("loop", 1)), metadata_of(path, image)[0])
