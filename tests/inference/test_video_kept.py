"""What a film says of itself beside its frames: carried, or named in a line."""

import io
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from inference import Upscaler
from inference.video.enlarging import upscale_video
from tests.inference.films import Film, av, decode, make

DEFAULT, FORCED, ATTACHED_PIC = 1, 64, 1024


def picture():
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(file, "JPEG")
    return file.getvalue()


def with_everything(path, folder):
    """Two sounds, subtitles, chapters, a title; an attachment where the container has those; a
    cover.
    """
    words = folder / "a.srt"
    words.write_text("1\n00:00:00,100 --> 00:00:00,300\nGood evening\n\n")
    plain = make(Film("plain.mkv", options={"bf": "0"}), folder)
    with av.open(str(plain)) as film, av.open(str(words)) as text, av.open(str(path), "w") as out:
        copies = [(film, film.streams.video[0], DEFAULT, {}), (film, film.streams.audio[0], 0, {"language": "fra"}),
                  (film, film.streams.audio[0], DEFAULT, {"language": "deu", "title": "Ton"})]  # fmt: skip
        if path.suffix == ".mkv":
            copies.append((text, text.streams.subtitles[0], FORCED, {"language": "eng"}))
            out.add_attachment("letters.ttf", "font/ttf", b"letters")
            out.add_attachment("cover.jpg", "image/jpeg", picture())
        made = []
        for container, stream, disposition, words in copies:
            copy = out.add_stream_from_template(stream)
            copy.disposition = disposition
            copy.metadata.update(words)
            made.append((container.name, stream.index, copy))
        still = out.add_stream("mjpeg", width=8, height=8) if path.suffix == ".mp4" else None
        if still:
            still.pix_fmt, still.disposition = "yuvj420p", ATTACHED_PIC
        out.metadata.update({"title": "Größe", "artist": "A"})
        base = Fraction(1, 1000)
        out.set_chapters(
            [
                {"id": n, "start": 200 * n, "end": 200 * n + 200, "time_base": base, "metadata": {"title": f"part {n}"}}
                for n in (0, 1)
            ]
        )
        if still:
            packet = av.Packet(picture())
            packet.stream, packet.pts, packet.dts, packet.time_base = still, 0, 0, base
            out.mux(packet)
        for name, index, copy in made:
            with av.open(name) as film:
                for packet in film.demux(film.streams[index]):
                    if packet.dts is not None:
                        packet.stream = copy
                        out.mux(packet)
    return path


def facts(path):
    with av.open(str(path)) as film:
        streams = [
            (one.type, int(one.disposition), one.metadata.get("language"), one.metadata.get("title"))
            for one in film.streams
        ]
        chapters = [(float(one["start"] * one["time_base"]), one["metadata"].get("title")) for one in film.chapters()]
        attachments = [(one.name, one.data) for one in film.streams if one.type == "attachment"]
        covers = [bytes(packet) for packet in film.demux() if packet.size and packet.stream.disposition & ATTACHED_PIC]
        words = {key.lower(): value for key, value in film.metadata.items()}
        return sorted(streams, key=str), chapters, attachments, covers, words.get("title"), words.get("artist")


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_everything_is_carried(nearest, tmp_path, suffix, caplog):
    source = with_everything(tmp_path / f"a{suffix}", tmp_path)
    result = upscale_video(Upscaler(nearest), source, tmp_path / f"b{suffix}")
    before, after = facts(source), facts(tmp_path / f"b{suffix}")
    assert not result.problems and before[3] == [picture()] * (suffix != ".mov") and len(before[1]) == 2
    assert after == before
    assert "left out" not in caplog.text


def test_what_a_container_cannot_hold_is_named(nearest, tmp_path, caplog):
    upscale_video(Upscaler(nearest), with_everything(tmp_path / "a.mkv", tmp_path), tmp_path / "b.mp4")
    assert "subtitle left out: mp4 cannot hold" in caplog.text and "a target NAME.mkv can" in caplog.text
    assert "attachment left out: mp4 cannot hold" in caplog.text
    before, after = facts(tmp_path / "a.mkv"), facts(tmp_path / "b.mp4")
    assert after[1] == before[1] and after[3:] == before[3:]


def test_the_cover_is_not_taken_for_the_film(nearest, tmp_path):
    source = with_everything(tmp_path / "a.mp4", tmp_path)
    assert upscale_video(Upscaler(nearest), source, tmp_path / "b.mp4").frames == 12


def test_latin1_is_read_and_written_as_utf8(nearest, tmp_path):
    source = with_everything(tmp_path / "a.mkv", tmp_path)
    content = source.read_bytes()
    assert "Größe".encode() in content
    source.write_bytes(content.replace("Größe".encode(), "Größe!!".encode("latin-1")))
    upscale_video(Upscaler(nearest), source, tmp_path / "b.mkv")
    assert facts(tmp_path / "b.mkv")[4] == "Größe!!"


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_the_aspect_is_kept_by_square_pixels_where_it_cannot_be_said(nearest, tmp_path, suffix):
    source = make(Film("a.mp4", aspect=Fraction(16, 11), sound=None), tmp_path)
    upscale_video(Upscaler(nearest), source, tmp_path / f"b{suffix}")
    before, after = decode(source), decode(tmp_path / f"b{suffix}")
    assert before.aspect == pytest.approx(64 / 48 * 16 / 11) and after.aspect == pytest.approx(before.aspect, rel=0.01)
    assert after.size == ((256, 192) if suffix == ".mkv" else (372, 192))


def combs(path):
    """How much the lines alternate: the mean second difference from line to line."""
    with av.open(str(path)) as film:
        luma = [frame.to_ndarray(format="gray").astype(float) for frame in film.decode(video=0)][3:-3]
    return np.mean([np.abs(np.diff(one[::4], n=2, axis=0)).mean() for one in luma])


@pytest.mark.parametrize("fields", ["tff", "bff"])
def test_interlaced_frames_are_made_whole_first(nearest, tmp_path, caplog, fields):
    source = make(Film("a.mkv", "ffv1", sound=None, fields=fields, pixels="yuv444p"), tmp_path)
    still = make(Film("still.mkv", "ffv1", sound=None, pixels="yuv444p"), tmp_path)
    results = {}
    for name, path, whole in (("auto", source, True), ("off", source, False), ("still", still, True)):
        assert upscale_video(Upscaler(nearest), path, tmp_path / f"{name}.mp4", deinterlace=whole).frames == 12
        results[name] = combs(tmp_path / f"{name}.mp4")
    assert results["off"] > 3 * results["still"] and results["auto"] < 1.3 * results["still"]
    assert caplog.text.count("enlarged with its combs; --deinterlace=auto") == 1


def test_deeper_things_are_named(nearest, tmp_path, caplog):
    upscale_video(
        Upscaler(nearest), make(Film("a.mov", "png", pixels="rgba", sound=None), tmp_path), tmp_path / "b.mp4"
    )
    assert "a.mov: transparent (rgba); the result is not" in caplog.text
