"""LR images by name: MATLAB bicubic, blur, and tiles of the second-order chain."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import data as photographs

from data.bicubic import bicubic_resize, downscale
from data.degradation import Degradation
from data.folder import folder
from data.patches import batches
from data.sample import sample
from data.store import open_store
from errors import UserError


@pytest.fixture(scope="module")
def photo():
    return photographs.astronaut()


def test_bicubic_is_matlabs_of_the_cropped_picture(photo):
    [(name, hr, lr)] = Degradation("bicubic", 3).pairs("a", photo, index=0, split="train")
    assert name == "a" and hr.shape == (510, 510, 3)
    np.testing.assert_array_equal(lr, downscale(photo[:510, :510], 3))


@pytest.mark.parametrize(("scale", "sigma"), [(2, 0.8), (4, 1.6)])
def test_blur_is_a_gaussian_before_the_bicubic(photo, scale, sigma):
    degrade = Degradation("blur", scale)
    assert str(degrade) == f"Gaussian blur {sigma:g} px, bicubic x{scale}"
    blurred = ndimage.gaussian_filter(photo.astype(np.float64), (sigma, sigma, 0))
    side = 512 // scale
    expected = np.clip(bicubic_resize(blurred, height=side, width=side), 0, 255)
    np.testing.assert_allclose(degrade.lr(photo), expected, atol=1.01)


def test_blur_lr_is_bicubic_and_then_a_gaussian_of_25_pixels_with_a_drawn_sigma(photo):
    """Torchvision's GaussianBlur(25): its kernel, and borders mirrored about the last pixel, by
    explicit sums.
    """
    degrade = Degradation("blur_lr", 4, seed=5)
    assert str(degrade) == "MATLAB bicubic, then Gaussian blur 0.1 to 2 px x4, seed 5"
    small = np.pad(downscale(photo, 4).astype(np.float64), ((12, 12), (12, 12), (0, 0)), mode="reflect")
    sigmas = []
    for index in range(4):
        sigmas.append(sigma := np.random.default_rng([5, index, 0]).uniform(0.1, 2.0))
        kernel = np.exp(-0.5 * (np.arange(-12, 13) / sigma) ** 2)
        kernel /= kernel.sum()
        rows = sum(weight * small[y : y + 128] for y, weight in enumerate(kernel))
        expected = sum(weight * rows[:, x : x + 128] for x, weight in enumerate(kernel))
        np.testing.assert_allclose(degrade.lr(photo, index=(index, 0)), expected, atol=0.51)
    assert max(sigmas) - min(sigmas) > 0.3


def test_real_cuts_training_pictures_into_tiles_that_differ_in_their_degradation(photo):
    hr = np.tile(photo, (2, 2, 1))[:1000, :900]  # LR 250x225: 2 by 2 tiles
    pairs = list(Degradation("real", 4, seed=3).pairs("a", hr, index=7, split="train"))
    assert [name for name, _, _ in pairs] == [f"a tile {number}" for number in range(4)]
    assert [tile.shape[:2] for _, tile, _ in pairs] == [(500, 448), (500, 452), (500, 448), (500, 452)]
    rows = [np.concatenate([pairs[i][1] for i in row], axis=1) for row in ((0, 1), (2, 3))]
    np.testing.assert_array_equal(np.concatenate(rows), hr)  # nothing is lost or moved
    for number, (_, tile, lr) in enumerate(pairs):
        assert lr.shape == (tile.shape[0] // 4, tile.shape[1] // 4, 3)
        np.testing.assert_array_equal(lr, Degradation("real", 4, seed=3).lr(tile, index=(7, number)))
    same = [Degradation("real", 4, seed=3).lr(pairs[0][1], index=(7, number)) for number in range(2)]
    assert (same[0] != same[1]).any()


def test_real_takes_validation_pictures_whole(photo):
    [(name, hr, lr)] = Degradation("real", 4).pairs("a", photo, index=0, split="validation")
    assert (name, hr.shape, lr.shape) == ("a", (512, 512, 3), (128, 128, 3))


def test_tiles_hold_any_usual_patch():
    """Whatever the size of the picture: where it has 96 LR pixels, so have its tiles, and none has
    192.
    """
    for side in (96, 191, 192, 287, 288, 1001):
        tiles = list(Degradation("real", 1).pairs("a", np.zeros((side, 1, 3), np.uint8), index=0, split="train"))
        assert {96 <= tile.shape[0] < 192 for _, tile, _ in tiles} == {True}
        assert sum(tile.shape[0] for _, tile, _ in tiles) == side


def test_seed_and_index_alone_decide(photo):
    hr = photo[:128, :128]
    base = Degradation("real", 4, seed=1).lr(hr, index=(2, 3))
    np.testing.assert_array_equal(base, Degradation("real", 4, seed=1).lr(hr, index=(2, 3)))
    for other in (
        Degradation("real", 4, seed=2).lr(hr, index=(2, 3)),
        Degradation("real", 4, seed=1).lr(hr, index=(3, 2)),
    ):
        assert (other != base).any()


def test_a_damaged_file_does_not_change_the_others(photos, tmp_path):
    for path in photos.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = {name: lr for name, _, lr in folder(tmp_path, split="train", degradation="real").pairs()}
    (tmp_path / "1.png").write_bytes(b"damaged")
    rest = {name: lr for name, _, lr in folder(tmp_path, split="train", degradation="real").pairs()}
    assert set(whole) - set(rest) == {"1.png tile 0"} and len(rest) == 3
    for name, lr in rest.items():
        np.testing.assert_array_equal(lr, whole[name])


@pytest.mark.parametrize("make", [lambda photos, **how: folder(photos, **how), lambda photos, **how: sample(**how)])
def test_each_degradation_has_a_store_of_its_own(photos, make):
    ways = [("bicubic", 0), ("blur", 0), ("blur_lr", 0), ("blur_lr", 1), ("real", 0), ("real", 1)]
    sources = [make(photos, split="train", degradation=name, degradation_seed=seed) for name, seed in ways]
    assert len({source.key for source in sources}) == 6
    assert [source.degradation for source in sources] == [str(Degradation(name, 4, seed)) for name, seed in ways]
    assert make(photos, split="train", degradation="blur", degradation_seed=9).key == sources[1].key


def test_batches_come_from_a_store_of_tiles(photos, tmp_path):
    store = open_store(folder(photos, split="train", scale=1, degradation="real"), cache_dir=tmp_path)
    assert len(store) == 5 and "2.png tile 1" in store.names  # 200x120 is cut in two
    assert store.degradation == "second-order x1, seed 0"
    lr, hr = next(iter(batches(store, batch_size=4, patch_size=48, seed=0)))
    assert lr.shape == hr.shape == (4, 48, 48, 3)


@pytest.mark.parametrize("name", ["real", "photo"])
def test_draws_are_versions_of_each_tile_and_the_first_is_that_of_one_draw(photos, tmp_path, name):
    once, thrice = (
        folder(photos, split="train", scale=1, degradation=name, degradation_draws=count) for count in (1, 3)
    )
    stores = [open_store(source, cache_dir=tmp_path) for source in (once, thrice)]
    assert [len(store) for store in stores] == [5, 15] and once.key != thrice.key
    assert thrice.degradation.endswith(", 3 draws")
    for i in range(5):
        np.testing.assert_array_equal(stores[1].lr(3 * i), stores[0].lr(i))
        for draw in range(3):
            assert stores[1].names[3 * i + draw] == f"{stores[0].names[i]} draw {draw}"
            np.testing.assert_array_equal(stores[1].hr(3 * i + draw), stores[0].hr(i))
        assert len({stores[1].lr(3 * i + draw).tobytes() for draw in range(3)}) > 1
    sizes = [(tmp_path / source.key / "hr.uint8").stat().st_size for source in (once, thrice)]
    assert sizes[0] == sizes[1]  # originals are kept once


def test_draws_leave_validation_alone(photos):
    keys = {folder(photos, split="validation", degradation="photo", degradation_draws=count).key for count in (1, 4)}
    assert len(keys) == 1


@pytest.mark.parametrize("name", ["bicubic", "blur"])
def test_draws_of_what_is_not_drawn_are_refused(name):
    with pytest.raises(UserError, match=f"--degradation_draws=2: --degradation={name} makes the same image every time"):
        Degradation(name, 4, draws=2)


def test_another_name_is_refused():
    with pytest.raises(UserError, match="--degradation=bicuibc: expected bicubic, blur, blur_lr, photo, real"):
        Degradation("bicuibc", 4)
