"""What of a film could not be read, counted, for one line at its end."""

import re
from fractions import Fraction

import av
import numpy as np

# Decoders that give one frame for each packet. (VP8 has packets that are never shown; screen
# recorders leave frames out.)
_ONE_TO_ONE = re.compile(
    "h264|hevc|mpeg1video|mpeg2video|mpeg4|libdav1d|av1|vp9|mjpeg|ffv1|prores|dvvideo|msmpeg4|msmpeg4v2|wmv1|wmv2|wmv3|vc1|h263|flv|"
    "huffyuv|utvideo|png"
)
_REGULAR = 8  # so many even steps for each gap make a gap damage, and not a variable rate
_LEAST_SIZE = 20  # bytes; MPEG-4 says with less that a frame is left out


class Damage:
    """Counts while a film is read. `describe` says it in one line."""

    def __init__(self, *, seconds: float = 0, frames: int = 0, partial: bool = False, resyncs: bool = False):
        """What the film's head states: its length in seconds and its number of frames; 0 where it
        does not, or is not to be held to it.

        partial: whether only its beginning is read. resyncs: whether FFmpeg passes over what it
        cannot read of such a container without a word, so that a gap between frames tells of damage
        (elsewhere an index says which frames there are, and gaps are meant).
        """
        self._seconds, self._frames, self._partial, self._resyncs = seconds, frames, partial, resyncs
        self._packets = self._seen = self._faulty = self._unreadable = self._lost_copies = 0
        self._first, self._end = None, 0.0
        self._awaited, self._begin, self._fields = {}, None, False
        self._stamps, self._time_base = [], None

    def packet(self, packet: av.Packet, video: av.VideoStream) -> None:
        """A packet was read. video: the film's main stream."""
        self._seen += packet.stream.index == video.index
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is not None:
            self._end = max(self._end, float((stamp + (packet.duration or 0)) * packet.time_base))

    def sent(self, packet: av.Packet, codec: str) -> None:
        """A packet of video went to the decoder."""
        if (
            _ONE_TO_ONE.fullmatch(codec)
            and packet.pts is not None
            and packet.size >= _LEAST_SIZE
            and not packet.is_discard
        ):
            self._awaited[packet.pts] = packet.time_base

    def came(self, frame: av.VideoFrame) -> None:
        """The decoder gave a frame, with the stamp of its packet."""
        self._awaited.pop(frame.pts, None)
        self._begin = frame.pts if self._begin is None else self._begin
        self._fields |= bool(frame.interlaced_frame)  # two packets may be one frame

    def shown(self, stamp: int, time_base: Fraction) -> None:
        """A frame goes on, with its last stamp."""
        self._stamps.append(stamp)
        self._time_base = time_base

    def undecodable(self, packet: av.Packet) -> None:
        """A packet of video gave an error instead of a frame."""
        self._awaited.pop(packet.pts, None)
        self._packets += 1
        self._mark(packet.dts if packet.pts is None else packet.pts, packet.time_base)

    def faulty(self, frame: av.VideoFrame) -> None:
        """The decoder gave a frame that it had to guess parts of."""
        self._faulty += 1
        self._mark(frame.pts, frame.time_base)

    def unreadable(self) -> None:
        """The container could not be read at some place."""
        self._unreadable += 1

    def uncopied(self) -> None:
        """A packet of sound or subtitles could not be written."""
        self._lost_copies += 1

    def describe(self) -> str | None:
        """None where nothing is damaged."""
        parts = []
        # What comes before the first frame hangs on what the film was cut from: no damage of its
        # own.
        silent = sorted(stamp for stamp in self._awaited if self._begin is not None and stamp > self._begin)
        lost = self._packets + (0 if self._fields or self._partial else len(silent))
        if lost > self._packets:
            stamp = silent[0]
            first = float(stamp * self._awaited[stamp])
            self._first = first if self._first is None else min(first, self._first)
        if lost:
            parts.append(f"{_count(lost, 'packet')} of video could not be decoded")
        missing, place = self._gaps()
        if missing > lost:
            self._first = place if self._first is None else min(place, self._first)
            parts.append(f"{_count(missing - lost, 'frame')} missing")
        if self._faulty:
            parts.append(f"{_count(self._faulty, 'frame')} decoded with faults")
        if self._unreadable:
            parts.append(f"the file could not be read at {_count(self._unreadable, 'place')}")
        if self._lost_copies:
            parts.append(f"{_count(self._lost_copies, 'packet')} of sound or subtitles could not be copied")
        if self._seen < self._frames:
            parts.append(f"{self._frames - self._seen} of {self._frames} frames are missing")
        elif self._end < self._seconds - max(0.5, 0.02 * self._seconds):
            parts.append(f"ends after {self._end:.1f} of {self._seconds:.1f} s")
        if not parts:
            return None
        first = "" if self._first is None else f" (the first at {self._first:.2f} s)"
        return f"damaged: {', '.join(parts)}{first}; all else was kept"

    def _gaps(self):
        """(number, seconds of the first) of frames that are missing from a film of constant rate:
        packets of which nothing is left.
        """
        steps = np.diff(self._stamps)
        usual = np.median(steps) if len(steps) else 1
        gaps = np.flatnonzero(steps > 1.5 * usual)
        regular = np.count_nonzero(np.abs(steps - usual) <= max(1, 0.02 * usual))
        if not self._resyncs or not len(gaps) or regular + len(gaps) < len(steps) or regular < _REGULAR * len(gaps):
            return 0, None
        return int(np.sum(np.round(steps[gaps] / usual) - 1)), float(self._stamps[gaps[0] + 1] * self._time_base)

    def _mark(self, stamp, time_base):
        if self._first is None and stamp is not None and time_base:
            self._first = float(stamp * time_base)


def _count(number, word):
    return f"{number} {word}{'s' * (number != 1)}"
