import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from data.cutting import middle
from data.seams import ENOUGH, block_seams, shows_blocks


def luma(image):
    return np.asarray(Image.fromarray(image).convert("L"), np.float64)


def as_jpeg(image, quality, **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, **options)
    return np.asarray(Image.open(file))


@pytest.fixture(scope="module")
def photograph():
    return data.astronaut()[40:340, 60:360]


def columns_of_blocks(levels=6):
    """64x64: columns of blocks, every second one brighter."""
    return np.full((64, 64), 100.0) + levels * (np.arange(64) // 8 % 2)


# A step of 6 at the border stands out by 6, the two beside it, of 0, by 3 each, the other five by
# 0; each 0.4 more.
BY_HAND = 6.4 / (3.4**2 * 0.4**5) ** (1 / 7)


def test_by_hand():
    plane = columns_of_blocks()
    assert block_seams(plane) == pytest.approx((BY_HAND + 1) / 2)  # there are no seams between rows
    assert block_seams(plane + plane.T) == pytest.approx(BY_HAND)
    assert block_seams(np.full((64, 64), 7.0)) == 1
    ramp = np.add.outer(np.arange(64), 2.0 * np.arange(64))  # steps, none of which stands out
    assert block_seams(ramp) == pytest.approx(1)


def test_one_strong_contour_does_not_decide():
    plane = np.full((64, 64), 100.0)
    plane[:, 32:] = 200
    one_of_seven = (100.4 / 0.4 / (50.4 / 0.4) ** (2 / 7)) ** (1 / 7)
    assert block_seams(plane) == pytest.approx((one_of_seven + 1) / 2)


def test_of_an_enlargement_only_the_blocks_count_and_not_its_own_grid():
    plane = columns_of_blocks()
    enlarged = plane.repeat(4, 0).repeat(4, 1)
    assert block_seams(enlarged, scale=4) == pytest.approx(block_seams(plane))
    enlarged[::4, ::4] += 9
    assert block_seams(enlarged, scale=4) == pytest.approx(block_seams(plane))
    assert block_seams(np.roll(enlarged, 12, axis=1), scale=4) < 1.1  # steps elsewhere


def test_seams_of_jpeg_grow_with_compression(photograph):
    found = [block_seams(luma(as_jpeg(photograph, quality))) for quality in (90, 70, 50, 30)]
    assert found == sorted(found) and found[0] > 1.05 and found[-1] > 1.4
    assert block_seams(luma(photograph)) == pytest.approx(1, abs=0.05)


def test_what_is_too_small_is_refused():
    assert block_seams(np.zeros((44, 44)), scale=4) == 1
    with pytest.raises(ValueError, match="44x43: block seams take 44 pixels a side"):
        block_seams(np.zeros((43, 44)), scale=4)


@pytest.mark.parametrize("quality", [30, 60, 85])
def test_a_jpeg_is_known_by_its_blocks_also_cropped(photograph, quality):
    for subsampling in ("4:4:4", "4:2:0"):
        plane = luma(as_jpeg(photograph, quality, subsampling=subsampling))
        assert shows_blocks(plane) and shows_blocks(plane[3:, 5:])


def test_what_was_never_a_jpeg_shows_no_blocks(photograph):
    plain, coffee = luma(photograph), luma(data.coffee())
    for plane in (
        plain,
        plain[3:, 5:],
        coffee,
        np.full((100, 100), 40.0),
        np.add.outer(np.arange(100.0), np.arange(80.0)),
    ):
        assert not shows_blocks(plane)
    random = np.random.default_rng(0)
    modules = 255.0 * random.integers(0, 2, (30, 30)).repeat(8, 0).repeat(8, 1)  # as of a QR code
    assert not shows_blocks(modules)
    assert not shows_blocks(random.normal(128, 20, (300, 300)))


def test_of_a_large_image_the_middle_decides_and_a_small_one_is_not_judged(photograph):
    jpeg = luma(as_jpeg(photograph, 30))
    large = np.tile(luma(photograph)[:296, :296], (8, 8))
    assert not shows_blocks(middle(large, ENOUGH))
    large[672:1696, 672:1696] = np.tile(jpeg[:296, :296], (4, 4))[:1024, :1024]
    assert shows_blocks(middle(large, ENOUGH))
    assert shows_blocks(jpeg[:64, :64]) and not shows_blocks(jpeg[:63, :64])
