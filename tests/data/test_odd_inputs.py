"""Whatever a folder holds, whatever sizes images have: nothing hangs, nothing is lost in silence,
crops stay what they are.
"""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from data.cutting import crop_to_shared, fits_scale
from data.folder import folder
from data.images import list_images, read_rgb
from data.mapped_file import MappedFile
from data.paired import paired
from data.patches import PatchSampler
from data.store import PictureStore
from errors import UserError

SIDES = st.integers(1, 30)


def numbered_store(shapes, scale):
    """Every LR pixel holds (image, row, column); every HR pixel repeats its LR pixel.

    Its files are gone already, the maps are not.
    """
    pictures = [
        np.stack([np.full(shape, number), *np.mgrid[: shape[0], : shape[1]]], axis=-1).astype(np.uint8)
        for number, shape in enumerate(shapes)
    ]
    large = [picture.repeat(scale, axis=0).repeat(scale, axis=1) for picture in pictures]
    index = {"scale": scale, "names": [str(number) for number in range(len(shapes))], "description": "numbered"}
    index |= {"key": "numbered", "degradation": "none", "lr_shapes": [list(shape) for shape in shapes]}
    mapped = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, side in (("lr", pictures), ("hr", large)):
            pixels = np.concatenate([picture.ravel() for picture in side])
            pixels.tofile(Path(folder, name))
            mapped[name] = MappedFile(Path(folder, name), dtype=np.uint8, length=len(pixels))
    return PictureStore(index=index, **mapped)


@given(
    shapes=st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=5),
    scale=st.integers(1, 4),
    patch_size=st.integers(1, 12),
    detail=st.integers(1, 3),
    seed=st.integers(-(2**63), 2**64 - 1),
    k=st.integers(0, 2**40),
)
@settings(max_examples=150, deadline=None)
def test_every_crop_is_a_square_of_one_picture_with_its_hr(shapes, scale, patch_size, detail, seed, k):
    store = numbered_store(shapes, scale)
    holding = [number for number, shape in enumerate(shapes) if min(shape) >= patch_size]
    if not holding:
        with pytest.raises(UserError, match="larger than every LR picture"):
            PatchSampler(store, batch_size=4, patch_size=patch_size, seed=seed, detail=detail)
        return
    sampler = PatchSampler(store, batch_size=4, patch_size=patch_size, seed=seed, detail=detail)
    lr, hr = sampler.batch(k, range(4))
    np.testing.assert_array_equal(hr, lr.repeat(scale, axis=1).repeat(scale, axis=2))
    for crop in lr.astype(int):
        [number] = np.unique(crop[..., 0])
        assert number in holding
        rows, columns = np.unique(crop[..., 1]), np.unique(crop[..., 2])
        assert len(rows) == len(columns) == patch_size
        assert rows[-1] - rows[0] == columns[-1] - columns[0] == patch_size - 1
        assert rows[-1] < shapes[number][0] and columns[-1] < shapes[number][1]
        assert len({tuple(pixel) for pixel in crop.reshape(-1, 3)}) == patch_size**2  # all of them, each once
    np.testing.assert_array_equal(sampler.batch(k, range(1, 3))[0], lr[1:3])


@given(hr=st.tuples(SIDES, SIDES), lr=st.tuples(SIDES, SIDES), scale=st.integers(1, 5))
@settings(max_examples=200, deadline=None)
def test_the_shared_part_is_aligned_whole_and_as_large_as_can_be(hr, lr, scale):
    fits = all(fits_scale(large, small, scale) for large, small in zip(hr, lr, strict=True))
    try:
        large, small = crop_to_shared(np.zeros((*hr, 3)), np.zeros((*lr, 3)), scale=scale, name="it")
    except UserError:
        assert not fits or min(hr) < scale
        return
    assert fits and min(small.shape) > 0
    assert large.shape[:2] == (small.shape[0] * scale, small.shape[1] * scale)
    for axis in range(2):
        assert hr[axis] - large.shape[axis] < scale and lr[axis] - small.shape[axis] <= 1


def damaged(path, kind):
    """Make `path` into something that is no usable image of at least 8 pixels."""
    if kind == "thin":
        Image.new("RGB", (300, 1)).save(path.with_suffix(".png"), "PNG")
        path.with_suffix(".png").rename(path)
    elif kind == "text":
        path.write_text("no picture")
    elif kind == "empty":
        path.touch()
    elif kind == "cut short":
        Image.effect_noise((64, 64), 50).convert("RGB").save(path, "PNG")
        path.write_bytes(path.read_bytes()[:500])
    elif kind == "link to nowhere":
        path.symlink_to("nowhere.png")
    elif kind == "link to itself":
        path.symlink_to(path.name)
    elif kind == "pipe":
        os.mkfifo(path)


