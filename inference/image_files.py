"""inference/image_files.py: from image files to larger image files, with everything kept that they
held.

One file is worked on strip by strip. Of many, one failure does not stop the others, and small ones
are read ahead and written behind: decoders, LiteRT and encoders all let go of Python's lock.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.image_reader import MAX_PIXELS, Animation, open_image
from errors import UserError, reason
from inference.choice import Networks
from inference.sizes import Size, iter_sized_strips, result_size
from inference.upscaler import Upscaler
from inference.writing import (
    MOST_COLLECTED,
    QUALITY,
    TargetExistsError,
    check_result,
    check_target,
    image_file,
    write_animation,
)

# Images whose file is larger are handled alone, strip by strip: their encoder keeps a core busy as
# it is.
_SMALL_FILE = 2_000_000
_SMALL_RESULT = 8_000_000  # pixels
_READ_AHEAD = 4
_WRITTEN_BEHIND = 8


class Event(NamedTuple):
    """What became of one image. error: a UserError, or None; skipped: its result was there
    already.
    """

    source: Path
    target: Path
    error: UserError | None = None
    skipped: bool = False


class _Job(NamedTuple):
    """What holds for every file of a call. memory: most bytes for a result held whole until it is
    encoded; None: any.
    """

    upscaler: Upscaler | Networks
    size: Size | None
    overwrite: bool
    quality: int
    max_pixels: int | None

    @property
    def memory(self) -> float | None:
        if self.max_pixels is None:
            return None
        return max(MOST_COLLECTED, 1e6 * (self.upscaler.memory_mb or 0))


def upscale_file(
    upscaler: Upscaler | Networks,
    source: str | Path,
    target: str | Path,
    *,
    size: Size | None = None,
    overwrite: bool = False,
    quality: int = QUALITY,
    max_pixels: int | None = MAX_PIXELS,
    advance: Callable[[float], None] = lambda share: None,
) -> Path:
    """Upscale one image file into another; the target's suffix says its format.

    size: the network's own factor when None. quality: of JPEG and WebP. max_pixels: of the source,
    all frames counted; None: any number, and any memory for a result that is held whole. advance:
    called with the share of the work, adding up to 1, as it gets done. Missing folders are made;
    the result is written under a temporary name in the target's folder and renamed. Returns the
    target's path.

    Raises UserError, its message "PATH: reason", when the source is missing, empty, damaged, no
    image or too large; when the target exists and `overwrite` is not set; and when it cannot be
    written.
    """
    source, target, job = Path(source), Path(target), _Job(upscaler, size, overwrite, quality, max_pixels)
    check_target(target, overwrite=overwrite)  # before the work, not after
    with open_image(source, max_pixels=max_pixels) as image:
        if isinstance(image, Animation):
            _upscale_frames(job, source, target, image, advance)
            return target
        with _opened(job, source, target, image) as write:
            height = result_size(upscaler, image, size)[0]
            for strip in _naming(source, iter_sized_strips(upscaler.for_image(source, image), image, size)):
                write(strip)
                advance(len(strip) / height)
    return target


def _opened(job, source, target, image):
    """`image_file` for the result of a `Still`, with everything it carries."""
    height, width = _checked_size(job, source, target, image)
    return image_file(
        target,
        width=width,
        height=height,
        channels=(1 if image.colours.ndim == 2 else 3) + (image.alpha is not None),
        dtype=image.colours.dtype,
        metadata=image.metadata,
        quality=job.quality,
        overwrite=job.overwrite,
    )


def _checked_size(job, source, target, image, frames=1):
    """(height, width) of the result.

    Raises UserError, before the work, for what the target's format cannot hold.
    """
    try:
        height, width = result_size(job.upscaler, image, job.size)
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    check_result(target, width=width, height=height, frames=frames, memory=job.memory)
    return height, width


def _upscale_frames(job, source, target, animation, advance):
    first = next(animation.frames)
    count = len(animation.durations)
    _checked_size(job, source, target, first, count)
    upscaler = job.upscaler.for_image(source, first)

    def frames():
        for frame in _with_first(first, animation.frames):
            yield np.concatenate(list(_naming(source, iter_sized_strips(upscaler, frame, job.size))))
            advance(1 / count)

    write_animation(
        target,
        frames(),
        durations=animation.durations,
        loop=animation.loop,
        metadata=animation.metadata,
        quality=job.quality,
        overwrite=job.overwrite,
    )


def _with_first(first, others):
    yield first
    yield from others


def _naming(source, strips):
    """What goes wrong while an image is computed names the file it came from."""
    try:
        yield from strips
    except (UserError, MemoryError) as error:
        raise UserError(f"{source}: {error or 'not enough memory'}") from error


def upscale_files(
    upscaler: Upscaler | Networks,
    pairs: Iterable[tuple[Path, Path]],
    *,
    size: Size | None = None,
    overwrite: bool = False,
    keep_done: bool = False,
    quality: int = QUALITY,
    max_pixels: int | None = MAX_PIXELS,
    advance: Callable[[Path, float], None] = lambda source, share: None,
) -> Iterator[Event]:
    """Upscale every (source, target) of `pairs`; yields an `Event` for each, in their order, as
    they finish.

    keep_done: a target that exists, or has come to exist by another process, is skipped; else it is
    an error unless `overwrite`. advance: called with a source and a share of its work, adding up to
    1. Others as in `upscale_file`.
    """
    job = _Job(upscaler, size, overwrite, quality, max_pixels)
    waiting, behind, ahead = deque((Path(source), Path(target)) for source, target in pairs), deque(), deque()
    with ThreadPoolExecutor(1) as readers, ThreadPoolExecutor(2) as writers:

        def look_ahead():
            while waiting and len(ahead) < _READ_AHEAD:
                source, target = waiting.popleft()
                ahead.append((source, target, readers.submit(_read_small, job, source, target)))

        def handle(source, target, reading):
            """An Event, or a future that ends in one."""
            try:
                image = reading.result()
                if image is None:
                    options = {"size": size, "overwrite": overwrite, "quality": quality, "max_pixels": max_pixels}
                    upscale_file(upscaler, source, target, **options, advance=lambda share: advance(source, share))
                    return Event(source, target)
                strips = list(_naming(source, iter_sized_strips(upscaler.for_image(source, image), image, size)))
                return writers.submit(_write, job, source, target, image, strips, keep_done)
            except Exception as error:  # one file's own, whatever a decoder or a network raises: it ends no folder
                return _failed(source, target, error, keep_done)

        try:
            look_ahead()
            while ahead or behind:
                if ahead:
                    behind.append(handle(*ahead.popleft()))
                    look_ahead()
                while behind and (not ahead or len(behind) > _WRITTEN_BEHIND or _is_done(behind[0])):
                    first = behind.popleft()
                    yield first if isinstance(first, Event) else first.result()
        finally:
            for pool in (readers, writers):
                pool.shutdown(wait=False, cancel_futures=True)  # those that run end well: a result is whole or absent


def _is_done(item):
    return isinstance(item, Event) or item.done()


def _failed(source, target, error, keep_done):
    """The Event of an error."""
    if isinstance(error, TargetExistsError) and keep_done:
        return Event(source, target, skipped=True)
    if isinstance(error, UserError):
        return Event(source, target, error)
    kind = "" if isinstance(error, OSError) else f"{type(error).__name__}: "
    return Event(source, target, UserError(f"{source}: {kind}{reason(error)}"))


def _read_small(job, source, target):
    """The image, or None where it is to be handled strip by strip: it is large, moves, or is not to
    be read at all.
    """
    check_target(target, overwrite=job.overwrite)
    if not source.is_file() or source.stat().st_size > _SMALL_FILE:
        return None
    with open_image(source, max_pixels=job.max_pixels) as image:
        if isinstance(image, Animation):
            return None
        height, width = _checked_size(job, source, target, image)
        return None if height * width > _SMALL_RESULT else image


def _write(job, source, target, image, strips, keep_done):
    try:
        with _opened(job, source, target, image) as write:
            for strip in strips:
                write(strip)
    except Exception as error:  # as above
        return _failed(source, target, error, keep_done)
    return Event(source, target)
