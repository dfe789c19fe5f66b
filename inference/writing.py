"""inference/writing.py: to an image file, whole or not at all: a temporary name beside the target,
renamed when the last byte is written.

Strips are encoded in a thread of their own, one behind the network: both compressing and LiteRT let
go of Python's lock.
"""

import contextlib
import os
import re
import secrets
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from absl import logging
from numpy.typing import DTypeLike
from PIL import ExifTags, Image, PngImagePlugin

from data.image_metadata import Metadata
from data.image_reader import ANIMATED
from errors import UserError, reason
from inference.strip_writers import JpegWriter, Layout, PngWriter, TiffWriter, WholeWriter

# Quality of the lossy formats: at 95 compression does not undo what the network added.
QUALITY = 95

_WRITERS = {
    "PNG": PngWriter,
    "JPEG": JpegWriter,
    "TIFF": TiffWriter,
    "WEBP": partial(WholeWriter, file_format="WEBP"),
    "BMP": partial(WholeWriter, file_format="BMP"),
    "GIF": partial(WholeWriter, file_format="GIF"),
}
WRITABLE = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".gif": "GIF",
}
_NOTHING = Metadata()
_ENCODED_AT_A_TIME = 1 << 22  # samples
_MAX_JPEG_SEGMENT = 65533

# The longest side a format can hold, in pixels.
_LONGEST_SIDE = {"PNG": (1 << 31) - 1, "JPEG": 65_500, "WEBP": 16_383, "GIF": 65_535}
_LARGEST_BMP = (1 << 32) - 2000  # bytes
# Bytes a pixel, measured, of a result that is held whole in memory until it is encoded.
_COLLECTED = {"WEBP": 11, "BMP": 4.4, "GIF": 12}
_COLLECTED_FRAMES = {"WEBP": 8, "PNG": 9, "GIF": 2.2}
# The most bytes for such a result, where no flag allows more.
MOST_COLLECTED = 3_000_000_000


class TargetExistsError(UserError):
    """The target exists already, and is not to be overwritten."""


