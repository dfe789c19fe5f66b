"""Films of many makings, written by PyAV, and what FFmpeg itself decodes of any film: nothing here
is our code.
"""

from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np

ACCURATE = 0x2000 | 0x4000 | 0x40000 | 0x20  # swscale: chroma at full resolution, exact rounding
SIDES = {
    "dvvideo": (720, 576),
    "dnxhd": (1280, 720),
    "h261": (176, 144),
    "h263": (176, 144),
    "rv10": (176, 144),
    "svq1": (64, 48),
}


class Film(NamedTuple):
    """How a film is made."""

    name: str
    codec: str = "libx264"
    pixels: str = "yuv420p"
    sound: str | None = "aac"
    rate: Fraction | int = 25
    options: dict = {}
    container: dict = {}  # options of the muxer
    size: tuple | None = None
    aspect: Fraction | None = None
    tags: tuple | None = None  # matrix, range, primaries, transfer
    fields: str | None = None  # "tff" or "bff"
    stamps: tuple | None = None
    rotation: int = 0
    format: str | None = None
    join: int = 1  # how often the file is written behind itself
    frames: int = 12


def _f(name, codec="libx264", **how):
    return Film(name, codec, **how)


_B = {"bf": "2", "g": "6"}
FILMS = [
    _f("h264.mp4"),
    _f("h264_b.mp4", options=_B),
    _f("h264.mov"),
    _f("h264.m4v"),
    _f("h264.mkv"),
    _f("h264.ts"),
    _f("h264_b.ts", options=_B),
    _f("h264.mts", format="mpegts", sound="ac3"),
    _f("h264.m2ts", format="mpegts", sound="ac3", container={"mpegts_m2ts_mode": "1"}),
    _f("h264.flv"),
    _f("h264.avi", sound="mp3"),
    _f("h264_b.avi", sound="mp3", options=_B),
    _f("h264.3gp"),
    _f("h264.mxf", sound="pcm_s16le", rate=25),
    _f("h264_444.mkv", pixels="yuv444p"),
    _f("h264_422_10.mkv", pixels="yuv422p10le"),
    _f("h264_10.mp4", pixels="yuv420p10le"),
    _f("h264_grey.mkv", pixels="gray"),
    _f("h264_rgb.mkv", "libx264rgb", pixels="rgb24"),
    _f("h264_full.mp4", tags=(1, 2, 1, 1)),
    _f("h264_709.mp4", tags=(1, 1, 1, 1)),
    _f("h264_601.mp4", tags=(6, 1, 6, 6)),
    _f("h264_pal.mov", tags=(5, 1, 5, 6)),
    _f("h264_2020.mkv", pixels="yuv420p10le", tags=(9, 1, 9, 14)),
    _f("h264_pq.mkv", pixels="yuv420p10le", tags=(9, 1, 9, 16)),
    _f("h264_240m.mkv", tags=(7, 1, 7, 7)),
    _f("h264_fcc.mp4", tags=(4, 1, 4, 4)),
    _f("h264_16_11.mp4", aspect=Fraction(16, 11)),
    _f("h264_16_11.mkv", aspect=Fraction(16, 11)),
    _f("h264_8_9.mov", aspect=Fraction(8, 9)),
    _f("h264_vfr.mp4", stamps=(0, 1, 2, 5, 6, 9, 10, 11, 20, 21, 22, 23)),
    _f("h264_vfr.mkv", stamps=(0, 1, 2, 5, 6, 9, 10, 11, 20, 21, 22, 23)),
    _f("h264_90.mp4", rotation=90),
    _f("h264_180.mov", rotation=180),
    _f("h264_odd.mkv", pixels="yuv444p", size=(65, 49)),
    _f("h264_2997.mp4", rate=Fraction(30000, 1001)),
    _f("h264_23976.mkv", rate=Fraction(24000, 1001)),
    _f("h264_slow.mp4", rate=Fraction(1, 2)),
    _f("h264_joined.ts", join=2),
    _f("h264_b_joined.ts", join=2, options=_B),
    _f("mpeg2_joined.mpg", "mpeg2video", sound="mp2", join=2),
    _f("h264_mbaff.mp4", fields="tff", options={"x264-params": "tff=1:interlaced=1"}),
    _f("mpeg2_tff.mpg", "mpeg2video", sound="mp2", fields="tff"),
    _f("mpeg2_bff.ts", "mpeg2video", sound="mp2", fields="bff"),
    _f("prores_tff.mov", "prores_ks", pixels="yuv422p10le", sound="pcm_s16le", fields="tff"),
    _f("mpeg2.mpg", "mpeg2video", sound="mp2"),
    _f("mpeg2.vob", "mpeg2video", sound="ac3", format="vob", aspect=Fraction(4, 3)),
    _f("mpeg2.ts", "mpeg2video", sound="mp2"),
    _f("mpeg2.mxf", "mpeg2video", sound="pcm_s16le"),
    _f("mpeg1.mpeg", "mpeg1video", sound="mp2"),
    _f("mpeg4.avi", "mpeg4", sound="mp3"),
    _f("mpeg4_b.avi", "mpeg4", sound="mp3", options={"bf": "2", "g": "6"}),
    _f("mpeg4.mp4", "mpeg4"),
    _f("mpeg4.3gp", "mpeg4"),
    _f("h263.3gp", "h263", sound=None),
    _f("msmpeg4.avi", "msmpeg4", sound="mp3"),
    _f("wmv2.wmv", "wmv2", sound="wmav2"),
    _f("wmv1.asf", "wmv1", sound="wmav1"),
    _f("flv1.flv", "flv", sound="mp3"),
    _f("hevc.mp4", "libx265"),
    _f("hevc_10.mkv", "libx265", pixels="yuv420p10le"),
    _f("hevc.ts", "libx265"),
    _f("vp8.webm", "libvpx", sound="vorbis"),
    _f("vp9.webm", "libvpx-vp9", sound="opus"),
    _f("vp9.mkv", "libvpx-vp9", sound="flac"),
    _f("av1.mp4", "libsvtav1"),
    _f("av1.mkv", "libsvtav1", sound="opus"),
    _f("mjpeg.avi", "mjpeg", pixels="yuvj420p", sound="pcm_s16le"),
    _f("mjpeg_422.mov", "mjpeg", pixels="yuvj422p", sound="pcm_s16le"),
    _f("ffv1.mkv", "ffv1", sound="flac"),
    _f("ffv1_alpha.mkv", "ffv1", pixels="yuva420p"),
    _f("ffv1_16.mkv", "ffv1", pixels="gbrp16le"),
    _f("ffv1_grey.mkv", "ffv1", pixels="gray"),
    _f("huffyuv.avi", "huffyuv", pixels="yuv422p", sound="pcm_s16le"),
    _f("utvideo.avi", "utvideo", pixels="gbrp", sound="pcm_s16le"),
    _f("prores_4444.mov", "prores_ks", pixels="yuva444p10le", sound="pcm_s24le"),
    _f("dnxhd.mov", "dnxhd", pixels="yuv422p", sound="pcm_s16le", options={"b": "90M"}, frames=4),
    _f("dv.dv", "dvvideo", sound=None, frames=3, format="dv"),
    _f("dv.avi", "dvvideo", sound="pcm_s16le", frames=3),
    _f("png.mov", "png", pixels="rgba", sound=None),
    _f("qtrle.mov", "qtrle", pixels="rgb24", sound="pcm_s16be"),
    _f("raw.avi", "rawvideo", sound="pcm_s16le"),
    _f("raw_yuyv.avi", "rawvideo", pixels="yuyv422", sound=None),
    _f("v210.mov", "v210", pixels="yuv422p10le", sound=None),
    _f("cinepak.avi", "cinepak", pixels="rgb24", sound=None),
    _f("svq1.mov", "svq1", pixels="yuv410p", sound=None),
    _f("snow.avi", "snow", sound=None),
    _f("rv10.rm", "rv10", sound=None),
    _f("gif.gif", "gif", pixels="rgb8", sound=None),
    _f("mpeg2.m2v", "mpeg2video", sound=None, format="mpeg2video"),
    _f("jpeg2000.mxf", "jpeg2000", pixels="yuv422p", sound="pcm_s16le"),
    _f("roundtrip.nut", "ffv1", sound="flac"),
    _f("silent.mp4", sound=None),
]


