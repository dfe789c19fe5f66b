import numpy as np
import pytest
from PIL import Image

from data.bicubic import downscale
from errors import UserError
from evaluation.pairs import FolderPairs, GivenPairs, find_picture


def smooth_picture(height, width, seed=0):
    corners = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), np.uint8)
    return np.asarray(Image.fromarray(corners).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "hr").mkdir()
    for name, size in (("b", (61, 83)), ("a", (48, 64))):
        Image.fromarray(smooth_picture(*size)).save(tmp_path / "hr" / f"{name}.png")
    return tmp_path / "hr"


def test_pairs_of_a_folder(folder):
    pairs = FolderPairs(folder, scale=4)
    assert len(list(pairs)) == 2
    for _ in range(2):  # can be iterated again
        a, b = pairs
        assert (a.name, b.name) == ("a", "b")
        assert b.hr.shape == (60, 80, 3) and b.lr.shape == (15, 20, 3)  # cropped at the bottom and to the right
        np.testing.assert_array_equal(b.hr, smooth_picture(61, 83)[:60, :80])
        np.testing.assert_array_equal(b.lr, downscale(b.hr, 4))


def test_pairs_are_made_lazily(folder):
    pairs = FolderPairs(folder, scale=4)
    (folder / "b.png").write_bytes(b"")
    assert next(iter(pairs)).name == "a"
    with pytest.raises(UserError, match=r"b\.png"):
        list(pairs)


def test_ready_made_pairs():
    hr, lr = smooth_picture(42, 33), np.zeros((10, 8, 3), np.uint8)
    ((name, given, cropped, *_),) = GivenPairs([("x", hr, lr)], scale=4)
    assert name == "x" and given is lr and cropped.shape == (40, 32, 3)
    for wrong in (hr[:39], smooth_picture(48, 33)):
        with pytest.raises(UserError, match="x: its LR picture of 8x10 does not belong to an HR picture of 33x"):
            list(GivenPairs([("x", wrong, lr)], scale=4))


def test_names_with_something_appended(tmp_path):
    files = [tmp_path / f"{name}.png" for name in ("img_1", "img_10", "img_2_x4", "img_2x4", "apple", "3x4")]
    for name, found in (("img_1", "img_1"), ("img_10", "img_10"), ("3", "3x4"), ("app", None), ("img_3", None)):
        match = find_picture(files, name, folder=tmp_path)
        assert (match and match.stem) == found
    with pytest.raises(UserError, match=r"img_2_x4\.png and img_2x4\.png could both be img_2"):
        find_picture(files, "img_2", folder=tmp_path)


def test_tiles_are_complete_squares_of_the_original(tmp_path):
    """512x512 gives four tiles of 256, 768x512 six, 100x300 none; each is brought down as an image
    of its own.
    """
    image = np.random.default_rng(0).integers(0, 256, (512, 768, 3), np.uint8)
    for name, part in (("a", image[:, :512]), ("b", image), ("c", image[:100, :300])):
        Image.fromarray(part).save(tmp_path / f"{name}.png")
    pairs = list(FolderPairs(tmp_path, scale=4, tiles=256))
    assert [pair.whole for pair in pairs] == ["a"] * 4 + ["b"] * 6
    assert [(pair.left, pair.top) for pair in pairs[4:]] == [(x, y) for y in (0, 256) for x in (0, 256, 512)]
    assert pairs[-1].name == "b@512,256" and {pair.hr.shape for pair in pairs} == {(256, 256, 3)}
    np.testing.assert_array_equal(pairs[-1].hr, image[256:, 512:])
    np.testing.assert_array_equal(pairs[-1].lr, downscale(image[256:, 512:], 4))
    np.testing.assert_array_equal(pairs[-1].part_of(image), image[256:, 512:])


def test_given_pairs_are_cut_at_the_same_place():
    hr = np.random.default_rng(0).integers(0, 256, (66, 98, 3), np.uint8)
    lr = np.ascontiguousarray(hr[:64:2, :98:2])
    tiles = list(GivenPairs([("x", hr[:65], lr)], scale=2, tiles=32))
    assert [tile.name for tile in tiles] == ["x@0,0", "x@32,0", "x@64,0", "x@0,32", "x@32,32", "x@64,32"]
    for tile in tiles:
        np.testing.assert_array_equal(tile.hr[::2, ::2], tile.lr)
