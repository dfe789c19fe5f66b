"""Two folders matched by name: what belongs together, what is refused, and that crops stay
together.
"""

import os

import numpy as np
import pytest
from PIL import Image

from data.paired import match_files, paired
from data.patches import batches
from data.store import open_store
from errors import UserError


def write(path, height, width, *, seed=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return pixels


def write_pairs(root, names, *, scale=2, side=24, ending=""):
    """HR and LR noise that have nothing in common: reading must not recompute one from the
    other.
    """
    pictures = {}
    for seed, name in enumerate(names):
        hr = write(root / "hr" / f"{name}.png", side * scale, (side + 2) * scale, seed=seed)
        lr = write(root / "lr" / f"{name}{ending}.png", side, side + 2, seed=1000 + seed)
        pictures[name] = (hr, lr)
    return root / "hr", root / "lr", pictures


def messages(caplog):
    """What was logged, in order; propagation shows each record to two handlers."""
    return list(dict.fromkeys(record.getMessage() for record in caplog.records))


def names_of(pairs):
    return [(pair.name, pair.hr.name, pair.lr.name) for pair in pairs]


@pytest.mark.parametrize("ending", ["", "x2", "_x2", "-X2"])
def test_pairs_are_read_as_they_are(tmp_path, ending):
    hr_dir, lr_dir, pictures = write_pairs(tmp_path, ["a", "b", "city/c"], ending=ending)
    source = paired(hr_dir, lr_dir, split="train", scale=2)
    read = {name: (hr, lr) for name, hr, lr in source.pairs()}
    assert sorted(read) == ["a", "b"]  # city/c validates
    for name, (hr, lr) in read.items():
        np.testing.assert_array_equal(hr, pictures[name][0])
        np.testing.assert_array_equal(lr, pictures[name][1])
    assert [name for name, _, _ in paired(hr_dir, lr_dir, split="validation", scale=2).pairs()] == ["city/c"]
    assert (source.scale, source.count, source.degradation) == (2, 2, f"files of {lr_dir}/ x2")


def test_formats_may_differ_and_a_whole_name_goes_before_an_ending(tmp_path):
    """street_x4 is a name of its own where an original bears it, and street's LR image has
    another.
    """
    for name in ("street.png", "street_x4.png"):
        write(tmp_path / "hr" / name, 8, 8)
    for name in ("street.bmp", "street_x4.jpg"):
        write(tmp_path / "lr" / name, 4, 4)
    assert names_of(match_files(tmp_path / "hr", tmp_path / "lr")) == [
        ("street", "street.png", "street.bmp"),
        ("street_x4", "street_x4.png", "street_x4.jpg"),
    ]


def test_every_file_without_a_counterpart_is_named(tmp_path, warnings_of_absl):
    hr_dir, lr_dir, _ = write_pairs(tmp_path, ["a", "b", "c", "d"])
    (hr_dir / "a.png").unlink()
    (lr_dir / "b.png").unlink()
    write(lr_dir / "cx2.png", 24, 26)  # a second one for c
    with pytest.raises(UserError) as error:
        paired(hr_dir, lr_dir, split="train", scale=2)
    assert "3 originals, 4 low-resolution pictures" in str(error.value)
    assert "and 2 more, each named above" in str(error.value) and "\n" not in str(error.value)
    assert messages(warnings_of_absl) == [
        f"{lr_dir / 'a.png'}: no original of that name in {hr_dir}",
        f"{hr_dir / 'b.png'}: no low-resolution picture of that name in {lr_dir}",
        f"more than one picture of one name: {hr_dir / 'c.png'}, {lr_dir / 'c.png'}, {lr_dir / 'cx2.png'}",
    ]


def test_every_pair_of_another_scale_is_named(tmp_path, warnings_of_absl):
    hr_dir, lr_dir, _ = write_pairs(tmp_path, ["a", "b", "c", "d"])
    write(lr_dir / "b.png", 16, 17)  # 48x52 is three times that, but for one column
    write(lr_dir / "d.png", 24, 20)
    with pytest.raises(UserError, match="2 of 4 pairs are not of --scale=2.*and 1 more, each named above"):
        paired(hr_dir, lr_dir, split="train", scale=2)
    assert messages(warnings_of_absl) == [
        f"{hr_dir / 'b.png'} (52x48) and {lr_dir / 'b.png'} (17x16): of scale 3, not of scale 2",
        f"{hr_dir / 'd.png'} (52x48) and {lr_dir / 'd.png'} (20x24): of no whole scale, not of scale 2",
    ]


@pytest.mark.parametrize(("scale", "given"), [(3, 4), (1, 4), (2, 1)])
def test_a_scale_that_all_files_share_is_named(tmp_path, scale, given):
    hr_dir, lr_dir, _ = write_pairs(tmp_path, ["a", "b"], scale=scale)
    with pytest.raises(
        UserError, match=f"--scale={given}: the pictures of .* {scale} times as large .* give --scale={scale}$"
    ):
        paired(hr_dir, lr_dir, split="train", scale=given)


def test_sides_that_are_no_multiple_are_cropped_to_what_both_show(tmp_path):
    """HR 50x47 at scale 4: LR rounded down is 12x11, rounded up 13x12; both belong."""
    hr = write(tmp_path / "hr" / "a.png", 50, 47)
    write(tmp_path / "hr" / "b.png", 50, 47)
    small, large = write(tmp_path / "lr" / "a.png", 12, 11), write(tmp_path / "lr" / "b.png", 13, 12)
    [(_, hr_read, lr_read)] = paired(tmp_path / "hr", tmp_path / "lr", split="train").pairs()
    np.testing.assert_array_equal(hr_read, hr[:48, :44])
    np.testing.assert_array_equal(lr_read, small)
    [(_, hr_read, lr_read)] = paired(tmp_path / "hr", tmp_path / "lr", split="validation").pairs()
    assert hr_read.shape == (48, 44, 3)
    np.testing.assert_array_equal(lr_read, large[:12, :11])


def test_sizes_are_those_after_exif_orientation(tmp_path):
    on_its_side = Image.Exif()
    on_its_side[274] = 6
    hr_dir, lr_dir, _ = write_pairs(tmp_path, ["a", "b"])
    for name, suffix in (("c", "jpg"), ("d", "png")):
        write(hr_dir / f"{name}.{suffix}", 40, 60, exif=on_its_side)  # shown as 60 rows of 40
        write(lr_dir / f"{name}.png", 30, 20)
    pairs = {name: (hr.shape, lr.shape) for name, hr, lr in paired(hr_dir, lr_dir, split="train", scale=2).pairs()}
    assert pairs["c"] == ((60, 40, 3), (30, 20, 3))


def test_a_damaged_file_takes_its_pair_out_and_is_named(tmp_path, warnings_of_absl):
    hr_dir, lr_dir, _ = write_pairs(tmp_path, ["a", "b", "c", "d"])
    (lr_dir / "a.png").write_bytes((lr_dir / "a.png").read_bytes()[:200])  # header whole, pixels cut short
    (hr_dir / "b.png").write_text("no picture")
    (lr_dir / "0.png").symlink_to("nowhere")
    os.mkfifo(hr_dir / "0.png")
    assert [name for name, _, _ in paired(hr_dir, lr_dir, split="train", scale=2).pairs()] == ["c"]
    assert "hr/0.png: a named pipe" in warnings_of_absl.text
    assert "lr/a.png: damaged" in warnings_of_absl.text and "hr/b.png: not an image" in warnings_of_absl.text
    for path in hr_dir.glob("[a-d].png"):
        path.write_text("no picture")
    with pytest.raises(UserError, match="none of 4 pairs is usable.*0.png"):
        list(paired(hr_dir, lr_dir, split="train", scale=2).pairs())


def test_one_crop_and_one_orientation_for_both(tmp_path):
    """Both sides number their LR rows and columns: every batch has to show the same numbers at the
    same places.
    """
    rows, columns = np.mgrid[:40, :50].astype(np.uint8)
    lr = np.stack([rows, columns, np.zeros_like(rows)], axis=-1)
    hr = lr.repeat(3, axis=0).repeat(3, axis=1)
    for name in ("a", "b"):
        for folder, picture in (("hr", hr), ("lr", lr)):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(picture).save(tmp_path / folder / f"{name}.png")
    store = open_store(paired(tmp_path / "hr", tmp_path / "lr", split="train", scale=3), cache_dir=tmp_path / "cache")
    for lr_crops, hr_crops in batches(store, batch_size=16, patch_size=12, seed=0).take(2):
        np.testing.assert_array_equal(hr_crops.numpy()[:, 1::3, 1::3], lr_crops.numpy())


def test_pairs_of_one_size(tmp_path):
    hr_dir, lr_dir, pictures = write_pairs(tmp_path, ["a", "b", "c"], scale=1)
    store = open_store(paired(hr_dir, lr_dir, split="train", scale=1), cache_dir=tmp_path / "cache")
    np.testing.assert_array_equal(store.hr(1), pictures["b"][0])
    np.testing.assert_array_equal(store.lr(1), pictures["b"][1])
    write(lr_dir / "b.png", 24, 25)
    with pytest.raises(UserError, match="1 of 3 pairs are not of --scale=1.*no whole scale"):
        paired(hr_dir, lr_dir, split="train", scale=1)


def test_folders_of_their_own_for_validation(tmp_path):
    hr_dir, lr_dir, _ = write_pairs(tmp_path / "train", ["a", "b"])
    valid_dir, valid_lr_dir, _ = write_pairs(tmp_path / "valid", ["v"])
    folders = {"valid_dir": valid_dir, "valid_lr_dir": valid_lr_dir, "scale": 2}
    assert [name for name, _, _ in paired(hr_dir, lr_dir, split="train", **folders).pairs()] == ["a", "b"]
    assert [name for name, _, _ in paired(hr_dir, lr_dir, split="validation", **folders).pairs()] == ["v"]
    with pytest.raises(UserError, match="--valid_dir and --valid_lr_dir together"):
        paired(hr_dir, lr_dir, split="train", valid_dir=valid_dir)


def test_refusals(tmp_path):
    hr_dir, lr_dir, _ = write_pairs(tmp_path, ["only"])
    with pytest.raises(UserError, match="only one pair.*--valid_dir"):
        paired(hr_dir, lr_dir, split="train", scale=2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: no pictures.*\.png"):
        paired(hr_dir, tmp_path / "empty", split="train")
    with pytest.raises(UserError, match="nowhere: no such folder"):
        paired(tmp_path / "nowhere", lr_dir, split="train")
    with pytest.raises(ValueError, match="'test'"):
        paired(hr_dir, lr_dir, split="test")
