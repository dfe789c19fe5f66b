import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from errors import UserError
from inference import Upscaler
from inference.image_files import _Job, _read_small, upscale_files


@pytest.fixture
def pairs(tmp_path):
    """Good, bad, moving, large, and good again."""
    random = np.random.default_rng(0)
    for name in ("a", "c", "e"):
        Image.fromarray(random.integers(0, 256, (12, 20, 3), np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "b.png").write_text("no picture")
    first, second = (Image.new("RGB", (6, 6), colour) for colour in ("red", "blue"))
    first.save(tmp_path / "d.webp", save_all=True, append_images=[second])
    names = ["a.png", "b.png", "c.png", "d.webp", "e.png"]
    return [(tmp_path / name, tmp_path / "out" / name) for name in names]


def outcome(events):
    return [(event.source.name, bool(event.error), event.skipped) for event in events]


def test_a_failure_does_not_stop_the_others_and_the_order_is_kept(nearest, pairs):
    events = list(upscale_files(Upscaler(nearest), pairs))
    assert outcome(events) == [(source.name, source.name == "b.png", False) for source, _ in pairs]
    assert "b.png: not an image" in str(events[1].error)
    for source, target in (pairs[0], pairs[4]):
        expected = np.asarray(Image.open(source)).repeat(4, 0).repeat(4, 1)
        np.testing.assert_array_equal(np.asarray(Image.open(target)), expected)
    assert sorted(path.name for path in (pairs[0][1].parent).iterdir()) == ["a.png", "c.png", "d.webp", "e.png"]


def test_done_files_are_skipped_or_errors_or_done_again(nearest, pairs):
    list(upscale_files(Upscaler(nearest), pairs[:3]))
    pairs[0][1].write_bytes(b"mine")
    events = list(upscale_files(Upscaler(nearest), pairs, keep_done=True))
    assert [event.skipped for event in events] == [True, False, True, False, False]
    assert pairs[0][1].read_bytes() == b"mine"
    assert "exists already" in str(next(iter(upscale_files(Upscaler(nearest), pairs[:1]))).error)
    assert next(iter(upscale_files(Upscaler(nearest), pairs[:1], overwrite=True))).error is None
    assert pairs[0][1].read_bytes() != b"mine"


def test_progress_adds_up(nearest, pairs, monkeypatch):
    monkeypatch.setattr("inference.image_files._SMALL_FILE", 0)  # every image goes strip by strip
    shares = {}
    for _ in upscale_files(
        Upscaler(nearest, tile=5),
        pairs[2:],
        advance=lambda source, share: shares.setdefault(source.name, []).append(share),
    ):
        pass
    assert len(shares["c.png"]) > 1
    assert {name: pytest.approx(sum(parts)) for name, parts in shares.items()} == dict.fromkeys(shares, 1)
    assert set(shares) == {"c.png", "d.webp", "e.png"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, UserError("out of luck")])
def test_interrupted_or_failing_network_leaves_no_half_file(nearest, pairs, error):
    class Failing(type(nearest)):
        calls = 0

        def __call__(self, lr):
            Failing.calls += 1
            if Failing.calls == 3:
                raise error
            return super().__call__(lr)

    def run():
        return list(upscale_files(Upscaler(Failing()), [pair for pair in pairs if pair[0].suffix == ".png"]))

    if isinstance(error, UserError):
        assert [bool(event.error) for event in run()] == [False, True, False, True]
    else:
        with pytest.raises(KeyboardInterrupt):
            run()
    for path in (pairs[0][1].parent).iterdir():
        assert not path.name.startswith(".")
        Image.open(path).load()


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="modes of files are those of Unix")
def test_a_locked_folder_and_an_unreadable_picture_are_a_line_each(nearest, pairs, tmp_path, monkeypatch, request):
    monkeypatch.chdir(
        tmp_path
    )  # paths from here need no way through pytest's own folders, which are their owner's alone
    tmp_path.chmod(0o755)
    Path("locked").mkdir(mode=0o555)
    Path("open").mkdir(mode=0o755)
    Path("open").chmod(0o777)
    Path("c.png").chmod(0)
    request.getfixturevalue("not_root")
    words = [("a.png", "locked/a.png"), ("a.png", "locked/new/a.png"), ("c.png", "open/c.png"), ("e.png", "open/e.png")]
    events = list(upscale_files(Upscaler(nearest), words))
    assert [str(event.error) for event in events[:3]] == [
        "locked/a.png: cannot be written: permission denied",
        "locked/new/a.png: cannot be written: permission denied",
        "c.png: damaged or unreadable: permission denied",
    ]
    assert events[3].error is None
    assert os.listdir("locked") == [] and os.listdir("open") == ["e.png"]


