"""Videos through PyAV (FFmpeg): decoding, upscaling and encoding overlap; sound and subtitles are copied untouched.

Kept: every frame's time stamp (so also a variable frame rate), rotation, colour space and range. The result is H.264
(VP9 in .webm), 8 bits, 4:2:0. PyAV is an optional requirement, see requirements-video.txt.
"""

import contextlib
import queue
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import logging

from data.image_reader import Still
from errors import UserError, reason
from inference.sizes import Size, iter_sized_strips, result_size
from inference.writing import check_target, replacing

# Suffix -> FFmpeg's name of the container, encoder, and its options.
# superfast with macroblock trees from a short look-ahead: within an eighth of veryfast's file size at its PSNR, in 0.55 of its time.
_X264 = ("libx264", {"crf": "18", "preset": "superfast", "x264-params": "mbtree=1:rc-lookahead=10"})
_VP9 = ("libvpx-vp9", {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"})
CONTAINERS = {
    ".mp4": ("mp4", *_X264),
    ".m4v": ("mp4", *_X264),
    ".mov": ("mov", *_X264),
    ".mkv": ("matroska", *_X264),
    ".webm": ("webm", *_VP9),
}
READABLE_VIDEOS = frozenset([*CONTAINERS, ".avi", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".3gp", ".ogv"])

_PREVIEW_SECONDS = 2
_AHEAD = 4  # decoded frames, and frames to encode, that may wait


class VideoResult(NamedTuple):
    """frames: how many were written, in how many seconds; interrupted: whether Ctrl-C ended it early."""

    frames: int
    seconds: float
    interrupted: bool = False


def upscale_video(upscaler, source, target, *, size=None, preview=False, overwrite=False, advance=lambda share: None):
    """Upscale one video file into another; the target's suffix says its container. Returns a VideoResult.

    preview: the first two seconds only. advance: called with the share of the work as it gets done. On KeyboardInterrupt what
    is done by then is finished, as a file that plays. Raises UserError ("PATH: reason") for what cannot be read or written,
    and where PyAV is not installed.
    """
    av, source, target = _pyav(), Path(source), Path(target)
    check_target(target, overwrite=overwrite, suffixes=CONTAINERS)
    if not source.is_file():
        raise UserError(f"{source}: no such file")
    with contextlib.ExitStack() as stack:
        try:
            read = stack.enter_context(av.open(str(source)))
            if not read.streams.video:
                raise UserError(f"{source}: holds no video")
            read.streams.video[0].thread_type = "AUTO"
            first = next(read.decode(video=0), None)
            if first is None:
                raise UserError(f"{source}: holds no frame that can be decoded")
            read.seek(0)
            _name_what_is_lost(source, first)
        except (av.FFmpegError, OSError) as error:
            raise UserError(f"{source}: not a video, or damaged: {reason(error)}") from error
        file = stack.enter_context(replacing(target, overwrite=overwrite, suffixes=CONTAINERS))
        try:
            written = _Target(av, file, target, read, first, _even_size(upscaler, first, size))
            return _run(upscaler, _Source(read, source, preview), written, advance)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise UserError(f"{target}: cannot be written: {reason(error)}") from error


def upscale_raw(upscaler, stdin, stdout, *, width, height, size=None):
    """Raw RGB frames of 8 bits (FFmpeg's `-f rawvideo -pix_fmt rgb24`) from one binary stream to another.

    Returns the number of frames. Raises UserError when the stream ends amid a frame.
    """
    count, length = 0, width * height * 3
    while chunk := stdin.read(length):
        if len(chunk) < length:
            raise UserError(f"-: ends amid frame {count + 1}: {len(chunk)} of {length} bytes; is --video_size right?")
        picture = Still(np.frombuffer(chunk, np.uint8).reshape(height, width, 3))
        for strip in iter_sized_strips(upscaler, picture, size):
            stdout.write(np.ascontiguousarray(strip))
        stdout.flush()
        count += 1
    return count


def _pyav():
    try:
        import av
    except ImportError as error:
        raise UserError("videos need PyAV: pip install -r requirements-video.txt") from error
    av.logging.set_level(av.logging.ERROR)
    return av


def _name_what_is_lost(source, frame):
    """More than 8 bits; not the colour resolution, of which the enlarged 4:2:0 has more than any source."""
    bits = max(component.bits for component in frame.format.components)
    if bits > 8:
        logging.warning("%s: %d bits a sample (%s); the result has 8", source, bits, frame.format.name)


def _even_size(upscaler, frame, size):
    """4:2:0 halves the colours: both sides are even, by one pixel less where need be."""
    rows, columns = result_size(upscaler, Still(np.empty((frame.height, frame.width, 3), np.uint8)), size)
    return max(2, rows - rows % 2), max(2, columns - columns % 2)


class _Source:
    """Frames and packets of a file in their order, decoded ahead in a thread of its own."""

    def __init__(self, container, path, preview):
        self._container, self._path, self._preview = container, path, preview
        self._queue, self._stop = queue.Queue(_AHEAD), threading.Event()
        video = container.streams.video[0]
        self.copied = [*container.streams.audio, *container.streams.subtitles]
        self.frames = video.frames or float((container.duration or 0) / 1e6 * (video.average_rate or 0))

    def __iter__(self):
        thread = threading.Thread(target=self._decode, daemon=True)
        thread.start()
        try:
            while (item := self._queue.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self._stop.set()
            thread.join()

    def _decode(self):
        try:
            for packet in self._container.demux([self._container.streams.video[0], *self.copied]):
                if packet.stream.type != "video":
                    late = self._preview and packet.pts and packet.pts * packet.time_base > _PREVIEW_SECONDS
                    if packet.dts is not None and not late:
                        self._put(packet)
                    continue
                for frame in packet.decode():
                    if self._stop.is_set() or (self._preview and frame.time and frame.time >= _PREVIEW_SECONDS):
                        return
                    self._put(frame)
        except Exception as error:  # damage in the middle: what came before is kept
            logging.warning("%s: cannot be decoded further: %s", self._path, reason(error))
        finally:
            self._put(None)

    def _put(self, item):
        while True:
            with contextlib.suppress(queue.Full):
                self._queue.put(item, timeout=0.1)
                return
            if self._stop.is_set():
                return


class _Target:
    """The file that is written: one video stream, and copies of the others."""

    def __init__(self, av, file, path, read, first, size):
        video, (container, codec, options) = read.streams.video[0], CONTAINERS[path.suffix.lower()]
        self._av, self.height, self.width = av, *size
        self._container = av.open(file, "w", format=container)
        rate = video.average_rate or video.guessed_rate or 25
        self._stream = stream = self._container.add_stream(codec, rate=rate, options=dict(options))
        stream.width, stream.height, stream.pix_fmt = self.width, self.height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = video.time_base
        context = stream.codec_context
        context.color_range, context.colorspace = first.color_range, first.colorspace
        context.color_primaries, context.color_trc = first.color_primaries, first.color_trc
        if first.rotation:
            stream.set_display_rotation(first.rotation)
        self._colours = {"dst_colorspace": first.colorspace, "dst_color_range": first.color_range}
        self._copies = {}
        for other in (*read.streams.audio, *read.streams.subtitles):
            if other.codec_context.name not in self._container.supported_codecs:
                logging.warning(
                    "%s: %s left out: %s cannot hold %s", path, other.type, container, other.codec_context.name
                )
                continue
            self._copies[other.index] = copy = self._container.add_stream_from_template(other)
            copy.metadata.update(other.metadata)
        self._container.metadata.update(read.metadata)

    def copy(self, packet):
        """Write a packet of sound or subtitles as it is."""
        if packet.stream.index in self._copies:
            packet.stream = self._copies[packet.stream.index]
            self._container.mux(packet)

    def encode(self, pixels, pts, time_base):
        """Write one frame, (height, width, 3) uint8."""
        frame = self._av.VideoFrame.from_numpy_buffer(pixels, format="rgb24")  # no copy
        frame = frame.reformat(format="yuv420p", **self._colours)
        frame.pts, frame.time_base = pts, time_base
        self._container.mux(self._stream.encode(frame))

    def close(self):
        """Write what the encoder still holds, and the index."""
        self._container.mux(self._stream.encode(None))
        self._container.close()


def _run(upscaler, source, target, advance):
    begun, frames, interrupted = time.monotonic(), 0, False
    size = Size(width=target.width, height=target.height)
    # Used in turn: fresh memory costs as much as the rest of the copying. One is filled while _AHEAD wait.
    buffers = [np.empty((target.height, target.width, 3), np.uint8) for _ in range(_AHEAD + 1)]
    pending = deque()
    with ThreadPoolExecutor(1) as encoder:
        try:
            for item in source:
                while len(pending) >= _AHEAD:
                    pending.popleft().result()
                if hasattr(item, "to_ndarray"):
                    pixels = buffers[frames % len(buffers)]
                    _upscale_into(pixels, upscaler, item, size)
                    pending.append(encoder.submit(target.encode, pixels, item.pts, item.time_base))
                    frames += 1
                    advance(1 / max(source.frames, frames))
                else:
                    pending.append(encoder.submit(target.copy, item))
        except KeyboardInterrupt:
            interrupted = True
        while pending:
            pending.popleft().result()
        encoder.submit(target.close).result()
    return VideoResult(frames, time.monotonic() - begun, interrupted)


def _upscale_into(pixels, upscaler, frame, size):
    """Fill pixels (H, W, 3) uint8 with a frame's enlargement."""
    colours, (height, width) = frame.to_ndarray(format="rgb24"), pixels.shape[:2]
    if (height, width) == tuple(side * upscaler.scale for side in colours.shape[:2]):
        upscaler.upscale(colours, out=pixels)
        return
    sr = np.concatenate(list(iter_sized_strips(upscaler, Still(colours), size)))
    if sr.shape[:2] != (height, width):  # the aspect's rounding, or the odd row that 4:2:0 cannot hold
        missing = [(0, max(0, side - got)) for side, got in zip((height, width), sr.shape, strict=False)]
        sr = np.pad(sr, (*missing, (0, 0)), mode="edge")[:height, :width]
    pixels[:] = sr
