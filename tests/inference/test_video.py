"""Videos made and read back by PyAV; what is compared was never decoded by our code."""

import io
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from errors import UserError
from inference import Upscaler
from inference.session import upscale_raw
from inference.sizes import Size
from inference.video.enlarging import upscale_video

ROOT = Path(__file__).parent.parent.parent
STAMPS = [0, 1, 2, 5, 6, 9, 10, 11, 20, 21, 22, 23]  # a variable frame rate, in 25ths of a second


def colour(index):
    return (20 + 15 * index, 200 - 10 * index, 90)


def make(path, *, width=32, height=18, stamps=STAMPS, sound=True, rotation=0, full_range=False):
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"crf": "5"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.color_range = 2 if full_range else 1
        if rotation:
            video.set_display_rotation(rotation)
        audio = container.add_stream("aac", rate=44100) if sound else None
        for index, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(
                np.full((height, width, 3), colour(index % 12), np.uint8), format="rgb24"
            )
            frame = frame.reformat(format="yuv420p", dst_color_range=2 if full_range else 1)
            frame.pts = stamp
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound:
            wave = np.sin(np.arange(44100) * 440 * 2 * np.pi / 44100).astype(np.float32)
            for start in range(0, 43008, 1024):
                samples = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="fltp", layout="mono")
                samples.sample_rate, samples.pts = 44100, start
                container.mux(audio.encode(samples))
            container.mux(audio.encode(None))
    return path


def packets(path, kind):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(**{kind: 0}) if packet.size]


def frames(path):
    with av.open(str(path)) as container:
        return [(frame.time, frame.rotation, frame.color_range, frame.to_ndarray(format="rgb24")) for frame in
                container.decode(video=0)]  # fmt: skip


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize("rotation, full_range", [(0, False), (90, True)])
def test_time_stamps_rotation_range_colours_and_sound_are_kept(nearest, tmp_path, suffix, rotation, full_range):
    source = make(tmp_path / "a.mp4", rotation=rotation, full_range=full_range)
    result = upscale_video(Upscaler(nearest), source, tmp_path / f"b{suffix}")
    before, after = frames(source), frames(tmp_path / f"b{suffix}")
    assert result.frames == len(before) == len(after) == len(STAMPS) and not result.interrupted
    # AAC begins before zero; Matroska knows no time before zero, so there FFmpeg moves sound and
    # images on together
    shift = 1024 / 44100 if suffix == ".mkv" else 0
    for index, (one, other) in enumerate(zip(before, after, strict=True)):
        assert other[0] == pytest.approx(one[0] + shift, abs=1e-3) and other[1:3] == one[1:3]
        assert other[3].shape == (72, 128, 3)
        assert np.abs(other[3].mean((0, 1)) - colour(index)).max() < 6
    assert packets(tmp_path / f"b{suffix}", "audio") == packets(source, "audio")


def test_sound_that_the_container_cannot_hold_is_named_and_left_out(nearest, tmp_path, caplog):
    upscale_video(Upscaler(nearest), make(tmp_path / "a.mp4"), tmp_path / "b.webm")
    assert "audio left out: webm cannot hold aac" in caplog.text
    assert len(frames(tmp_path / "b.webm")) == len(STAMPS)


def test_subtitles_are_kept(nearest, tmp_path):
    (tmp_path / "a.srt").write_text("1\n00:00:00,100 --> 00:00:00,500\nGood evening\n\n")
    plain = make(tmp_path / "plain.mp4")
    with (
        av.open(str(plain)) as video,
        av.open(str(tmp_path / "a.srt")) as words,
        av.open(str(tmp_path / "a.mkv"), "w") as out,
    ):
        streams = [(video.streams.video[0], video), (words.streams.subtitles[0], words)]
        copies = {id(stream): out.add_stream_from_template(stream) for stream, _ in streams}
        for stream, container in streams:
            for packet in container.demux(stream):
                if packet.dts is not None:
                    packet.stream = copies[id(stream)]
                    out.mux(packet)
    upscale_video(Upscaler(nearest), tmp_path / "a.mkv", tmp_path / "b.mkv")
    assert packets(tmp_path / "b.mkv", "subtitles") == packets(tmp_path / "a.mkv", "subtitles") == [b"Good evening"]


