"""From a film to a larger film: decoding, the network, and encoding overlap.

What is done is kept, whatever happens.
"""

import contextlib
import itertools
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from data.bicubic import bicubic_resize
from data.image_reader import Still
from errors import UserError, reason
from inference.output_plan import CONTAINERS
from inference.sizes import Size, iter_sized_strips, result_size
from inference.upscaler import Upscaler
from inference.video.source import Frame, Source
from inference.video.target import Target, frames_in, holds_aspect
from inference.writing import check_target, replacing

_BEHIND = 4  # frames to encode that may wait


class VideoResult(NamedTuple):
    """frames: how many were written, in how many seconds; interrupted: what ended it early, Ctrl-C
    or a signal.

    problems: a line for each thing that went wrong: what of the source was damaged, why it ended
    before its time. whole: whether it goes on to the source's end.
    """

    frames: int
    seconds: float
    interrupted: KeyboardInterrupt | None = None
    problems: tuple[str, ...] = ()
    whole: bool = True


class _PutAsideError(Exception):
    """The film was given another name than its own; it is no temporary file any more."""


def upscale_video(
    upscaler: Upscaler,
    source: str | Path,
    target: str | Path,
    *,
    size: Size | None = None,
    preview: bool = False,
    deinterlace: bool = True,
    overwrite: bool = False,
    advance: Callable[[float], None] = lambda share: None,
) -> VideoResult:
    """Upscale one film into another; the target's suffix says its container.

    size: the network's own factor when None. preview: the first two seconds only. deinterlace:
    interlaced frames become whole ones first. advance: called with the share of the work as it gets
    done. A source that is damaged is read as far as it can be, and `problems` says what was lost.
    Once a frame is written nothing loses it: on KeyboardInterrupt, on a full disc, on any error the
    file is finished, so that it plays, and `problems` says why. A film that is not whole takes no
    older one's place: it goes beside it, as NAME_2.

    Raises UserError ("PATH: reason") for what cannot be read or written at all.
    """
    source, target = Path(source), Path(target)
    check_target(target, overwrite=overwrite, suffixes=CONTAINERS)
    with contextlib.suppress(_PutAsideError), contextlib.ExitStack() as stack:
        film = Source(source, preview=preview, deinterlace=deinterlace)
        stack.callback(film.close)
        film.name_losses()
        height, width = _even_size(upscaler, film, size, squared=not holds_aspect(target))
        file = stack.enter_context(replacing(target, overwrite=overwrite, suffixes=CONTAINERS))
        try:
            written = Target(file, target, film, height=height, width=width)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise UserError(f"{target}: cannot be written: {_why(error)}") from error
        result = _Run(upscaler, film, written, target).all(advance)
        if target.exists() and not (overwrite and result.whole):
            names = (target.with_stem(f"{target.stem}_{number}") for number in itertools.count(2))
            other = next(name for name in names if not name.exists())
            os.replace(file.name, other)
            if not overwrite:  # another process was faster; hours of work are not thrown away for it
                raise UserError(f"{target}: was made by something else meanwhile; this result is {other}")
            result = result._replace(problems=(*result.problems, f"{target}: stays as it was; the new part is {other}"))
            raise _PutAsideError
    return result


def _why(error):
    """FFmpeg's errors hold the system's words, too, but are not all OSError."""
    return getattr(error, "strerror", None) or reason(error)