def content(index, height, width):
    """A frame: a gradient that wanders, in a colour of its own."""
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    wave = 40 * np.sin((columns + 3 * index) / width * 6.28) + 30 * np.cos(rows / height * 6.28)
    base = np.array([60 + 11 * (index % 12), 180 - 9 * (index % 12), 110.0])
    return np.clip(base + wave[..., None], 16, 235).astype(np.uint8)


def make(film, folder):
    """Write that film; returns its path."""
    path = folder / film.name
    width, height = film.size or SIDES.get(film.codec, (64, 48))
    with av.open(str(path), "w", format=film.format, container_options=dict(film.container)) as out:
        video = out.add_stream(film.codec, rate=film.rate, options=dict(film.options))
        video.width, video.height, video.pix_fmt = width, height, film.pixels
        context = video.codec_context
        matrix, spread, context.color_primaries, context.color_trc = film.tags or (2, 0, 2, 2)
        context.colorspace, context.color_range = matrix, spread
        if film.aspect:
            context.sample_aspect_ratio = film.aspect
        if film.rotation:
            video.set_display_rotation(film.rotation)
        if film.fields:
            context.flags |= 0x00040000 | 0x20000000  # interlaced DCT and motion
            context.field_order = 2 if film.fields == "tff" else 3
        sound = _sound_stream(out, film.sound) if film.sound else None
        stamps = film.stamps or range(film.frames)
        for index, stamp in enumerate(stamps):
            out.mux(video.encode(_frame(film, index, stamp, height, width, matrix, spread)))
        out.mux(video.encode(None))
        if sound:
            _write_sound(out, sound, float((max(stamps) + 1) / film.rate))
    if film.join > 1:
        path.write_bytes(path.read_bytes() * film.join)
    return path


