"""From picture file to larger picture file, strip by strip, with everything kept that the file held."""

from pathlib import Path

import numpy as np

from errors import UserError
from inference.reading import MAX_PIXELS, Animation, open_picture
from inference.sizes import iter_sized_strips, result_size
from inference.writing import QUALITY, check_animated, check_target, picture_file, write_animation


def upscale_file(
    upscaler,
    source,
    target,
    *,
    size=None,
    overwrite=False,
    quality=QUALITY,
    max_pixels=MAX_PIXELS,
    advance=lambda share: None,
):
    """Upscale one picture file into another; the target's suffix says its format.

    upscaler: an Upscaler. size: a `Size`; the network's own factor when None. quality: of JPEG and WebP. max_pixels: of the
    source; None: any. advance: called with the share of the work, adding up to 1, as it gets done. Missing folders are
    made; the result is written under a temporary name in the target's folder and renamed. Returns the target's path.

    Raises UserError, its message "PATH: reason", when the source is missing, empty, damaged, no picture or larger than
    max_pixels; when the target exists and `overwrite` is not set; and when it cannot be written.
    """
    source, target = Path(source), Path(target)
    check_target(target, overwrite=overwrite)  # before the work, not after
    options = {"quality": quality, "overwrite": overwrite}
    with open_picture(source, max_pixels=max_pixels) as picture:
        if isinstance(picture, Animation):
            _upscale_frames(upscaler, source, target, picture, size, advance, options)
        else:
            _upscale_still(upscaler, source, target, picture, size, advance, options)
    return target


def _upscale_still(upscaler, source, target, picture, size, advance, options):
    with opened_for(upscaler, source, target, picture, size, **options) as write:
        height = result_size(upscaler, picture, size)[0]
        for strip in naming(source, iter_sized_strips(upscaler, picture, size)):
            write(strip)
            advance(len(strip) / height)


def opened_for(upscaler, source, target, picture, size, **options):
    """`picture_file` for the result of `picture`, with everything it carries. options: quality, overwrite."""
    try:
        height, width = result_size(upscaler, picture, size)
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    return picture_file(
        target,
        width=width,
        height=height,
        channels=(1 if picture.colours.ndim == 2 else 3) + (picture.alpha is not None),
        dtype=picture.colours.dtype,
        exif=picture.exif,
        icc_profile=picture.icc_profile,
        **options,
    )


def _upscale_frames(upscaler, source, target, animation, size, advance, options):
    def frames():
        for frame in animation.frames:
            yield np.concatenate(list(naming(source, iter_sized_strips(upscaler, frame, size))))
            advance(1 / len(animation.durations))

    check_animated(target, len(animation.durations))
    write_animation(
        target,
        frames(),
        durations=animation.durations,
        loop=animation.loop,
        icc_profile=animation.icc_profile,
        **options,
    )


def naming(source, strips):
    """What goes wrong while a picture is computed names the file it came from."""
    try:
        yield from strips
    except (UserError, MemoryError) as error:
        raise UserError(f"{source}: {error or 'not enough memory'}") from error