@pytest.mark.parametrize(("pixel_format", "bits"), [("yuv420p10le", 10), ("yuv444p", 8)])
def test_deeper_and_finer_colours_are_taken_and_a_loss_of_bits_is_named(nearest, tmp_path, caplog, pixel_format, bits):
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as container:
        video = container.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 32, 18, pixel_format
        for index in range(3):
            pixels = np.full((18, 32, 3), colour(index), np.uint8)
            container.mux(
                video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pixel_format))
            )
        container.mux(video.encode(None))
    upscale_video(Upscaler(nearest), source, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert container.streams.video[0].pix_fmt == "yuv420p"
    for index, frame in enumerate(frames(tmp_path / "b.mp4")):
        assert np.abs(frame[3].mean((0, 1)) - colour(index)).max() < 6
    named = f"a.mkv: {bits} bits a sample ({pixel_format}); the result has 8"
    assert (named in caplog.text) == (bits > 8)


def test_preview_is_two_seconds_and_size_is_met(nearest, tmp_path):
    source = make(tmp_path / "a.mp4", stamps=range(80), sound=False)
    result = upscale_video(Upscaler(nearest), source, tmp_path / "b.mp4", preview=True, size=Size(width=65))
    assert result.frames == 50
    assert frames(tmp_path / "b.mp4")[0][3].shape == (36, 64, 3)  # 65x37, made even


def test_interruption_leaves_a_file_that_plays(nearest, tmp_path):
    class Interrupted(type(nearest)):
        calls = 0

        def __call__(self, lr):
            Interrupted.calls += 1
            if Interrupted.calls == 6:
                raise KeyboardInterrupt
            return super().__call__(lr)

    result = upscale_video(Upscaler(Interrupted()), make(tmp_path / "a.mp4"), tmp_path / "b.mp4")
    assert result.interrupted and len(frames(tmp_path / "b.mp4")) == result.frames == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_a_part_takes_no_older_films_place(nearest, tmp_path):
    class Interrupted(type(nearest)):
        def __call__(self, lr):
            if (tmp_path / "b.mp4").read_bytes() == b"precious" and lr[0, 0, 0, 0] > 0.3:
                raise KeyboardInterrupt
            return super().__call__(lr)

    (tmp_path / "b.mp4").write_bytes(b"precious")
    result = upscale_video(Upscaler(Interrupted()), make(tmp_path / "a.mp4"), tmp_path / "b.mp4", overwrite=True)
    assert result.interrupted and "b.mp4: stays as it was; the new part is " in result.problems[-1]
    assert (tmp_path / "b.mp4").read_bytes() == b"precious"
    assert 0 < len(frames(tmp_path / "b_2.mp4")) == result.frames < len(STAMPS)
    assert upscale_video(Upscaler(nearest), tmp_path / "a.mp4", tmp_path / "b.mp4", overwrite=True).whole
    assert len(frames(tmp_path / "b.mp4")) == len(STAMPS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4", "b_2.mp4"]


@pytest.mark.parametrize("content", [b"", b"no video", None])
def test_what_is_no_video_is_one_line_and_leaves_nothing(nearest, tmp_path, content):
    source = tmp_path / "a.mp4"
    source.write_bytes(make(tmp_path / "whole.mp4").read_bytes()[:900] if content is None else content)
    with pytest.raises(UserError, match="a.mp4: ") as caught:
        upscale_video(Upscaler(nearest), source, tmp_path / "out" / "b.mp4")
    assert "\n" not in str(caught.value) and not list(tmp_path.glob("out/*"))


def test_a_target_that_exists_is_kept(nearest, tmp_path):
    (tmp_path / "b.mp4").write_bytes(b"precious")
    with pytest.raises(UserError, match="b.mp4: exists already"):
        upscale_video(Upscaler(nearest), make(tmp_path / "a.mp4", sound=False), tmp_path / "b.mp4")
    assert (tmp_path / "b.mp4").read_bytes() == b"precious"


def test_a_target_made_meanwhile_costs_neither(nearest, tmp_path):
    class Slow(type(nearest)):
        def __call__(self, lr):
            (tmp_path / "b.mp4").write_bytes(b"precious")
            return super().__call__(lr)

    with pytest.raises(UserError, match="b.mp4: was made by something else meanwhile; this result is .*b_2.mp4"):
        upscale_video(Upscaler(Slow()), make(tmp_path / "a.mp4", sound=False), tmp_path / "b.mp4")
    assert (tmp_path / "b.mp4").read_bytes() == b"precious" and len(frames(tmp_path / "b_2.mp4")) == len(STAMPS)


def test_several_videos_at_the_command(exported, tmp_path):
    """Two whose results would have one name; one that was done before, and one only begun; one that
    is no video.
    """
    film = make(tmp_path / "a.mp4", sound=False).read_bytes()
    for name in ("a.ts", "b.mp4", "b_x2.mp4", "d_x2.mp4"):
        (tmp_path / name).write_bytes(film)
    make(tmp_path / "d.mp4", stamps=range(100), sound=False)
    (tmp_path / "c.mts").write_bytes(b"no film")
    words = ["a.mp4", "a.ts", "b.mp4", "c.mts", "d.mp4", f"--model={exported['dynamic']}"]
    done = subprocess.run(
        [sys.executable, ROOT / "upscale.py", *words], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "a.ts: its result would be a_x2.mp4, which is that of a.mp4; give -o" in done.stderr
    assert re.search(
        r"d_x2\.mp4: is there already, with [\d.]+ s of the 4\.0 s of d.mp4: of a call that was", done.stderr
    )
    assert "b_x2.mp4 was done already" in done.stderr and "c.mts: no film that can be read" in done.stderr
    assert len(frames(tmp_path / "a_x2.mp4")) == len(STAMPS) and (tmp_path / "b_x2.mp4").read_bytes() == film


def test_an_original_is_no_result(exported, tmp_path):
    film = make(tmp_path / "a.mp4", sound=False).read_bytes()
    (tmp_path / "a_x2.mp4").write_bytes(film)
    command = [sys.executable, ROOT / "upscale.py", f"--model={exported['dynamic']}", "--overwrite", "--preview"]
    for words in (["a.mp4", "a_x2.mp4"], ["a.mp4", "-o", "a.mp4"]):
        done = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 1 and "the result would take the place of an original" in done.stderr, done.stderr
        assert all((tmp_path / name).read_bytes() == film for name in ("a.mp4", "a_x2.mp4"))


def test_raw_frames(nearest):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), np.uint8)
    out = io.BytesIO()
    assert upscale_raw(Upscaler(nearest), io.BytesIO(pictures.tobytes()), out, width=7, height=5) == 3
    assert out.getvalue() == pictures.repeat(4, 1).repeat(4, 2).tobytes()
    with pytest.raises(UserError, match="ends amid frame 2: 10 of 105 bytes; is --video_size right"):
        upscale_raw(Upscaler(nearest), io.BytesIO(bytes(115)), io.BytesIO(), width=7, height=5)


@pytest.mark.slow
def test_control_c_at_the_command_leaves_a_file_that_plays(exported, tmp_path):
    source = make(tmp_path / "a.mp4", width=320, height=180, stamps=range(400), sound=False)
    command = [sys.executable, str(ROOT / "upscale.py"), str(source), f"--model={exported['dynamic']}", "-o", "b.mp4"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while not any(path.stat().st_size > 1000 for path in tmp_path.glob(".*.part")):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert "stopped; holds the frames up to there" in process.stderr.read()
    assert 0 < len(frames(tmp_path / "b.mp4")) < 400
    assert not list(tmp_path.glob(".*"))
