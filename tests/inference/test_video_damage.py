"""Damaged films: what can be decoded is kept, what is lost is counted; no traceback, no hang, no
finished part lost.
"""

import faulthandler
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from errors import UserError
from inference import Upscaler
from inference.video.enlarging import upscale_video
from tests.inference.films import FILMS, Film, av, decode, make

ROOT = Path(__file__).parent.parent.parent
KINDS = [film.name for film in FILMS if film.name.startswith(("h264_b.", "h264.", "mpeg", "msmpeg4", "flv1", "hevc_10", "vp9.webm", "wmv2"))
         or film.name in ("ffv1.mkv", "mjpeg.avi", "prores_4444.mov", "rv10.rm", "gif.gif", "dv.avi", "roundtrip.nut", "huffyuv.avi")]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return {film.name: make(film, folder).read_bytes() for film in FILMS if film.name in KINDS}


def damaged(content, chance):
    """Cut off, overwritten, zeroed, shortened in the middle, lengthened, or a few bits of the head
    turned.
    """
    content, place = bytearray(content), chance.randrange(len(content))
    kind = chance.randrange(6)
    if kind == 0:
        del content[place:]
    elif kind == 1:
        for _ in range(chance.choice([1, 5, 30, 200])):
            content[chance.randrange(len(content))] = chance.randrange(256)
    elif kind == 2:
        length = min(chance.choice([16, 256, 2000]), len(content) - place)
        content[place : place + length] = bytes(length)
    elif kind == 3:
        del content[place : place + chance.choice([1, 7, 188, 1000])]
    elif kind == 4:
        content[place:place] = chance.randbytes(chance.choice([1, 40, 600]))
    else:
        for _ in range(chance.choice([1, 3])):
            content[chance.randrange(min(len(content), 1200))] ^= 1 << chance.randrange(8)
    return bytes(content)


@pytest.mark.parametrize(
    "seeds",
    [range(24), *(pytest.param(range(first, first + 52), marks=pytest.mark.slow) for first in range(24, 544, 52))],
    ids=str,
)
def test_any_damage_ends_in_a_film_or_a_line(nearest, tmp_path, whole, seeds):
    for seed in seeds:
        chance, name = random.Random(seed), KINDS[seed % len(KINDS)]
        source = tmp_path / f"{seed}{Path(name).suffix}"
        source.write_bytes(damaged(whole[name], chance))
        target = tmp_path / f"{seed}_result.{chance.choice(['mp4', 'mkv', 'mov'])}"
        faulthandler.dump_traceback_later(300, exit=True)  # a hang
        try:
            _check_one(nearest, source, target)
        finally:
            faulthandler.cancel_dump_traceback_later()
        assert {path.name for path in tmp_path.iterdir()} <= {source.name, target.name}
        source.unlink()
        target.unlink(missing_ok=True)


def _check_one(nearest, source, target):
    try:
        result = upscale_video(Upscaler(nearest), source, target)
    except UserError as error:
        assert "\n" not in str(error) and str(source) in str(error)
        with pytest.raises((av.FFmpegError, ValueError, IndexError, AssertionError)):
            assert len(decode(source).times)  # FFmpeg finds nothing in it either
        return
    after = decode(target)
    assert len(after.times) == result.frames > 0
    assert all(one < other for one, other in zip(after.times, after.times[1:], strict=False))
    assert result.frames >= len(decode(source).times)


@pytest.fixture
def long_film(tmp_path):
    return make(Film("long.mkv", frames=100, options={"g": "10", "bf": "0"}), tmp_path)


def packets_of(path):
    """(place in the file, length) of each packet of video."""
    with av.open(str(path)) as film:
        return [(packet.pos, packet.size) for packet in film.demux(video=0) if packet.size]


@pytest.mark.parametrize("which", [0, 38, 99])
def test_one_damaged_packet_costs_one_packet(nearest, tmp_path, long_film, which):
    content = bytearray(long_film.read_bytes())
    start, length = packets_of(long_film)[which]
    content[start + 24 : start + length - 4] = bytes([0xFF]) * (length - 28) if length > 28 else b""
    film = tmp_path / "damaged.mkv"
    film.write_bytes(content)
    result = upscale_video(Upscaler(nearest), film, tmp_path / "result.mkv")
    before, after = decode(film), decode(tmp_path / "result.mkv")
    assert result.frames == len(before.times) == len(after.times) >= 99 - 9 * (which == 0)
    assert after.sound == before.sound and len(before.sound) == len(decode(long_film).sound)
    if len(before.times) < 100:
        assert "of video could not be decoded" in result.problems[0]


