import numpy as np
import pytest
from PIL import Image

from data.bicubic import downscale
from errors import UserError
from evaluation.pairs import find_picture, load_pairs


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
    pairs = load_pairs(folder, scale=4)
    assert len(list(pairs)) == 2
    for _ in range(2):  # can be iterated again
        a, b = pairs
        assert (a.name, b.name) == ("a", "b")
        assert b.hr.shape == (60, 80, 3) and b.lr.shape == (15, 20, 3)  # cropped at the bottom and to the right
        np.testing.assert_array_equal(b.hr, smooth_picture(61, 83)[:60, :80])
        np.testing.assert_array_equal(b.lr, downscale(b.hr, 4))


def test_pairs_are_made_lazily(folder):
    pairs = load_pairs(folder, scale=4)
    (folder / "b.png").write_bytes(b"")
    assert next(iter(pairs)).name == "a"
    with pytest.raises(UserError, match=r"b\.png"):
        list(pairs)


def test_ready_made_pairs():
    hr, lr = smooth_picture(42, 33), np.zeros((10, 8, 3), np.uint8)
    ((name, given, cropped, *_),) = load_pairs([("x", hr, lr)], scale=4)
    assert name == "x" and given is lr and cropped.shape == (40, 32, 3)
    for wrong in (hr[:39], smooth_picture(48, 33)):
        with pytest.raises(UserError, match="x: its LR picture of 8x10 does not belong to an HR picture of 33x"):
            list(load_pairs([("x", wrong, lr)], scale=4))


def test_names_with_something_appended(tmp_path):
    files = [tmp_path / f"{name}.png" for name in ("img_1", "img_10", "img_2_x4", "img_2x4", "apple", "3x4")]
    for name, found in (("img_1", "img_1"), ("img_10", "img_10"), ("3", "3x4"), ("app", None), ("img_3", None)):
        match = find_picture(files, name, folder=tmp_path)
        assert (match and match.stem) == found
    with pytest.raises(UserError, match=r"img_2_x4\.png and img_2x4\.png could both be img_2"):
        find_picture(files, "img_2", folder=tmp_path)
