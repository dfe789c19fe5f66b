"""A film as it is read: frames and packets in their order, decoded ahead in a thread of its own,
past what is damaged.

FFmpeg's messages stay switched off (PyAV's default). PyAV's `logging.set_level` must not be called:
its messages need Python's lock, and a decoder's thread that waits for the lock while its caller
holds it hangs for ever.
"""

import codecs
import contextlib
import itertools
import queue
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from absl import logging
from av.format import Flags
from av.stream import Disposition

from data.image_reader import MAX_PIXELS
from errors import UserError
from inference.video.clock import FrameClock, TimeLine
from inference.video.colours import Colours
from inference.video.damage import Damage
from inference.video.interlacing import Deinterlacer, field_order

_AHEAD = 4  # decoded frames that may wait
_PREVIEW_SECONDS = 2
_PATIENCE = 10  # seconds for the decoder to end
_MOST_FAILURES = 100  # readings in a row that fail before the rest of a file counts as lost
_SENSIBLE_RATES = (Fraction(1, 100), 1000)
# Demuxers that may read a file, whatever its name says. Left out are playlists, which open other
# files, and devices.
_DEMUXERS = (
    "apng,asf,asf_o,av1,avi,avs,cavsvideo,dirac,dnxhd,dv,evc,flic,flv,gif,gxf,h261,h263,h264,hevc,ipu,ivf,kux,live_flv,lmlm4,lxf,m4v,"
    "matroska,mjpeg,mov,mpeg,mpegts,mpegtsraw,mpegvideo,mxf,nsv,nut,nuv,obu,ogg,pmp,rm,swf,vc1,vc1test,vivo,vvc,wtv,xmv,yuv4mpegpipe"
)
# Containers without an index that has to be kept to; and those that state their length in their
# head.
_RESYNCING = {"matroska", "mpegts", "mpeg", "flv", "ogg", "asf", "nut"}
_STATE_LENGTH = {"mov", "matroska", "avi", "flv"}


def _as_latin1(error):
    """Old tools wrote titles in Latin-1: what is no UTF-8 is read as that."""
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("or_latin1", _as_latin1)


def seconds_of(path: Path) -> float | None:
    """How long a film says it is; None where it does not, or cannot be opened."""
    try:
        with av.open(str(path), metadata_errors="or_latin1") as container:
            return container.duration / av.time_base if container.duration else None
    except (av.FFmpegError, OSError, ValueError):
        return None


class Frame(NamedTuple):
    """pixels: (H, W, 3) uint8 RGB. pts: in ticks of the film's time base, rising from frame to
    frame.
    """

    pixels: np.ndarray
    pts: int


