"""The film that is written: one video stream, copies of the others, and all that the source says of
itself.

What the container cannot hold is named, once it is written: the result is opened and compared.
"""

from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from absl import logging
from av.stream import Disposition

from inference.output_plan import CONTAINERS
from inference.video.copies import Copy, fits, kept
from inference.video.source import Source

# An encoder and its options. superfast with macroblock trees from a short look-ahead: within an
# eighth of veryfast's file size at its PSNR, in 0.55 of its time.
_X264 = ("libx264", {"crf": "18", "preset": "superfast", "x264-params": "mbtree=1:rc-lookahead=10"})
_VP9 = ("libvpx-vp9", {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"})
_DISPLAY_MATRIX = "DISPLAYMATRIX"
_COVERS = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}


def holds_aspect(path: Path) -> bool:
    """Whether a result there can say that its pixels are not square.

    WebM's cannot: VP9 has no place for it.
    """
    return path.suffix.lower() != ".webm"


class Target:
    """The film that is written."""

    def __init__(self, file: BinaryIO, path: Path, source: Source, *, height: int, width: int):
        """file: open for writing, path: what it is called in messages. height, width: even."""
        self.file, self._path, self._source = file, path, source
        self.height, self.width = height, width
        name = CONTAINERS[path.suffix.lower()]
        codec, options = _VP9 if name == "webm" else _X264
        settings = {"default_mode": "passthrough"}
        if name in ("mp4", "mov"):
            # In fragments until the index is written at the end: it plays up to there, whatever
            # ends it. Not with a cover, of which a track would be made; nor with AAC in its form
            # for broadcasting, which says too late what a first fragment must hold.
            late = source.covers or any(
                one.type == "audio" and one.name == "aac" and not one.extradata for one in source.container.streams
            )
            # Keys of cameras, com.apple and the like, have no other place.
            tags = any("." in key for key in source.container.metadata)
            flags = "+use_metadata_tags" * tags + "+hybrid_fragmented+delay_moov" * (not late)
            settings = {"movflags": flags} if flags else {}
        self._straight = _Straight(file.raw)
        self._container = av.open(self._straight, "w", format=name, container_options=settings)
        self._open_video(codec, options)
        self._copies = {}
        for other in source.container.streams:
            if other.index != source.video.index:
                self._copy_stream(other)
        self._container.metadata.update(kept(source.container.metadata))
        self._container.set_chapters(source.chapters())
        self._container.start_encoding()  # what cannot be written fails before the work, not after

    def _open_video(self, codec, options):
        source = self._source
        self._stream = stream = self._container.add_stream(codec, rate=source.rate, options=dict(options))
        stream.width, stream.height, stream.pix_fmt = self.width, self.height, "yuv420p"
        context = stream.codec_context
        stream.time_base = context.time_base = source.time_base
        tags = source.colours.tags(self.height, self.width)
        context.colorspace, context.color_range = tags.matrix, tags.range
        context.color_primaries, context.color_trc = tags.primaries, tags.transfer
        if source.aspect and holds_aspect(self._path):
            context.sample_aspect_ratio = source.aspect
        matrix = _display_matrix(source.first)
        if matrix is not None:
            stream.set_display_matrix(matrix)
        stream.disposition = source.video.disposition
        stream.metadata.update(kept(source.video.metadata))

    def _copy_stream(self, other):
        name = self._container.format.name
        if other.type == "video" and other.disposition & Disposition.attached_pic:
            self._copy_cover(other)
        elif other.type == "video":
            self._name(f"video left out: only one is enlarged (stream {other.index}, {_codec(other)})")
        elif other.type == "data" and self._source.chapters() and name != "matroska":
            pass  # QuickTime keeps its chapters in a stream of this kind
        elif other.type == "data":
            self._name(f"data left out (stream {other.index}, {_codec(other)})")
        else:
            try:
                self._copies[other.index] = Copy(self._container, other)
            except (av.FFmpegError, ValueError):
                remedy = "; a target NAME.mkv can" if fits(other, "matroska") else ""
                line = f"{other.type} left out: {name} cannot hold {_codec(other)} (stream {other.index}{remedy})"
                self._name(line)

    def _copy_cover(self, other):
        name, codec = self._container.format.name, other.codec_context and other.codec_context.name
        packet = next((packet for packet in self._source.covers if packet.stream.index == other.index), None)
        if packet is None or codec not in _COVERS or name in ("webm", "mov"):
            self._name(f"cover left out: {name} cannot hold it")
        elif name == "matroska":
            self._container.add_attachment(*_COVERS[codec], bytes(packet))
        else:
            self._copies[other.index] = Copy(self._container, other)

    def _name(self, line):
        logging.warning("%s: %s", self._path, line)

    def canvases(self, number: int) -> list[tuple[av.VideoFrame, np.ndarray]]:
        """Frames to write pixels into: (frame, (height, width, 3) uint8)."""
        return [self._source.colours.canvas(self.height, self.width) for _ in range(number)]

    def encode(self, canvas: av.VideoFrame, pts: int) -> None:
        """Write one frame of `canvases`."""
        frame = self._source.colours.from_rgb(canvas)
        frame.pts, frame.time_base = pts, self._source.time_base
        self._container.mux(self._stream.encode(frame))

    def copy(self, packet: av.Packet) -> None:
        """Write a packet of another stream as it is; its stamps rise, where need be, by a tick
        each.
        """
        copy = self._copies.get(packet.stream.index)
        if copy is None:
            return
        if copy.ready(packet):
            self._container.mux(packet)
        else:
            self._source.damage.uncopied()

    @property
    def refused(self) -> OSError | None:
        """What the system said when it refused to write, which FFmpeg does not pass on."""
        return self._straight.error

    def close(self) -> None:
        """Write what the encoder still holds, and the index; then name what the container did not
        take.
        """
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()
        self._compare()

    def _compare(self):
        with av.open(self.file.name, metadata_errors="or_latin1") as result:
            held = {key.lower() for key in result.metadata}
            lost = [key for key in kept(self._source.container.metadata) if key.lower() not in held]
            if lost:
                self._name(f"metadata left out: {', '.join(sorted(lost))}")
            chapters = self._source.chapters()
            if len(result.chapters()) < len(chapters):
                self._name(f"{len(chapters) - len(result.chapters())} chapters left out")


def frames_in(file: BinaryIO) -> int:
    """How many frames a file holds that was perhaps not finished; 0 where it cannot be read."""
    try:
        with av.open(file.name) as container:
            return sum(1 for packet in container.demux(video=0) if packet.size)
    except (av.FFmpegError, OSError, ValueError, IndexError):
        return 0


class _Straight:
    """A file written past Python's buffer, which would hold on to what a full disc has refused, and
    refuse to close.
    """

    def __init__(self, raw):
        self._raw, self.name, self.seek, self.tell, self.error = raw, raw.name, raw.seek, raw.tell, None

    def write(self, content):
        left = memoryview(content)
        try:
            while left:
                left = left[self._raw.write(left) :]
        except OSError as error:
            self.error = error
            raise
        return len(content)


def _display_matrix(frame):
    """Rotation and mirroring, nine numbers, or None."""
    for data in frame.side_data:
        if data.type.name == _DISPLAY_MATRIX:
            return np.frombuffer(bytes(data), np.int32).tolist()
    return None


def _codec(stream):
    context = stream.codec_context
    return context.name if context else getattr(stream, "name", None) or "an unknown kind"
