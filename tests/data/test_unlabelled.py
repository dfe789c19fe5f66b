"""Images without originals: as they are, cut where they are large, held out by name, labelled by a
teacher's images.
"""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import data
from data.teacher_pictures import open_teacher_pictures
from data.unlabelled import unlabelled
from errors import UserError
from settings.pictures import Pictures


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def images(tmp_path):
    """Four images of different kinds, one in a subfolder, and a file that is none."""
    root = tmp_path / "mine"
    (root / "sub").mkdir(parents=True)
    Image.fromarray(noise(20, 33, 1)).save(root / "a.jpg", quality=30)
    Image.fromarray(noise(25, 24, 2)).convert("L").save(root / "b.png")
    Image.fromarray(noise(17, 40, 3)).save(root / "c.webp", lossless=True)
    Image.fromarray(noise(30, 30, 4)).save(root / "sub" / "d.jpg", quality=80)
    (root / "notes.txt").write_text("none")
    return root


def opened(root, tmp_path, split="train", **more):
    return data.open_store(unlabelled(root, split=split, **more), cache_dir=tmp_path / "cache")


def test_each_image_is_what_pillow_decodes(images, tmp_path):
    store = opened(images, tmp_path)
    assert store.names == ["a.jpg", "b.png", "c.webp"]  # the last is held out
    for i, name in enumerate(store.names):
        np.testing.assert_array_equal(store.lr(i), np.asarray(Image.open(images / name).convert("RGB")))
    assert opened(images, tmp_path, "validation").names == ["sub/d.jpg"]


def test_there_are_no_originals_on_disc_and_none_are_made_up(images, tmp_path):
    store = opened(images, tmp_path)
    assert sorted(path.name for path in (tmp_path / "cache" / store.key).iterdir()) == ["index.json", "lr.uint8"]
    assert not store.originals and store.readable(2)
    with pytest.raises(ValueError, match="no originals"):
        store.hr(0)


def test_the_labels_are_the_teachers_images(images, tmp_path):
    store = opened(images, tmp_path)
    teacher = open_teacher_pictures(
        store, upscale=lambda lr: 255 - lr.repeat(4, 0).repeat(4, 1), teacher_key="", cache_dir=tmp_path / "cache"
    )
    labelled = store.with_labels(teacher.pixels)
    for i in range(len(store)):
        np.testing.assert_array_equal(labelled.hr(i), 255 - store.lr(i).repeat(4, 0).repeat(4, 1))
        np.testing.assert_array_equal(labelled.lr(i), store.lr(i))
    assert labelled.degradation == f"images of {images}/ as they are, against the teacher's images"
    assert not labelled.originals and not labelled.subset(1).originals
    np.testing.assert_array_equal(labelled.subset(1).hr(0), labelled.hr(0))


def test_every_twentieth_is_held_out_counted_from_the_last(tmp_path):
    root = tmp_path / "mine"
    root.mkdir()
    for i in range(41):
        Image.fromarray(noise(16, 16, i)).save(root / f"{i:02d}.png")
    assert opened(root, tmp_path, "validation").names == ["00.png", "20.png", "40.png"]
    assert len(opened(root, tmp_path)) == 38


def test_originals_may_validate_and_all_images_train_then(images, tmp_path):
    originals = tmp_path / "originals"
    originals.mkdir()
    hr = noise(80, 64, 5)
    Image.fromarray(hr).save(originals / "one.png")
    assert len(opened(images, tmp_path, valid_dir=originals)) == 4
    store = opened(images, tmp_path, "validation", valid_dir=originals, degradation="bicubic")
    assert store.originals and store.degradation == "MATLAB bicubic x4"
    np.testing.assert_array_equal(store.hr(0), hr)
    np.testing.assert_array_equal(store.lr(0), data.downscale(hr, 4))


def test_a_large_image_is_cut_into_tiles_that_cover_it(tmp_path):
    root = tmp_path / "mine"
    root.mkdir()
    large = noise(40, 2500, 1)
    for name in "ab":
        Image.fromarray(large).save(root / f"{name}.png")
    store = opened(root, tmp_path)
    assert store.names == ["a.png tile 0", "a.png tile 1", "a.png tile 2"]
    assert [store.lr_shape(i) for i in range(3)] == [(40, 833), (40, 833), (40, 834)]
    np.testing.assert_array_equal(np.concatenate([store.lr(i) for i in range(3)], axis=1), large)
    validation = opened(root, tmp_path, "validation")
    assert validation.names == ["b.png middle"]
    np.testing.assert_array_equal(validation.lr(0), large[:, 738:1762])


def test_damaged_and_small_images_are_left_out_and_named(images, tmp_path, warnings_of_absl):
    (images / "b.png").write_bytes(b"damaged")
    Image.fromarray(noise(15, 90)).save(images / "c.webp", lossless=True)
    assert opened(images, tmp_path).names == ["a.jpg"]
    assert "b.png" in warnings_of_absl.text and "c.webp: 90x15 pixels, shorter side below 16" in warnings_of_absl.text
    (images / "a.jpg").write_bytes(b"damaged")
    with pytest.raises(UserError, match="none of 3 images for train is usable"):
        opened(images, tmp_path)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "--dataset=unlabelled needs --lr_dir, the folder of your images"),
        ({"lr_dir": "none"}, "none: no such folder"),
        ({"lr_dir": "empty"}, "--lr_dir=empty: no images in this folder"),
        ({"lr_dir": "one"}, "--lr_dir=one: only one image; give at least two"),
        ({"lr_dir": "mine", "hr_dir": "none"}, "none: no such folder"),
        ({"lr_dir": "mine", "valid_dir": "empty"}, "empty: no pictures for validation"),
        (
            {"lr_dir": "mine", "degradation": "photo"},
            "--degradation=photo: the images of --lr_dir are taken as they are",
        ),
        ({"dataset": "sample"}, "--dataset=sample: --method=adapt learns from images without originals"),
        ({"dataset": "div2k"}, "--dataset=div2k: --method=adapt learns from images without originals"),
    ],
)
def test_a_mistake_is_named_before_anything_is_read(images, monkeypatch, values, said):
    monkeypatch.chdir(images.parent)
    Path("empty").mkdir()
    Path("one").mkdir()
    Image.fromarray(noise(20, 20)).save("one/a.png")
    with pytest.raises(UserError, match=re.escape(said)):
        data.check_pictures(Pictures(**{"dataset": "unlabelled", **values}), originals=False, downloads=False)


def test_what_needs_originals_refuses_them(images, tmp_path):
    pictures = Pictures(dataset="unlabelled", lr_dir=str(images), cache_dir=str(tmp_path))
    for call in (data.check_pictures, lambda pictures: data.open_pictures(pictures, "validation")):
        with pytest.raises(UserError, match="--dataset=unlabelled: the images of .*mine have no originals"):
            call(pictures)
    assert not data.open_pictures(pictures, "train", originals=False).originals