def _frame(film, index, stamp, height, width, matrix, spread):
    pixels = content(2 * index, height, width)
    if film.fields:  # the second moment in the other lines
        later = content(2 * index + 1, height, width)
        first = 1 if film.fields == "tff" else 0
        pixels[first::2] = later[first::2]
    colours = {"dst_colorspace": {4: 4, 6: 5, 2: 5}.get(matrix, matrix), "dst_color_range": spread or 1}
    if film.pixels.startswith("yuvj"):
        colours["dst_color_range"] = 2
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    if film.pixels != "rgb24":
        frame = frame.reformat(format=film.pixels, interpolation=ACCURATE, **colours)
    if film.fields:
        frame = _marked(frame, film.fields)
    frame.pts, frame.time_base = stamp, 1 / Fraction(film.rate)
    return frame


def _marked(frame, fields):
    """The same frame, said to be interlaced."""
    graph = av.filter.Graph()
    source = graph.add("buffer", f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/25")
    sink = graph.add("buffersink")
    graph.link_nodes(source, graph.add("setfield", fields), sink).configure()
    source.push(frame)
    return sink.pull()


def _sound_stream(out, codec):
    rate = 48000 if codec == "opus" or (out.format.name in ("mxf", "avi") and codec.startswith("pcm")) else 44100
    stream = out.add_stream(codec, rate=rate, options={"strict": "-2"} if codec == "vorbis" else {})
    if codec.startswith("wma"):
        stream.bit_rate = 128_000
    return stream


def _write_sound(out, stream, seconds):
    rate, done = stream.codec_context.sample_rate, 0
    resampler = av.AudioResampler(stream.codec_context.format, stream.codec_context.layout.name, rate)
    while done < seconds * rate:
        wave = (8000 * np.sin(np.arange(done, done + 1024) * 440 * 6.2832 / rate)).astype(np.int16)
        samples = av.AudioFrame.from_ndarray(np.stack([wave, wave], 1).reshape(1, -1), format="s16", layout="stereo")
        samples.sample_rate, samples.pts, samples.time_base = rate, done, Fraction(1, rate)
        done += 1024
        for part in resampler.resample(samples):
            out.mux(stream.encode(part))
    out.mux(stream.encode(None))


class Decoded(NamedTuple):
    """What FFmpeg decodes of a film."""

    times: list
    means: np.ndarray  # (frames, 3), RGB
    size: tuple  # width, height
    aspect: float  # of the display
    tags: tuple
    rotation: int
    sound: list  # packets
    sound_times: list


def decode(path):
    """Decode a film by FFmpeg alone, past what is damaged."""
    times, means, sound, sound_times, first = [], [], [], [], None
    with av.open(str(path), metadata_errors="replace") as film:
        video = film.streams.video[0]
        video.thread_type = "NONE"
        for packet in _packets(film):
            if packet.stream.type == "audio":
                if packet.size:
                    sound.append(bytes(packet))
                    sound_times.append(None if packet.pts is None else float(packet.pts * packet.time_base))
            elif packet.stream.index == video.index:
                try:
                    frames = packet.decode()
                except (av.FFmpegError, ValueError):
                    continue
                for frame in frames:
                    first = first or frame
                    times.append(frame.time)
                    means.append(mean_colour(frame))
        ratio = video.sample_aspect_ratio or 1
        size = (first.width, first.height) if first else (0, 0)
        tags = (first.colorspace, first.color_range, first.color_primaries, first.color_trc) if first else None
        return Decoded(times, np.array(means), size, float(ratio) * size[0] / max(1, size[1]), tags, first.rotation if first else 0,
                       sound, sound_times)  # fmt: skip


def _packets(film):
    try:
        yield from film.demux([stream for stream in film.streams if stream.type in ("video", "audio")])
    except (av.FFmpegError, ValueError):
        return


def mean_colour(frame):
    """Of a frame's RGB, by FFmpeg's exact conversion."""
    colours = {}
    if not frame.format.is_rgb:
        full = frame.color_range == 2 or frame.format.name.startswith(("yuvj", "gray"))
        colours = {
            "src_colorspace": {2: 5, 6: 5, 0: 5}.get(frame.colorspace, frame.colorspace),
            "src_color_range": 2 if full else 1,
        }
    return frame.reformat(format="rgb24", interpolation=ACCURATE, **colours).to_ndarray().mean((0, 1))