def test_no_error_of_the_system_ends_a_folder(nearest, pairs, tmp_path):
    """A link to itself, a pipe, a name whose result is too long: a line each, and the next."""
    (tmp_path / "self.png").symlink_to("self.png")
    os.mkfifo(tmp_path / "pipe.png")
    good, good_target = pairs[0]
    bad = [(tmp_path / "self.png", "a.png"), (tmp_path / "pipe.png", "b.png"), (good, "c" * 252 + ".png")]
    out = tmp_path / "out"
    events = list(upscale_files(Upscaler(nearest), [(source, out / target) for source, target in bad] + [pairs[0]]))
    assert [str(event.error).rpartition(": ")[2] for event in events[:3]] == [
        "too many levels of symbolic links",
        "a named pipe, not an image file",
        "file name too long",
    ]
    assert events[3].error is None and good_target.is_file()


def test_a_result_that_another_process_has_made_meanwhile_is_skipped(nearest, pairs):
    pairs = [pairs[0], pairs[2]]  # both readable: the second is read ahead, before or after its result appears

    class Slow(type(nearest)):
        def __call__(self, lr):
            for _, target in pairs:
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(b"theirs")
            return super().__call__(lr)

    events = list(upscale_files(Upscaler(Slow()), pairs, keep_done=True))
    assert [(event.error, event.skipped) for event in events] == [(None, True)] * 2
    assert all(target.read_bytes() == b"theirs" for _, target in pairs)


@pytest.mark.parametrize("small_file", [0, 2_000_000])
def test_what_the_format_cannot_hold_is_said_before_the_work(nearest, tmp_path, monkeypatch, small_file):
    monkeypatch.setattr("inference.image_files._SMALL_FILE", small_file)

    class Never(type(nearest)):
        def __call__(self, lr):
            raise AssertionError("the network ran")

    Image.new("RGB", (16_400, 1)).save(tmp_path / "a.png")
    frames = [Image.new("RGB", (4500, 2), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "b.webp", save_all=True, append_images=frames[1:])
    Image.new("L", (7000, 7000)).save(tmp_path / "c.png")
    wanted = [("a.png", "a.jpg"), ("b.webp", "b.webp"), ("a.png", "a.webp"), ("c.png", "c.gif"), ("b.webp", "b.jpg")]
    pairs = [(tmp_path / source, tmp_path / "out" / target) for source, target in wanted]
    said = [str(event.error).partition(": ")[2] for event in upscale_files(Upscaler(Never()), pairs)]
    assert said == [
        "cannot be written: 65600x4 has a side of more than 65500 pixels, which JPEG cannot hold; write .tif or .png",
        "cannot be written: 18000x8 has a side of more than 16383 pixels, which WEBP cannot hold; write .tif or .png",
        "cannot be written: 65600x4 has a side of more than 16383 pixels, which WEBP cannot hold; write .tif or .png",
        "28000x28000 would take about 9.4 GB of memory as GIF; write .png or .tif, --memory_mb=9409 or --allow_large",
        "cannot hold 2 frames; write .gif, .webp or .png (--format)",
    ]


@pytest.mark.parametrize("channels", [(), (3,)])
def test_whether_a_result_is_large_does_not_depend_on_its_colours(channels, nearest, tmp_path, monkeypatch):
    """A grey scan of few bytes may be as large as any photograph."""
    monkeypatch.setattr("inference.image_files._SMALL_RESULT", 16 * 20 * 30)
    job = _Job(Upscaler(nearest), None, False, 95, None)
    for height, held in ((20, True), (21, False)):
        path = tmp_path / f"{height}.png"
        Image.fromarray(np.zeros((height, 30, *channels), np.uint8)).save(path)
        assert (_read_small(job, path, tmp_path / "x.png") is not None) == held


def test_whatever_a_network_raises_is_a_line_of_its_own(nearest, pairs):
    """A network from elsewhere may raise anything; here for one width."""

    class Picky(type(nearest)):
        def __call__(self, lr):
            if lr.shape[2] == 21:
                raise KeyError("width")
            return super().__call__(lr)

    Image.new("RGB", (21, 12)).save(pairs[2][0])
    events = list(upscale_files(Upscaler(Picky()), pairs))
    assert [event.source.name for event in events if event.error] == ["b.png", "c.png"]
    assert str(events[2].error).endswith("c.png: KeyError: 'width'")