class _Run:
    """One film's way through the network, and its end."""

    def __init__(self, upscaler, film, written, path):
        self._upscaler, self._film, self._target, self._path = upscaler, film, written, path
        self._pending, self._frames, self._done = deque(), 0, 0

    def all(self, advance):
        """Everything, then a file that plays: a VideoResult.

        Raises UserError or KeyboardInterrupt where not one frame was written.
        """
        begun, failure = time.monotonic(), None
        with ThreadPoolExecutor(1) as self._encoder:
            try:
                self._enlarge(advance)
                while self._pending:
                    self._pending.popleft().result()
            except (Exception, KeyboardInterrupt) as error:
                failure = error
            with _undisturbed():
                for future in self._pending:
                    failure = failure or future.exception()
                if not self._done:
                    raise failure if isinstance(failure, (UserError, KeyboardInterrupt)) else self._named(failure)
                failure = self._encoder.submit(self._target.close).exception() or failure
        interrupted = failure if isinstance(failure, KeyboardInterrupt) else None
        if failure is not None and not interrupted:
            self._done = frames_in(self._target.file)
            if not self._done:
                raise self._named(failure) from failure
        problems = []
        if failure is not None and not interrupted:
            problems.append(f"{self._named(failure)}; holds the {self._done} frames up to there")
        damage = None if failure else self._film.damage.describe()
        if damage:
            problems.insert(0, f"{self._film.path}: {damage}")
        return VideoResult(self._done, time.monotonic() - begun, interrupted, tuple(problems), failure is None)

    def _enlarge(self, advance):
        # Used in turn: fresh memory costs as much as the rest of the copying. One is filled while
        # others wait.
        canvases = self._target.canvases(_BEHIND + 1)
        with contextlib.closing(iter(self._film)) as items:
            for item in items:
                while len(self._pending) >= _BEHIND:
                    self._pending.popleft().result()
                if isinstance(item, Frame):
                    canvas, pixels = canvases[self._frames % len(canvases)]
                    _enlarge_into(pixels, self._upscaler, item.pixels)
                    self._pending.append(self._encoder.submit(self._encode, canvas, item.pts))
                    self._frames += 1
                    advance(1 / max(self._film.frames, self._frames))
                else:
                    self._pending.append(self._encoder.submit(self._target.copy, item))

    def _encode(self, canvas, pts):
        self._target.encode(canvas, pts)
        self._done += 1

    def _named(self, failure):
        """That error as a UserError with the name of a file."""
        if isinstance(failure, UserError):
            return UserError(f"{self._film.path}: {failure}")
        if isinstance(failure, MemoryError):
            return UserError(f"{self._film.path}: not enough memory")
        return UserError(f"{self._path}: cannot be written: {_why(self._target.refused or failure)}")


@contextlib.contextmanager
def _undisturbed():
    """Ctrl-C, SIGTERM and SIGHUP, or a second one of them, do not cut off the end of a file: it is
    a matter of a few frames.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP"))  # Windows has no SIGHUP
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers if number}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _even_size(upscaler, film, size, *, squared):
    """(height, width) of the result: even, since 4:2:0 halves the colours, by one pixel less where
    need be.

    squared: pixels that are not square become so; the side that grows is the shorter one.
    """
    height, width = film.first.height, film.first.width
    if squared and film.aspect:
        height, width = max(height, round(height / film.aspect)), max(width, round(width * film.aspect))
    if size is not None and film.first.rotation % 180:
        size = size._replace(width=size.height, height=size.width)
    try:
        rows, columns = result_size(upscaler, Still(np.empty((height, width, 3), np.uint8)), size)
    except UserError as error:
        raise UserError(f"{film.path}: {error}") from error
    return max(2, rows - rows % 2), max(2, columns - columns % 2)


def _enlarge_into(pixels, upscaler, colours):
    """Fill pixels (H, W, 3) uint8 with a frame's enlargement.

    Frames of another size than the first are brought to the same.
    """
    (height, width), (rows, columns) = pixels.shape[:2], colours.shape[:2]
    if (height, width) == (rows * upscaler.scale, columns * upscaler.scale):
        upscaler.upscale(colours, out=pixels)
        return
    most = upscaler.scale**2
    if height <= most * rows and width <= most * columns:
        size = Size(width=width) if width * rows >= height * columns else Size(height=height)
        colours = np.concatenate(list(iter_sized_strips(upscaler, Still(colours), size)))
    if max(abs(height - colours.shape[0]), abs(width - colours.shape[1])) > 1:
        colours = bicubic_resize(colours, height=height, width=width)
    missing = [(0, max(0, side - got)) for side, got in zip((height, width), colours.shape, strict=False)]
    pixels[:] = np.pad(colours, (*missing, (0, 0)), mode="edge")[:height, :width]
