"""Interlaced frames hold two moments in alternate lines.

Enlarged as they are, the combs stay for good: bwdif takes them apart first.
"""

from collections.abc import Iterator
from fractions import Fraction

import av

# FFmpeg's AVFieldOrder: which lines come first. Unknown and progressive are left out.
_FIELD_ORDERS = {2: "tff", 3: "bff", 4: "tff", 5: "bff"}
# Decoders that leave it to the container to say so.
_SILENT = ("ffv1", "ffvhuff", "huffyuv", "magicyuv", "rawvideo", "utvideo", "v210", "dnxhd", "jpeg2000", "png")
_LEAST_SIDE = 3  # of bwdif


def field_order(video: av.VideoStream) -> str | None:
    """What the container says of a stream whose decoder says nothing: "tff", "bff" or None."""
    return _FIELD_ORDERS.get(video.codec_context.field_order) if video.codec_context.name in _SILENT else None


class Deinterlacer:
    """Frames in, as many frames out, one late: those that are interlaced become whole frames of
    their first moment.
    """

    def __init__(self, time_base: Fraction, order: str | None):
        """order: as of `field_order`; where None, each frame says itself whether it is interlaced,
        and how.
        """
        self._time_base = time_base
        self._args = f"mode=send_frame:parity={order or 'auto'}:deint={'all' if order else 'interlaced'}"
        self._order, self._graph, self._shape = order, None, None

    def push(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Yields frames that are done. Nothing is held back as long as no frame was interlaced."""
        if self._graph is None and not (self._order or frame.interlaced_frame):
            yield frame
            return
        shape = (frame.width, frame.height, frame.format.name)
        if shape != self._shape:
            yield from self.flush()
            if min(shape[:2]) < _LEAST_SIDE:
                yield frame
                return
            self._open(*shape)
        self._source.push(frame)
        yield from self._pull()

    def flush(self) -> Iterator[av.VideoFrame]:
        """The frame that was held back."""
        if self._graph is not None:
            self._source.push(None)
            yield from self._pull()
        self._graph = self._shape = None

    def _open(self, width, height, pixel_format):
        self._graph, self._shape = av.filter.Graph(), (width, height, pixel_format)
        base = self._time_base
        buffer = f"video_size={width}x{height}:pix_fmt={pixel_format}:time_base={base.numerator}/{base.denominator}"
        self._source, self._sink = self._graph.add("buffer", buffer), self._graph.add("buffersink")
        self._graph.link_nodes(self._source, self._graph.add("bwdif", self._args), self._sink).configure()

    def _pull(self):
        while True:
            try:
                frame = self._sink.pull()
            except (BlockingIOError, EOFError):
                return
            frame.pts = round(frame.pts * frame.time_base / self._time_base)  # bwdif counts in half ticks
            yield frame
