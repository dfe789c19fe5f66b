"""A film's colours to RGB and back, and what the result has to say of them.

swscale's defaults darken by one to two levels each way. Accurate rounding with chroma at full
resolution has no bias (tests/inference/test_video_colours.py), but for the chroma of full range,
which it cuts off: there twelve bits lie between.
"""

from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from absl import logging
from av.video.reformatter import Interpolation, VideoReformatter

# FFmpeg's numbers (AVColorSpace, AVColorRange), those of ITU-T H.273.
_RGB, BT709, UNSPECIFIED, _FCC, _BT470BG, SMPTE170M, _SMPTE240M, _YCGCO, _BT2020, _BT2020_CL = (
    0,
    1,
    2,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
)
LIMITED, FULL = 1, 2
# The matrices that swscale has, under its own numbers.
_MATRICES = {BT709: 1, _FCC: 4, _BT470BG: 5, SMPTE170M: 5, _SMPTE240M: 7, _BT2020: 9, _BT2020_CL: 9}
_NAMES = {_YCGCO: "YCgCo", _BT2020_CL: "BT.2020 with constant luminance", 14: "ICtCp"}
# What a frame may carry beside its pixels, and the result does not.
_HDR = ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL", "DYNAMIC_HDR_PLUS", "DYNAMIC_HDR_VIVID")
_SIDE_DATA = dict.fromkeys(_HDR, "HDR metadata") | {
    "DOVI_METADATA": "Dolby Vision",
    "DOVI_RPU_BUFFER": "Dolby Vision",
    "A53_CC": "closed captions",
    "STEREO3D": "stereoscopy",
    "SPHERICAL": "spherical projection",
    "ICC_PROFILE": "colour profile",
}
# From so many rows or columns on, players take a film that does not name its matrix for BT.709.
_HD_ROWS, _HD_COLUMNS = 720, 1280

_FLAGS = Interpolation.AREA | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND

# Full range of twelve bits to that of eight, rounded half up.
_TWELVE = np.arange(4096)
_LUMA = np.floor(_TWELVE * 255 / 4095 + 0.5).astype(np.uint8)
_CHROMA = np.clip(np.floor((_TWELVE - 2048) * 255 / 4095 + 128.5), 0, 255).astype(np.uint8)


class Tags(NamedTuple):
    """What a stream says of its colours, in FFmpeg's numbers."""

    matrix: int
    range: int
    primaries: int
    transfer: int


class Colours:
    """Conversions for one film."""

    def __init__(self, first: av.VideoFrame):
        """first: its first frame."""
        self._first, self._rgb = first, _is_rgb(first)
        known = first.colorspace in _MATRICES and not self._rgb
        self._guess = BT709 if _is_hd(first.height, first.width) or self._rgb else SMPTE170M
        self._matrix = _MATRICES[first.colorspace if known else self._guess]
        self._full = (first.color_range == FULL or first.format.name.startswith("yuvj")) and not self._rgb
        self._to_rgb, self._from_rgb = VideoReformatter(), VideoReformatter()

    def tags(self, height: int, width: int) -> Tags:
        """Of the result.

        A matrix that is not named stays so, unless players would then take another for its size.
        """
        first = self._first
        matrix = first.colorspace
        if self._rgb or matrix == _RGB or (matrix == UNSPECIFIED and self._guess != BT709 and _is_hd(height, width)):
            matrix = self._guess
        range_ = LIMITED if self._rgb else FULL if self._full else first.color_range
        return Tags(matrix, range_, first.color_primaries, first.color_trc)

    def name_losses(self, path: Path) -> None:
        """One line for each thing that the result's 8 bits of 4:2:0 cannot hold."""
        first, format_ = self._first, self._first.format
        bits = max(component.bits for component in format_.components)
        if bits > 8:
            logging.warning("%s: %d bits a sample (%s); the result has 8", path, bits, format_.name)
        if any(component.is_alpha for component in format_.components):
            logging.warning("%s: transparent (%s); the result is not", path, format_.name)
        if first.colorspace in _NAMES and not self._rgb:
            name = _NAMES[first.colorspace]
            logging.warning("%s: %s is not converted exactly; the network may see false colours", path, name)
        kinds = {_SIDE_DATA[data.type.name] for data in first.side_data if data.type.name in _SIDE_DATA}
        if kinds:
            logging.warning("%s: left out: %s", path, ", ".join(sorted(kinds)))

    def to_rgb(self, frame: av.VideoFrame) -> np.ndarray:
        """A decoded frame as (H, W, 3) uint8."""
        source = {}
        if not _is_rgb(frame):
            full = frame.color_range == FULL or frame.format.name.startswith("yuvj")
            grey = frame.format.name.startswith(("gray", "mono")) and frame.color_range == 0
            source = {"src_colorspace": self._matrix, "src_color_range": FULL if full or grey else LIMITED}
        rgb = self._to_rgb.reformat(frame, format="rgb24", dst_color_range=FULL, interpolation=_FLAGS, **source)
        return rgb.to_ndarray()

    def from_rgb(self, rgb: av.VideoFrame) -> av.VideoFrame:
        """A frame of `canvas` to 8 bits of 4:2:0, a new frame."""
        ours = {"dst_colorspace": self._matrix, "dst_color_range": FULL if self._full else LIMITED}
        made = {"interpolation": _FLAGS, "threads": 1}
        if not self._full:
            return self._from_rgb.reformat(rgb, format="yuv420p", **ours, **made)
        deep = self._from_rgb.reformat(rgb, format="yuv420p12le", **ours, **made)
        frame = av.VideoFrame(deep.width, deep.height, "yuv420p")
        for plane, from_, table in zip(frame.planes, deep.planes, (_LUMA, _CHROMA, _CHROMA), strict=True):
            _pixels(plane, np.uint8)[:] = table[_pixels(from_, np.uint16)]
        return frame

    def canvas(self, height: int, width: int) -> tuple[av.VideoFrame, np.ndarray]:
        """(frame, its pixels (H, W, 3) uint8 to write into), whose chroma is going to lie where
        H.264 and VP9 expect it: left.
        """
        graph = av.filter.Graph()
        source = graph.add("buffer", video_size=f"{width}x{height}", pix_fmt="rgb24", time_base="1/25")
        sited, sink = graph.add("setparams", "chroma_location=left"), graph.add("buffersink")
        graph.link_nodes(source, sited, sink).configure()
        source.push(av.VideoFrame(width, height, "rgb24"))
        frame = sink.pull()
        return frame, _pixels(frame.planes[0], np.uint8, 3).reshape(height, width, 3)


def _pixels(plane, dtype, channels=1):
    """A plane's memory, (height, channels * width), without the bytes that pad its rows."""
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size).view(dtype)
    return rows[:, : channels * plane.width]


def _is_rgb(frame):
    return frame.format.is_rgb or frame.format.name == "pal8"


def _is_hd(height, width):
    return height >= _HD_ROWS or width >= _HD_COLUMNS