class Source:
    """A film that is open. Iterating yields `Frame`s and the packets of all other streams, once."""

    def __init__(self, path: Path, *, preview: bool = False, deinterlace: bool = True):
        """Open it and decode the first frame. preview: the first two seconds only.

        Raises UserError for what holds no frame.
        """
        self.path, self._preview = path, preview
        self.container = _open(path)
        try:
            self.video = _main_video(self.container, path)
            self._set_up(deinterlace)
            self._items, self._held = self._decode(), []
            while not (self._held and isinstance(self._held[-1], Frame)):
                self._held.append(next(self._items, None))
                if self._held[-1] is None:
                    raise UserError(f"{path}: holds no frame that can be decoded")
        except BaseException:
            self.container.close()
            raise
        ratio = self.video.sample_aspect_ratio
        self.aspect = ratio if ratio and ratio > 0 and ratio != 1 else None
        # Images on the cover come before all else.
        self.covers = [item for item in self._held if _is_cover(getattr(item, "stream", None))]

    def _set_up(self, deinterlace):
        video, container = self.video, self.container
        # One thread: decoding takes a fiftieth of the time, and frame threads lose the neighbours
        # of what is damaged.
        video.thread_type, video.codec_context.thread_count = "NONE", 1
        rates = (video.average_rate, video.guessed_rate, video.base_rate)
        low, high = _SENSIBLE_RATES
        self.rate = next((rate for rate in rates if rate and low <= rate <= high), Fraction(25))
        self.time_base = video.time_base or 1 / self.rate
        names = set(container.format.name.split(","))
        joined = bool(container.format.flags & Flags.ts_discont.value)  # files of this kind can be joined end to end
        start = Fraction(container.start_time or 0, 1_000_000) if joined else Fraction(0)
        self._line = TimeLine(joined=joined, start=start)
        by_order = "dts" if "avi" in names else "pts" if "mxf" in names else None
        self._clock = FrameClock(time_base=self.time_base, rate=self.rate, by_order=by_order)
        self.order = field_order(video)
        self._deinterlacer = Deinterlacer(self.time_base, self.order) if deinterlace else None
        self.combs, self._stuck = False, False  # whether an interlaced frame was left as it is; the thread did not end
        self.first = self.colours = None
        stated = not self._preview and names & _STATE_LENGTH
        seconds = (container.duration or 0) / 1e6 if stated else 0
        if stated and "avi" in names:  # FFmpeg takes its length from what is left of the file
            seconds = max(seconds, float(video.frames / self.rate))
        frames = video.frames if stated and "mov" in names else 0
        resyncs = bool(names & _RESYNCING)
        self.damage = Damage(seconds=seconds, frames=frames, partial=self._preview, resyncs=resyncs)
        self.frames = video.frames or float((container.duration or 0) / 1e6 * self.rate)

    def __iter__(self) -> Iterator:
        waiting, stop = queue.Queue(_AHEAD), threading.Event()
        thread = threading.Thread(target=self._read_ahead, args=(waiting, stop), daemon=True)
        thread.start()
        try:
            while (item := waiting.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stop.set()
            thread.join(_PATIENCE)
            self._stuck = thread.is_alive()

    def close(self) -> None:
        """Close the file; a decoder that does not come back keeps it."""
        if not self._stuck:
            self.container.close()

    def chapters(self) -> list[dict]:
        """As PyAV gives and takes them, on the film's time line; with a preview those that begin in
        it.
        """
        chapters = self.container.chapters()
        return [one for one in chapters if not self._preview or one["start"] * one["time_base"] < _PREVIEW_SECONDS]

    def name_losses(self) -> None:
        """Say, a line each, what the result will not hold of the frames."""
        self.colours.name_losses(self.path)
        if self.combs:
            logging.warning("%s: interlaced, and enlarged with its combs; --deinterlace=auto takes them out", self.path)

    def _read_ahead(self, waiting, stop):
        def put(item):
            while not stop.is_set():
                with contextlib.suppress(queue.Full):
                    waiting.put(item, timeout=0.1)
                    return

        try:
            held, self._held = self._held, []
            for item in itertools.chain(held, self._items):
                put(item)
                if stop.is_set():
                    return
            put(None)
        except BaseException as error:  # for the thread that waits: nothing may end without a word
            put(error)

    def _decode(self):
        """All that the file holds, in order."""
        for packet in self._packets():
            if packet.stream.index != self.video.index:
                if packet.size and not self._is_late(packet.dts, packet.time_base):
                    yield packet
                continue
            for frame in self._ready(packet):
                if self._is_late(frame.pts, self.time_base):
                    return
                pixels = self._pixels(self.colours, frame)
                if pixels is not None:
                    self.damage.shown(frame.pts, self.time_base)
                    yield Frame(pixels, frame.pts)

    def _is_late(self, stamp, time_base):
        """Whether that is beyond the two seconds of a preview."""
        if not self._preview or stamp is None or self.first is None:
            return False
        return stamp * time_base - (self.first.pts or 0) * self.time_base >= _PREVIEW_SECONDS

    def _packets(self):
        """Packets on one time line, past the places that cannot be read; an empty one of video at
        the end, to flush it.
        """
        failures, read = 0, self.container
        while failures < _MOST_FAILURES:
            try:
                for packet in read.demux():
                    if packet.size:
                        failures = 0
                        self._line.place(packet)
                        self.damage.packet(packet, self.video)
                        yield packet
                break
            except (av.FFmpegError, ValueError, OSError):
                failures += 1
                self.damage.unreadable()
        last = av.Packet()
        last.stream, last.time_base = self.video, self.time_base
        yield last

    def _ready(self, packet):
        """Frames that are done once this packet was decoded, with their time stamps."""
        for frame in self._decoded(packet):
            for stamped in self._clock.push(frame):
                yield from self._whole(stamped)
        if not packet.size:
            for stamped in self._clock.flush():
                yield from self._whole(stamped)
            if self._deinterlacer:
                yield from self._deinterlacer.flush()

    def _decoded(self, packet):
        if packet.size:
            self._clock.sent(packet)
            self.damage.sent(packet, self.video.codec_context.name)
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError, OSError):
            self._clock.failed(packet)
            self.damage.undecodable(packet)
            return
        for frame in frames:
            self.damage.came(frame)
            if not 0 < frame.width * frame.height <= MAX_PIXELS:  # more is what a damaged head makes up
                self.damage.undecodable(packet)
                continue
            if frame.is_corrupt:
                self.damage.faulty(frame)
            if self.first is None:
                colours = Colours(frame)
                if self._pixels(colours, frame) is None:
                    continue
                self.first, self.colours = frame, colours
            yield frame

    def _pixels(self, colours, frame):
        """(H, W, 3) uint8, or None, which counts as damage: a stream can change to a format that
        has no way to RGB.
        """
        try:
            return colours.to_rgb(frame)
        except (av.FFmpegError, ValueError, OSError):
            self.damage.faulty(frame)
            return None

    def _whole(self, frame):
        if self._deinterlacer:
            yield from self._deinterlacer.push(frame)
        else:
            self.combs |= bool(frame.interlaced_frame or self.order)
            yield frame


def _open(path):
    """The container, by itself: no other file, no network. Raises UserError."""
    if not path.is_file():
        raise UserError(f"{path}: {'a folder, not a film' if path.is_dir() else 'no such file'}")
    if not path.stat().st_size:
        raise UserError(f"{path}: empty file")
    limits = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"}
    try:
        return av.open(f"file:{path}", container_options=limits, metadata_errors="or_latin1")
    except PermissionError as error:
        raise UserError(f"{path}: permission denied") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UserError(
            f"{path}: no film that can be read: another kind of file, or damaged at its head or index (a recording that was cut off "
            "has none)"
        ) from error


def _main_video(container, path):
    """The stream to enlarge: the first that is no cover. Raises UserError."""
    streams = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not streams:
        raise UserError(f"{path}: holds no video")
    main = next((stream for stream in streams if stream.disposition & Disposition.default), streams[0])
    if main.codec_context is None:
        raise UserError(f"{path}: its video is of a kind that FFmpeg has no decoder for")
    return main


def _is_cover(stream):
    return stream is not None and stream.type == "video" and bool(stream.disposition & Disposition.attached_pic)