KINDS = ["thin", "text", "empty", "cut short", "link to nowhere", "link to itself", "pipe"]
NAMES = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda name: not name.startswith(".") and len(name.encode()) < 200)  # fmt: skip


@given(
    good=st.lists(NAMES, min_size=2, max_size=4, unique=True),
    bad=st.lists(st.tuples(NAMES, st.sampled_from(KINDS)), max_size=4, unique_by=lambda pair: pair[0]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_folder_gives_its_good_pictures_and_names_the_others(good, bad, warnings_of_absl):
    assume(not set(good) & {name for name, _ in bad})
    warnings_of_absl.clear()
    with tempfile.TemporaryDirectory() as root:
        root = Path(root)
        for name in good:
            Image.effect_noise((12, 9), 50).convert("RGB").save(root / f"{name}.png", "PNG")
        for name, kind in bad:
            damaged(root / f"{name}.png", kind)
        os.symlink(root, root / "circle")
        read = []
        for split in ("train", "validation"):
            try:
                read += [name for name, _, _ in folder(root, split=split, scale=2, min_size=8).pairs()]
            except UserError as error:  # the one that validates may be a bad one
                assert "is usable" in str(error)
        assert sorted(read) == sorted(f"{name}.png" for name in good)
        for name, _ in bad:
            assert str(root / f"{name}.png") in warnings_of_absl.text


def test_names_that_are_no_text(tmp_path):
    """A name of bytes that are not UTF-8, as old archives leave them."""
    raw = os.fsencode(tmp_path) + b"/caf\xe9"
    for number in range(2):
        Image.new("RGB", (64, 64), (number, 0, 0)).save(tmp_path / "ascii.png")
        os.rename(tmp_path / "ascii.png", raw + b"%d.png" % number)
    source = folder(tmp_path, split="train")
    assert [os.fsencode(name) for name, _, _ in source.pairs()] == [b"caf\xe90.png"] and source.key


def test_pairs_of_single_rows(tmp_path):
    """One LR row to four HR rows; three HR rows hold no whole LR row, and are left out."""
    for name, rows in (("a", 4), ("b", 3), ("c", 4), ("d", 4)):
        for part, size in (("hr", (80, rows)), ("lr", (20, 1))):
            (tmp_path / part).mkdir(exist_ok=True)
            Image.new("RGB", size).save(tmp_path / part / f"{name}.png")
    pairs = list(paired(tmp_path / "hr", tmp_path / "lr", split="train").pairs())
    assert [(name, hr.shape, lr.shape) for name, hr, lr in pairs] == [
        (name, (4, 80, 3), (1, 20, 3)) for name in ("a", "c")
    ]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions as on Unix")
def test_what_may_not_be_read_is_named(warnings_of_absl):
    with tempfile.TemporaryDirectory() as root:
        root = Path(root)
        (root / "closed").mkdir()
        for name in ("closed/a.png", "b.png", "c.png", "d.png"):
            Image.new("RGB", (64, 64)).save(root / name)
        root.chmod(0o755)
        (root / "closed").chmod(0)
        (root / "b.png").chmod(0)
        superuser = os.geteuid() == 0  # whom no permission stops
        if superuser:
            os.seteuid(65534)
        try:
            assert [name for name, _, _ in folder(root, split="train").pairs()] == ["c.png"]
            with pytest.raises(UserError, match="closed: cannot be read"):
                list_images(root / "closed")
        finally:
            if superuser:
                os.seteuid(0)
            (root / "closed").chmod(0o755)
    assert f"left out: folder {root / 'closed'}: cannot be read" in warnings_of_absl.text
    assert f"left out: {root / 'b.png'}" in warnings_of_absl.text


@given(content=st.binary(max_size=300), suffix=st.sampled_from(["png", "jpg", "bmp", "webp", "tif"]))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_a_picture_or_a_user_error(content, suffix):
    magic = {"png": b"\x89PNG\r\n\x1a\n", "jpg": b"\xff\xd8\xff\xe0", "bmp": b"BM", "webp": b"RIFF", "tif": b"II*\0"}
    with tempfile.TemporaryDirectory() as root:
        path = Path(root, f"odd.{suffix}")
        path.write_bytes(magic[suffix] + content)
        try:
            assert read_rgb(path).dtype == np.uint8
        except UserError as error:
            assert str(path) in str(error)
