"""Time stamps: one time line over joined files, and stamps that rise from frame to frame."""

import heapq
from fractions import Fraction
from math import floor

import av

# How far a packet may lie behind or ahead of the one before it, in seconds, where a container can
# hold joined files: FFmpeg's own limits (`-dts_delta_threshold`).
_BACK, _AHEAD = Fraction(1, 10), 10


class TimeLine:
    """Moves packets of all streams to one time line.

    Files joined end to end (MPEG-TS, MPEG-PS, Ogg) count from their own beginning each; the later
    ones are moved behind the earlier. joined: whether the container can hold such files; elsewhere
    nothing is moved.
    start: of the time line, in seconds; it becomes zero.
    """

    def __init__(self, *, joined: bool, start: Fraction = Fraction(0)):
        self._joined, self._offset, self._ends = joined, -start, {}

    def place(self, packet: av.Packet) -> None:
        """Set a packet's pts and dts."""
        base = packet.time_base
        if self._joined and packet.dts is not None:
            time, index = packet.dts * base + self._offset, packet.stream_index
            end = self._ends.get(index, time)
            if not end - _BACK <= time <= end + _AHEAD:
                self._offset += end - time
                time = end
            self._ends[index] = time + (packet.duration or 0) * base
        if self._offset:
            shift = round(self._offset / base)
            packet.pts = None if packet.pts is None else packet.pts + shift
            packet.dts = None if packet.dts is None else packet.dts + shift


class FrameClock:
    """Strictly rising time stamps for decoded frames, in ticks of the film's time base.

    A stamp that is missing or does not rise becomes the one before it plus one frame's time; so
    does one that runs ahead of the frame after it. by_order: "dts" or "pts" where the container
    does not store when a frame is shown, and FFmpeg's guess may give the right stamps to the wrong
    frames: each frame then takes the least of those that `sent` has noted.
    """

    def __init__(self, *, time_base: Fraction, rate: Fraction, by_order: str | None = None):
        self._step, self._by_order = max(Fraction(1), 1 / (rate * time_base)), by_order
        self._stamps, self._last, self._held = [], None, None

    def sent(self, packet: av.Packet) -> None:
        """A packet went to the decoder."""
        if self._by_order and getattr(packet, self._by_order) is not None:
            heapq.heappush(self._stamps, getattr(packet, self._by_order))

    def failed(self, packet: av.Packet) -> None:
        """No frame will come of that packet."""
        if self._by_order and getattr(packet, self._by_order) in self._stamps:
            self._stamps.remove(getattr(packet, self._by_order))
            heapq.heapify(self._stamps)

    def push(self, frame: av.VideoFrame) -> list[av.VideoFrame]:
        """Take the next frame in the order of presentation; returns the one before it, with its
        stamp set.
        """
        if self._by_order and self._stamps:
            frame.pts = heapq.heappop(self._stamps)
        held, self._held = self._held, frame
        return [] if held is None else [self._stamped(held, frame.pts)]

    def flush(self) -> list[av.VideoFrame]:
        """The last frame."""
        held, self._held = self._held, None
        return [] if held is None else [self._stamped(held, None)]

    def _stamped(self, frame, following):
        stamp = frame.pts
        if self._last is None:
            self._last = Fraction(stamp or 0)
        else:
            expected = self._last + self._step
            ahead = stamp is not None and following is not None and self._last < following <= stamp and stamp > expected
            missing = stamp is None or ahead or stamp <= _nearest(self._last)
            self._last = expected if missing else Fraction(stamp)
        frame.pts = _nearest(self._last)
        return frame


def _nearest(stamp: Fraction) -> int:
    """Half up: stamps at least 1 apart stay apart, which rounding half to even does not grant."""
    return floor(stamp + Fraction(1, 2))
