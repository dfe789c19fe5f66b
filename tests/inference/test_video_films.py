"""Films of many makings, each compared with what FFmpeg itself decodes of it: frames, time stamps,
aspect, colours, sound.
"""

import numpy as np
import pytest

from inference import Upscaler
from inference.output_plan import CONTAINERS
from inference.video.enlarging import upscale_video
from tests.inference.films import FILMS, decode, make

FAST = ("h264_b.mp4", "h264_b.avi", "h264_b_joined.ts", "h264_16_11.mkv", "h264_full.mp4", "h264_rgb.mkv", "mpeg2_tff.mpg",
        "mpeg4.3gp", "h264.mts", "vp9.webm", "raw.avi", "h264_vfr.mkv", "h264_601.mp4", "mpeg2.vob", "mpeg2.mxf")  # fmt: skip
HEADS_OF_ADTS = 7  # bytes that AAC carries in MPEG-TS, and not elsewhere
# Containers without times of presentation, and films joined end to end.
UNTIMED = {film.name for film in FILMS if film.name.endswith((".avi", ".mxf")) or film.join > 1}


def test_there_are_at_least_sixty():
    assert len({film.name for film in FILMS}) >= 60 and set(FAST) <= {film.name for film in FILMS}


def _parametrized():
    return [pytest.param(film, id=film.name, marks=() if film.name in FAST else pytest.mark.slow) for film in FILMS]


@pytest.mark.parametrize("film", _parametrized())
def test_the_larger_film_is_the_film_larger(nearest, tmp_path, film):
    source = make(film, tmp_path)
    suffix = source.suffix if source.suffix in CONTAINERS else ".mp4"
    target = tmp_path / f"result{suffix}"
    result = upscale_video(Upscaler(nearest), source, target)
    before, after = decode(source), decode(target)
    assert not result.problems and result.frames == len(before.times) == len(after.times)
    assert after.size == tuple(4 * side for side in before.size) or film.name.startswith("h264_odd")
    if film.tags:  # primaries and transfer; of the rest test_video_kept.py tells
        assert after.tags[2:] == before.tags[2:] == film.tags[2:]
    assert after.aspect == pytest.approx(before.aspect, rel=0.01) and after.rotation == before.rotation
    _check_times(film, before, after)
    # FFmpeg's mean of a frame that holds two moments lies between them; that of the result is one
    # of them
    assert np.abs(after.means - before.means).max() < (7 if film.fields else 1.2)
    _check_sound(film, before, after)


def _check_times(film, before, after):
    """FFmpeg gives wrong or falling stamps where the container stores none; there the frame rate
    says what is right.
    """
    expected = np.array([index / float(film.rate) for index in range(len(after.times))])
    if None not in before.times and all(np.diff(before.times) > 0):
        expected = np.array(before.times) - before.times[0]
    else:
        assert film.name in UNTIMED
    assert all(np.diff(after.times) > 0)
    assert np.abs(np.array(after.times) - after.times[0] - expected).max() < 0.0015


def _check_sound(film, before, after):
    bare = (
        [packet[HEADS_OF_ADTS:] for packet in before.sound]
        if film.name.endswith(".ts") and film.sound == "aac"
        else before.sound
    )
    if film.sound in ("wmav1", "wmav2"):  # named, and left out: no container here holds it
        assert after.sound == []
        return
    assert b"".join(after.sound) == b"".join(bare)
    if film.sound and film.name not in UNTIMED:
        lead = [decoded.sound_times[0] - decoded.times[0] for decoded in (before, after)]
        assert lead[1] == pytest.approx(lead[0], abs=0.025)  # a packet may move by less than its own length
