"""The degradation of phones and the web: what it leaves as it was, and how far the rest goes."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import data as photographs

from data.bicubic import downscale
from data.photo_degradation import degrade_as_phones_do


def draws(hr, count, *, scale=4):
    return [degrade_as_phones_do(hr, scale=scale, rng=np.random.default_rng([9, seed])) for seed in range(count)]


def grey(level, side=256):
    return np.full((side, side, 3), level, np.uint8)


@pytest.fixture(scope="module")
def photo():
    return photographs.astronaut()[:256, 100:356]


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_fifth_is_bicubic_and_nothing_else(photo, scale):
    hr = photo[:64, :64]
    clean = downscale(hr, scale)
    count = sum(np.array_equal(lr, clean) for lr in draws(hr, 400, scale=scale))
    assert 50 <= count <= 110  # 80 expected; four standard deviations are 32
    assert {lr.shape for lr in draws(hr, 8, scale=scale)} == {clean.shape}


def test_what_is_in_the_middle_stays_there_and_brightness_stays():
    rows, columns = np.mgrid[:256, :256]
    disc = 40 + 170 * ((rows - 90) ** 2 + (columns - 170) ** 2 < 50**2)
    hr = np.repeat(disc[..., None], 3, axis=-1).astype(np.uint8)
    mean = np.mean([lr.astype(float) for lr in draws(hr, 60)], axis=0).mean(axis=-1)
    np.testing.assert_allclose(ndimage.center_of_mass(mean - 40), [90.5 / 4 - 0.5, 170.5 / 4 - 0.5], atol=0.15)
    np.testing.assert_allclose(mean.mean(), disc.mean(), atol=1.0)


def test_noise_is_mostly_weak_and_grows_with_the_level():
    """On plain images nothing but noise, and what JPEG and sharpening make of it, leaves a
    deviation.
    """
    deviations = [lr.std() for lr in draws(grey(128), 200)]
    assert sum(deviation < 0.6 for deviation in deviations) > 60  # clean, or no noise drawn
    assert 3 < np.mean([deviation for deviation in deviations if deviation > 0.6]) < 8
    assert 12 < max(deviations) < 22
    dark, bright = (np.mean([lr.std() for lr in draws(grey(level), 100)]) for level in (40, 215))
    assert 1.2 * dark < bright


def test_jpeg_is_within_its_qualities(photo):
    """No draw is farther from a clean image than blur, noise and quality 40 explain; most keep what
    is in it.
    """

    def psnr(lr):
        return 10 * np.log10(255**2 / np.mean((lr.astype(float) - downscale(photo, 4)) ** 2))

    quality = [psnr(lr) for lr in draws(photo, 100) if not np.array_equal(lr, downscale(photo, 4))]
    assert min(quality) > 16 and 24 < np.median(quality) < 32
