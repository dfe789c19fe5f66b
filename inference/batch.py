"""Many picture files in one go: one failure does not stop the others, and small ones are read ahead and written behind.

Reading, upscaling and writing overlap: decoders, LiteRT and encoders all let go of Python's lock.
"""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from errors import UserError
from inference.picture_files import naming, opened_for, upscale_file
from inference.reading import MAX_PIXELS, Animation, open_picture
from inference.sizes import iter_sized_strips
from inference.writing import QUALITY, check_target

# Pictures whose file is larger are handled alone, strip by strip: their encoder keeps a core busy as it is.
_SMALL_FILE = 2_000_000
_SMALL_RESULT = 8_000_000  # pixels
_READ_AHEAD = 4
_WRITTEN_BEHIND = 8


class Event(NamedTuple):
    """What became of one picture. error: a UserError, or None; skipped: its result was there already."""

    source: Path
    target: Path
    error: UserError | None = None
    skipped: bool = False


def upscale_files(
    upscaler,
    pairs,
    *,
    size=None,
    overwrite=False,
    keep_done=False,
    quality=QUALITY,
    max_pixels=MAX_PIXELS,
    advance=lambda source, share: None,
):
    """Upscale every (source, target) of `pairs`; yields an `Event` for each, in their order, as they finish.

    keep_done: a target that exists is skipped; else it is an error unless `overwrite`. advance: called with a source and
    a share of its work, adding up to 1. Other arguments as in `upscale_file`.
    """
    options = {"quality": quality, "overwrite": overwrite}
    pairs = [(Path(source), Path(target)) for source, target in pairs]
    waiting, behind = deque(pairs), deque()
    with ThreadPoolExecutor(1) as readers, ThreadPoolExecutor(2) as writers:
        ahead = deque()

        def look_ahead():
            while waiting and len(ahead) < _READ_AHEAD:
                source, target = waiting.popleft()
                done = keep_done and not overwrite and target.is_file()
                ahead.append(
                    (source, target, None if done else readers.submit(_read_small, source, target, options, max_pixels))
                )

        def handle(source, target, reading):
            """An Event, or a future that ends in one."""
            if reading is None:
                return Event(source, target, skipped=True)
            try:
                picture = reading.result()
                if picture is None:
                    share = lambda part: advance(source, part)  # noqa: E731
                    upscale_file(upscaler, source, target, size=size, max_pixels=max_pixels, advance=share, **options)
                    return Event(source, target)
                strips = list(naming(source, iter_sized_strips(upscaler, picture, size)))
                return writers.submit(_write, upscaler, source, target, picture, size, strips, options)
            except UserError as error:
                return Event(source, target, error)

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


def _read_small(source, target, options, max_pixels):
    """The picture, or None where it is to be handled strip by strip: it is large, moves, or is not to be read at all."""
    check_target(target, overwrite=options["overwrite"])
    if not source.is_file() or source.stat().st_size > _SMALL_FILE:
        return None
    with open_picture(source, max_pixels=max_pixels) as picture:
        large = isinstance(picture, Animation) or picture.colours[..., :1].size * 16 > _SMALL_RESULT
        return None if large else picture


def _write(upscaler, source, target, picture, size, strips, options):
    try:
        with opened_for(upscaler, source, target, picture, size, **options) as write:
            for strip in strips:
                write(strip)
    except UserError as error:
        return Event(source, target, error)
    return Event(source, target)
