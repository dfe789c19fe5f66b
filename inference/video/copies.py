"""Streams whose packets are copied as they are, and the metadata that goes with them."""

import io
import re

import av
from av.container import OutputContainer
from av.stream import Stream

# Written by muxers and encoders about the very file they made: no longer true, or made anew.
_TECHNICAL = re.compile(
    "encoder|major_brand|minor_version|compatible_brands|duration|bps|number_of_|_statistics|vendor_id|creation_tool|handler_name|"
    "metadatacreator|has_|datasize|videosize|alpha_mode|source_id|filesize|lasttimestamp|lastkeyframe|canseektoend|variant_bitrate"
)
_TIMECODE = re.compile(r"\d\d:\d\d:\d\d[:;.]\d\d")


class Copy:
    """A stream whose packets are copied, each tried first in a container of its own, which is
    thrown away.

    What a muxer says it holds it may refuse at the head; and a damaged packet that it refuses in
    the film itself, where packets wait for those of other streams, would end the film.
    """

    def __init__(self, container: OutputContainer, other: Stream):
        """Add a stream like `other` to a container.

        Raises ValueError or FFmpegError where that cannot hold it.
        """
        self._other, self._format, self._end = other, container.format.name, None
        self._trial, self._tried = _open_trial(other, self._format)
        self._stream = _like(container, other)

    def ready(self, packet: av.Packet) -> bool:
        """Make a packet one of this stream, its stamps rising, where need be by a tick.

        False where it cannot be written.
        """
        end = self._end
        if packet.dts is None:
            packet.dts = packet.pts if packet.pts is not None else (0 if end is None else end + 1)
        if end is not None and packet.dts <= end:
            packet.dts = end + 1
        if packet.pts is None or packet.pts < packet.dts:
            packet.pts = packet.dts
        stamp = packet.dts
        try:
            if end is None:  # some damage shows only in the index, which a whole file has at its end
                first, packet.stream = _open_trial(self._other, self._format)
                first.mux(packet)
                first.close()
            packet.stream = self._tried
            self._trial.mux(packet)
        except (av.FFmpegError, ValueError):
            return False
        self._end, packet.stream = stamp, self._stream
        return True


def fits(stream: Stream, name: str) -> bool:
    """Whether a container of that name holds such a stream."""
    try:
        _open_trial(stream, name)
    except (av.FFmpegError, ValueError):
        return False
    return True


def kept(metadata: dict, *, technical: bool = False) -> dict:
    """What is to be carried of a film's or a stream's metadata; technical: also what describes its
    coding.
    """
    found = {key: value for key, value in metadata.items() if technical or not _TECHNICAL.match(key.lower())}
    if found.get("software", "").startswith("Lavf"):
        del found["software"]
    if not _TIMECODE.fullmatch(found.get("timecode", "00:00:00:00")):  # muxers fail on any other
        del found["timecode"]
    return found


def _open_trial(other, name):
    trial = av.open(_Nowhere(), "w", format=name)
    stream = _like(trial, other)
    trial.start_encoding()
    return trial, stream


def _like(container, other):
    copy, context = container.add_stream_from_template(other), other.codec_context
    if other.type == "audio" and "channels" in context.layout.name:  # an order that old containers leave open
        copy.codec_context.layout = {1: "mono", 2: "stereo"}.get(context.channels, context.layout)
    copy.metadata.update(kept(other.metadata, technical=True))
    copy.disposition = other.disposition
    return copy


class _Nowhere(io.RawIOBase):
    """A file that keeps nothing."""

    def __init__(self):
        self._position = 0

    def writable(self):
        return True

    def seekable(self):
        return True

    def write(self, content):
        self._position += len(content)
        return len(content)

    def seek(self, offset, whence=io.SEEK_SET):
        self._position = offset + (self._position if whence != io.SEEK_SET else 0)
        return self._position

    def tell(self):
        return self._position