def test_packets_without_frames_are_counted(nearest, tmp_path):
    source = make(Film("a.mp4", frames=100, options={"g": "10", "bf": "0"}), tmp_path)
    content = bytearray(source.read_bytes())
    for start, length in packets_of(source)[38:41]:
        content[start : start + length] = bytes(length)
    source.write_bytes(content)
    result = upscale_video(Upscaler(nearest), source, tmp_path / "b.mp4")
    assert result.frames == len(decode(source).times) == len(decode(tmp_path / "b.mp4").times)
    assert (
        "3 packets of video could not be decoded" in result.problems[0]
        and "(the first at 1.52 s)" in result.problems[0]
    )
    assert decode(tmp_path / "b.mp4").sound == decode(source).sound


def test_the_command_says_what_is_lost_keeps_the_rest_and_fails(exported, tmp_path, long_film):
    content = bytearray(long_film.read_bytes())
    for start, length in packets_of(long_film)[38:41]:
        content[start : start + length] = bytes(length)
    (tmp_path / "damaged.mkv").write_bytes(content)
    command = [
        sys.executable,
        str(ROOT / "upscale.py"),
        "damaged.mkv",
        f"--model={exported['dynamic']}",
        "-o",
        "result.mkv",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    before, after = decode(tmp_path / "damaged.mkv"), decode(tmp_path / "result.mkv")
    assert f"damaged.mkv: damaged: {100 - len(before.times)} frames missing (the first at 1." in done.stderr
    assert 90 <= len(after.times) == len(before.times) < 100 and after.sound == before.sound


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".avi", ".flv"])
def test_a_film_cut_short_is_named(nearest, tmp_path, suffix):
    # an index at its head, where the container has one: an .mp4 without it cannot be read
    head = {"movflags": "faststart"} if suffix == ".mp4" else {}
    whole = make(Film(f"whole{suffix}", sound="mp3", frames=100, options={"bf": "0"}, container=head), tmp_path)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: int(0.45 * whole.stat().st_size)])
    result = upscale_video(Upscaler(nearest), cut, tmp_path / "result.mkv")
    assert 10 < result.frames < 70 and result.frames == len(decode(cut).times)
    assert any("are missing" in line or "ends after" in line for line in result.problems)


def test_a_gap_that_is_meant_is_no_damage(nearest, tmp_path):
    stamps = (*range(20), *range(22, 40))
    source = make(Film("a.mp4", stamps=stamps, sound=None), tmp_path)
    assert upscale_video(Upscaler(nearest), source, tmp_path / "b.mp4").problems == ()


def test_a_film_without_its_index_is_one_line(nearest, tmp_path):
    whole = make(Film("whole.mp4", frames=20), tmp_path)
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[: int(0.6 * whole.stat().st_size)])
    with pytest.raises(UserError, match="cut.mp4: no film that can be read") as caught:
        upscale_video(Upscaler(nearest), tmp_path / "cut.mp4", tmp_path / "result.mp4")
    assert "rrno" not in str(caught.value) and "Invalid data" not in str(caught.value)


def test_ffmpegs_messages_stay_off(nearest, tmp_path):
    """With them a decoder's thread waits for Python's lock while its caller holds it: 9 of 10
    damaged films hung.
    """
    upscale_video(Upscaler(nearest), make(Film("a.mp4"), tmp_path), tmp_path / "b.mp4")
    assert av.logging.get_level() is None


@pytest.mark.parametrize("suffix", [".mkv", pytest.param(".mp4", marks=pytest.mark.slow)])
def test_a_full_disc_keeps_what_was_written(nearest, tmp_path, suffix):
    frames = 100 if suffix == ".mkv" else 600  # .mp4 keeps up to the last fragment: a key frame every 250
    source = make(Film("a.mkv", frames=frames), tmp_path)
    upscale_video(Upscaler(nearest), source, tmp_path / f"whole{suffix}")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(0.7 * (tmp_path / f"whole{suffix}").stat().st_size), before[1]))
        result = upscale_video(Upscaler(nearest), source, tmp_path / f"part{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert frames / 3 < result.frames == len(decode(tmp_path / f"part{suffix}").times) < frames
    assert f"holds the {result.frames} frames up to there" in result.problems[0] and "too large" in result.problems[0]


def test_a_network_that_fails_keeps_what_it_did(nearest, tmp_path):
    class Failing(type(nearest)):
        calls = 0

        def __call__(self, lr):
            Failing.calls += 1
            if Failing.calls == 6:
                raise UserError("the network's output holds NaN")
            return super().__call__(lr)

    result = upscale_video(Upscaler(Failing()), make(Film("a.mp4"), tmp_path), tmp_path / "b.mp4")
    assert result.frames == len(decode(tmp_path / "b.mp4").times) == 5
    assert result.problems == (f"{tmp_path / 'a.mp4'}: the network's output holds NaN; holds the 5 frames up to there",)
