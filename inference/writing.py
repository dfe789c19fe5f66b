"""To a picture file, whole or not at all: a temporary name beside the target, renamed when the last byte is written.

Strips are encoded in a thread of their own, one behind the network: both compressing and LiteRT let go of Python's
lock.
"""

import contextlib
import os
import secrets
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from absl import logging
from PIL import ExifTags, Image

from errors import UserError
from inference.reading import reason
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
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".gif": "GIF",
}
_ENCODED_AT_A_TIME = 1 << 22  # samples
_ANIMATED = ("GIF", "WEBP", "PNG")
_MAX_JPEG_EXIF = 65533  # one segment


@contextlib.contextmanager
def picture_file(
    path, *, width, height, channels, dtype, exif=None, icc_profile=None, quality=QUALITY, overwrite=False
):
    """Write a picture file from top to bottom; the `with` block is given `write(rows)`.

    rows (n, width, channels) uint8 or uint16; channels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. A format that holds less
    gets less: 8 bits for 16, transparent pixels laid on white in a JPEG. exif: an Image.Exif.
    The file appears under its name when the block ends well; when it ends badly nothing is left. Raises UserError.
    """
    path = Path(path)
    check_target(path, overwrite=overwrite)
    file_format = WRITABLE[path.suffix.lower()]
    flatten = file_format == "JPEG" and channels in (2, 4)
    if flatten:
        logging.warning("%s: JPEG has no transparency; laid on white (PNG and WebP keep it)", path)
        channels -= 1
    layout = Layout(
        width,
        height,
        channels,
        np.dtype(dtype) if file_format in ("PNG", "TIFF") else np.dtype(np.uint8),
        _exif_bytes(path, exif, file_format, (width, height)),
        icc_profile,
        quality,
    )
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
                writer.write(_fitted(rows[top : top + step], layout.dtype, flatten=flatten))

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


def write_animation(path, frames, *, durations, loop, icc_profile=None, quality=QUALITY, overwrite=False):
    """Write frames, an iterable of (H, W, 3 or 4) uint8 arrays, as an animated GIF, WebP or PNG. Raises UserError.

    durations: of each frame, in ms. loop: how often it is shown; 0 means for ever.
    """
    path = Path(path)
    check_target(path, overwrite=overwrite)
    check_animated(path, len(durations))
    file_format = WRITABLE[path.suffix.lower()]
    options = {"quality": quality} if file_format == "WEBP" else {"disposal": 2} if file_format == "GIF" else {}
    if icc_profile and file_format != "GIF":
        options["icc_profile"] = icc_profile
    images = (Image.fromarray(_opaque_or_not(frame) if file_format == "GIF" else frame) for frame in frames)
    with replacing(path, overwrite=overwrite) as file, _named(path):
        first = next(images)
        if file_format == "PNG":
            images = list(images)  # Pillow goes over them twice
        if file_format == "GIF" and loop == 1:
            loop = None  # a GIF without the loop block is shown once
        if loop is not None:
            options["loop"] = loop
        first.save(file, file_format, save_all=True, append_images=images, duration=durations, **options)


def _opaque_or_not(frame):
    """GIF knows no half transparency: (H, W, 4) with alpha rounded to 0 or 255."""
    if frame.shape[2] == 4:
        frame = frame.copy()
        frame[..., 3] = np.where(frame[..., 3] < 128, 0, 255)
    return frame


def check_animated(path, frames):
    """Raise UserError when a file of this suffix holds no more than one frame."""
    if WRITABLE[Path(path).suffix.lower()] not in _ANIMATED:
        raise UserError(f"{path}: cannot hold {frames} frames; write .gif, .webp or .png (--format)")


@contextlib.contextmanager
def replacing(path, *, overwrite=False, suffixes=None):
    """An open binary file that takes the place of `path` when the block ends well, and vanishes when it does not.

    Missing folders are made. Raises UserError when the file cannot be written, or the target has come to exist.
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
        check_target(
            path, overwrite=overwrite, suffixes=suffixes
        )  # again: the work took its time, and another process may have been here
        with _named(path):
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # renamed, or never made
            temporary.unlink()


def check_target(path, *, overwrite, suffixes=None):
    """Raise UserError when `path` has none of the suffixes, is a folder, or exists and is not to be overwritten.

    suffixes: those of pictures when None.
    """
    path = Path(path)
    suffixes = suffixes or WRITABLE
    if path.suffix.lower() not in suffixes:
        raise UserError(
            f"{path}: cannot write {path.suffix or 'a name without suffix'}; use one of {' '.join(suffixes)}"
        )
    if path.is_dir():
        raise UserError(f"{path}: is a folder; a picture cannot take its place")
    if path.exists() and not overwrite:
        raise UserError(f"{path}: exists already; it is overwritten only when that is asked for")


@contextlib.contextmanager
def _named(path):
    """Encoders raise more than OSError: a side too long for the format, for one."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path}: cannot be written: {reason(error)}") from error


def _exif_bytes(path, exif, file_format, size):
    if exif is None or file_format in ("BMP", "GIF"):
        return None
    if ExifTags.IFD.Exif in exif:
        sides = dict(zip((ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight), size, strict=True))
        exif[ExifTags.IFD.Exif] = {**exif[ExifTags.IFD.Exif], **sides}
    content = exif.tobytes()
    if file_format == "JPEG" and len(content) > _MAX_JPEG_EXIF:
        logging.warning("%s: EXIF left out: %d bytes are more than JPEG can hold", path, len(content))
        return None
    return content
