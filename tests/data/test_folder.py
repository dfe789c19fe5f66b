"""A folder of images as a data set: split, cropping, bad files, errors."""

import os

import numpy as np
import pytest
from PIL import Image

from data.bicubic import downscale
from data.folder import folder
from data.images import read_rgb
from errors import UserError


def write_pictures(root, count, size=64):
    root.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", (size, size), (number, 0, 0)).save(root / f"{number:04d}.png")
    return root


def names(source):
    return [name for name, _, _ in source.pairs()]


def test_pairs_are_cropped_and_shrunk(photos):
    pairs = {name: (hr, lr) for name, hr, lr in folder(photos, split="train", scale=4).pairs()}
    assert sorted(pairs) == ["0.png", "1.png", "2.png", "3.png"]
    hr, lr = pairs["1.png"]
    original = np.asarray(Image.open(photos / "1.png"))
    np.testing.assert_array_equal(hr, original[:128, :96])  # 131x97, cropped at the bottom and right
    np.testing.assert_array_equal(lr, downscale(original[:128, :96], 4))


def test_every_twentieth_picture_is_held_out_counted_from_the_last(tmp_path):
    root = write_pictures(tmp_path, 41, size=8)
    train = names(folder(root, split="train", min_size=8))
    validation = names(folder(root, split="validation", min_size=8))
    assert validation == ["0000.png", "0020.png", "0040.png"]
    assert len(train) == 38 and not set(train) & set(validation)


def test_two_pictures_give_one_each_and_one_is_refused(tmp_path):
    root = write_pictures(tmp_path / "two", 2)
    assert names(folder(root, split="train")) == ["0000.png"]
    assert names(folder(root, split="validation")) == ["0001.png"]
    with pytest.raises(UserError, match="one: only one picture.*--valid_dir"):
        folder(write_pictures(tmp_path / "one", 1), split="train")


def test_at_most_fifty_are_held_out(tmp_path):
    for number in range(1100):
        (tmp_path / f"{number:04d}.png").touch()
    assert folder(tmp_path, split="validation").count == 50
    assert folder(tmp_path, split="train").count == 1050


def test_valid_dir_validates_and_never_trains(tmp_path):
    root = write_pictures(tmp_path / "photos", 3)
    valid_dir = write_pictures(root / "valid", 2)
    assert names(folder(root, split="train", valid_dir=valid_dir)) == ["0000.png", "0001.png", "0002.png"]
    assert names(folder(root, split="validation", valid_dir=valid_dir)) == ["0000.png", "0001.png"]
    with pytest.raises(UserError, match="--valid_dir"):
        folder(root, split="train", valid_dir=f"{root}/valid/..")


def test_unusable_files_are_left_out_by_name(tmp_path, warnings_of_absl):
    root = write_pictures(tmp_path, 3)
    whole = (root / "0000.png").read_bytes()
    (root / "cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "renamed.jpg").write_text("text")
    Image.new("RGB", (63, 200)).save(root / "narrow.png")
    (root / "zz.png").write_bytes(b"")  # last, hence held out
    assert names(folder(root, split="train", min_size=64)) == ["0000.png", "0001.png", "0002.png"]
    for name in ("cut.png", "renamed.jpg", "narrow.png: 63x200"):
        assert name in warnings_of_absl.text
    with pytest.raises(UserError, match=r"none of 1 pictures for validation.*\.webp.*64 pixels"):
        names(folder(root, split="validation", min_size=64))


def test_no_pictures_and_no_folder(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match=r"no pictures.*\.png"):
        folder(tmp_path, split="train")
    with pytest.raises(UserError, match="nowhere: no such folder"):
        folder(tmp_path / "nowhere", split="train")
    with pytest.raises(ValueError, match="'test'"):
        folder(tmp_path, split="test")


def test_key_follows_files_and_options(tmp_path):
    root = write_pictures(tmp_path, 3)
    options = {"split": "train", "scale": 4, "min_size": 64}
    key = folder(root, **options).key
    assert folder(root, **options).key == key
    for change in ({"split": "validation"}, {"scale": 2}, {"min_size": 32}):
        assert folder(root, **(options | change)).key != key
    picture = root / "0000.png"
    status = picture.stat()
    os.utime(picture, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))
    touched = folder(root, **options).key
    assert touched != key
    picture.write_bytes(picture.read_bytes() + b"\0")
    os.utime(picture, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert folder(root, **options).key not in (key, touched)  # same time, other size
    Image.new("RGB", (64, 64)).save(root / "0000b.png")
    assert folder(root, **options).key not in (key, touched)


def test_blocks_of_jpeg_begin_at_every_pixel_of_a_training_crop(tmp_path):
    """Nine images of 80×80: the k-th loses k % 8 rows and k // 8 columns.

    Validation and PNG images begin where they begin.
    """
    root, others = tmp_path / "photos", tmp_path / "others"
    for place, count in ((root, 9), (others, 3)):
        place.mkdir()
        for i in range(count):
            picture = np.random.default_rng(i).integers(0, 256, (80, 80, 3), np.uint8)
            Image.fromarray(picture).save(place / f"{i}.{'png' if i == 7 else 'jpg'}")
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(root / "9.jpg")  # would be below 64
    source = folder(root, split="train", valid_dir=others)
    for k, (name, hr, lr) in enumerate(source.pairs()):
        whole = read_rgb(root / name)
        top, left = (k % 8, k // 8) if k not in (7, 9) else (0, 0)
        height, width = ((side - start) // 4 * 4 for side, start in zip(whole.shape, (top, left), strict=False))
        np.testing.assert_array_equal(hr, whole[top : top + height, left : left + width])
        np.testing.assert_array_equal(lr, downscale(hr, 4))
    assert k == 9
    for name, hr, _ in folder(root, split="validation", valid_dir=others).pairs():
        np.testing.assert_array_equal(hr, read_rgb(others / name))
