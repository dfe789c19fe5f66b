"""What of a film could not be read, counted, for one line at its end."""


class Damage:
    """Counts while a film is read. `describe` says it in one line."""

    def __init__(self, *, seconds: float = 0, frames: int = 0):
        """What the film's head states: its length in seconds and its number of frames; 0 where it does not, or is not to be held to it."""
        self._seconds, self._frames = seconds, frames
        self._packets = self._seen = self._faulty = self._unreadable = self._lost_copies = 0
        self._first, self._end = None, 0.0

    def packet(self, packet, video) -> None:
        """A packet was read. video: the film's main stream."""
        self._seen += packet.stream.index == video.index
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is not None:
            self._end = max(self._end, float((stamp + (packet.duration or 0)) * packet.time_base))

    def undecodable(self, packet) -> None:
        """A packet of video gave an error instead of a frame."""
        self._packets += 1
        self._mark(packet.dts if packet.pts is None else packet.pts, packet.time_base)

    def faulty(self, frame) -> None:
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
        if self._packets:
            parts.append(f"{_count(self._packets, 'packet')} of video could not be decoded")
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

    def _mark(self, stamp, time_base):
        if self._first is None and stamp is not None and time_base:
            self._first = float(stamp * time_base)


def _count(number, word):
    return f"{number} {word}{'s' * (number != 1)}"