@contextlib.contextmanager
def image_file(
    path: str | Path,
    *,
    width: int,
    height: int,
    channels: int,
    dtype: DTypeLike,
    metadata: Metadata = _NOTHING,
    quality: int = QUALITY,
    overwrite: bool = False,
) -> Iterator[Callable[[np.ndarray], None]]:
    """Write an image file from top to bottom; the `with` block is given `write(rows)`.

    rows (n, width, channels) uint8 or uint16; channels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. A
    format that holds less gets less: 8 bits for 16, transparent pixels laid on white in a JPEG, of
    the metadata what it has a place for. The file appears under its name when the block ends well;
    when it ends badly nothing is left. Raises UserError.
    """
    path = Path(path)
    check_target(path, overwrite=overwrite)
    check_result(path, width=width, height=height)
    file_format = WRITABLE[path.suffix.lower()]
    flatten = file_format == "JPEG" and channels in (2, 4)
    if flatten:
        logging.warning("%s: JPEG has no transparency; laid on white (PNG and WebP keep it)", path)
        channels -= 1
    dtype = np.dtype(dtype) if file_format in ("PNG", "TIFF") else np.dtype(np.uint8)
    exif, metadata = _fitting_metadata(path, metadata, file_format, (width, height))
    layout = Layout(width, height, channels, dtype, exif, metadata, quality)
    with replacing(path, overwrite=overwrite) as file, ThreadPoolExecutor(1) as thread:
        with _named(path):
            writer = _WRITERS[file_format](file, layout)
        pending = deque()

        def finish():
            with _named(path):
                pending.popleft().result()

        def encode(rows):  # little at a time: encoders make copies
            step = max(1, _ENCODED_AT_A_TIME // (width * layout.channels))
            for top in range(0, len(rows), step):
                fitted = _fitted(rows[top : top + step], layout.dtype, flatten=flatten)
                writer.write(_opaque_or_not(fitted) if file_format == "GIF" else fitted)

        def write(rows):
            if pending:
                finish()
            pending.append(thread.submit(encode, rows))

        yield write
        while pending:
            finish()
        with _named(path):
            writer.close()


def _fitted(rows, dtype, *, flatten):
    rows = rows[..., None] if rows.ndim == 2 else rows
    if dtype == np.uint8 and rows.dtype == np.uint16:
        rows = ((rows.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if flatten:
        alpha = rows[..., -1:].astype(np.uint32)
        rows = ((rows[..., :-1] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return rows


def write_animation(
    path: str | Path,
    frames: Iterable[np.ndarray],
    *,
    durations: list[int],
    loop: int,
    metadata: Metadata = _NOTHING,
    quality: int = QUALITY,
    overwrite: bool = False,
) -> None:
    """Write frames, an iterable of (H, W, 3 or 4) uint8 arrays, as an animated GIF, WebP or PNG.

    durations: of each frame, in ms. loop: how often it is shown; 0 means for ever. Of the metadata
    the format keeps what it has a place for. Raises UserError.
    """
    path = Path(path)
    check_target(path, overwrite=overwrite)
    check_result(path, width=1, height=1, frames=len(durations))
    file_format = WRITABLE[path.suffix.lower()]
    options = {"quality": quality} if file_format == "WEBP" else {"disposal": 2} if file_format == "GIF" else {}
    images = (Image.fromarray(_opaque_or_not(frame) if file_format == "GIF" else frame) for frame in frames)
    with replacing(path, overwrite=overwrite) as file, _named(path):
        first = next(images)
        if file_format == "PNG":
            images = list(images)  # Pillow goes over them twice
        if file_format == "GIF" and loop == 1:
            loop = None  # a GIF without the loop block is shown once
        if loop is not None:
            options["loop"] = loop
        options |= _carried(path, metadata, file_format, first.size)
        first.save(file, file_format, save_all=True, append_images=images, duration=durations, **options)


def _carried(path, metadata, file_format, size):
    """What Pillow is told of an animation's metadata."""
    exif, metadata = _fitting_metadata(path, metadata, file_format, size)
    colours_and_camera = {"exif": exif, "icc_profile": metadata.icc_profile}
    given = {
        "GIF": {"comment": metadata.comment},
        "WEBP": {**colours_and_camera, "xmp": metadata.xmp},
        "PNG": {**colours_and_camera, "dpi": metadata.dpi, "pnginfo": _chunks(metadata)},
    }[file_format]
    return {name: value for name, value in given.items() if value}


def _chunks(metadata):
    """A PNG's texts and colours, as Pillow takes them."""
    chunks = PngImagePlugin.PngInfo()
    for kind, content in (metadata.colour_chunks or {}).items():
        chunks.add(kind, content)
    if metadata.xmp:
        chunks.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "surrogateescape"))
    for keyword, text in metadata.text:
        chunks.add_itxt(keyword, text)
    return chunks


def _opaque_or_not(pixels):
    """GIF knows no half transparency: (H, W, channels) uint8, with alpha, where it is the last,
    made 0 or 255.
    """
    if pixels.shape[2] in (2, 4):
        pixels = pixels.copy()
        pixels[..., -1] = np.where(pixels[..., -1] < 128, 0, 255)
    return pixels


def check_result(path: str | Path, *, width: int, height: int, frames: int = 1, memory: float | None = None) -> None:
    """Raise UserError for a result that the format of `path` cannot hold, or that takes more than
    `memory`.

    frames: more than 1 of an animation. memory: most bytes for a result that is held whole until it
    is encoded; None: any.
    """
    path, file_format = Path(path), WRITABLE[Path(path).suffix.lower()]
    if frames > 1 and file_format not in ANIMATED:
        raise UserError(f"{path}: cannot hold {frames} frames; write .gif, .webp or .png (--format)")
    longest = _LONGEST_SIDE.get(file_format)
    if longest and max(width, height) > longest:
        raise UserError(
            f"{path}: cannot be written: {width}x{height} has a side of more than {longest} pixels, "
            f"which {file_format} cannot hold; write .tif" + ("" if file_format == "PNG" else " or .png")
        )
    if file_format == "BMP" and 3 * width * height > _LARGEST_BMP:
        raise UserError(f"{path}: cannot be written: {width}x{height} is more than BMP can hold; write .png")
    needed = (_COLLECTED_FRAMES if frames > 1 else _COLLECTED).get(file_format, 0) * width * height * frames
    if memory is not None and needed > memory:
        several = f", {frames} frames" if frames > 1 else ""
        remedy = "a smaller --scale" if frames > 1 else "write .png or .tif"
        raise UserError(
            f"{path}: {width}x{height}{several} would take about {needed / 1e9:.1f} GB of memory as {file_format}; "
            f"{remedy}, --memory_mb={needed / 1e6 + 1:.0f} or --allow_large"
        )


@contextlib.contextmanager
def replacing(
    path: str | Path, *, overwrite: bool = False, suffixes: Collection[str] | None = None
) -> Iterator[BinaryIO]:
    """An open binary file that takes the place of `path` when the block ends well, and vanishes
    when it does not.

    Missing folders are made. Raises UserError when the file cannot be written, or the target has
    come to exist.
    """
    path = Path(path)
    # A short name of its own: the target's might already be as long as a file system allows.
    temporary = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        with _named(path):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError) as error:
                raise UserError(f"{path}: cannot be written: {path.parent} is not a folder") from error
            file = temporary.open("xb")
        try:
            yield file
            with _named(path):
                file.flush()  # a full disc may show itself only here
        finally:
            with contextlib.suppress(OSError):
                file.close()
        # Again: the work took its time, and another process may have been here.
        check_target(path, overwrite=overwrite, suffixes=suffixes)
        with _named(path):
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # renamed, or never made
            temporary.unlink()


def check_target(path: str | Path, *, overwrite: bool, suffixes: Collection[str] | None = None) -> None:
    """Raise UserError when `path` has none of the suffixes, is a folder, or exists and is not to be
    overwritten.

    suffixes: those of images when None.
    """
    path = Path(path)
    suffixes = suffixes or WRITABLE
    if path.suffix.lower() not in suffixes:
        raise UserError(
            f"{path}: cannot write {path.suffix or 'a name without suffix'}; use one of {' '.join(suffixes)}"
        )
    with _named(path):  # a name too long, for one
        if path.is_dir():
            raise UserError(f"{path}: is a folder; an image cannot take its place")
        if path.exists() and not overwrite:
            raise TargetExistsError(f"{path}: exists already; it is overwritten only when that is asked for")


@contextlib.contextmanager
def _named(path):
    """Encoders raise more than OSError: a side too long for the format, for one."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path}: cannot be written: {reason(error)}") from error


def _fitting_metadata(path, metadata, file_format, size):
    """(EXIF as bytes, the rest) as far as the format has a place for them; one line for what would
    change the colours.
    """
    exif = None
    if metadata.exif is not None and file_format not in ("BMP", "GIF"):
        exif = _exif_bytes(metadata.exif, size)
    if file_format != "PNG":
        if changed := metadata.colours_beside_srgb():
            logging.warning(
                "%s: %s left out: %s has no place for it, and the colours count as sRGB; PNG keeps it",
                *(path, ", ".join(changed), file_format),
            )
        metadata = metadata._replace(colour_chunks=None, text=())
    if metadata.xmp:
        metadata = metadata._replace(xmp=_resized_xmp(metadata.xmp, size))
    if file_format == "JPEG":
        if exif and len(exif) > _MAX_JPEG_SEGMENT:
            logging.warning("%s: EXIF left out: %d bytes are more than JPEG can hold", path, len(exif))
            exif = None
        for name, reserve in (("xmp", 29), ("iptc", 40), ("comment", 0)):
            content = getattr(metadata, name)
            if content and len(content) > _MAX_JPEG_SEGMENT - reserve:
                logging.warning("%s: %s left out: %d bytes are more than JPEG can hold", path, name, len(content))
                metadata = metadata._replace(**{name: None})
    return exif, metadata


def _exif_bytes(exif, size):
    if ExifTags.IFD.Exif in exif:
        sides = dict(zip((ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight), size, strict=True))
        exif[ExifTags.IFD.Exif] = {**exif[ExifTags.IFD.Exif], **sides}
    return exif.tobytes()


def _resized_xmp(xmp, size):
    """An XMP packet with the new width and height where it names the old ones."""
    for names, side in (
        (rb"exif:PixelXDimension|tiff:ImageWidth", size[0]),
        (rb"exif:PixelYDimension|tiff:ImageLength", size[1]),
    ):
        xmp = re.sub(rb"((?:" + names + rb')(?:="|>))\d+', rb"\g<1>%d" % side, xmp)
    return xmp
