"""The second-order degradation: each of its operations, then the chain."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage import data as photographs

from data.real_degradation import (
    add_gaussian_noise,
    add_poisson_noise,
    compress,
    convolve,
    degrade_as_in_the_wild,
    random_kernel,
    resize,
)

RESAMPLE = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def photo():
    return photographs.astronaut()[:256, 100:356]


def grey(level, size=128):
    return np.full((size, size, 3), level, np.uint8)


def test_convolve_is_scipys_convolution(photo):
    kernel = np.random.default_rng(0).random((9, 9))
    kernel /= kernel.sum()
    expected = np.stack([ndimage.convolve(photo[..., c] / 1.0, kernel, mode="reflect") for c in range(3)], axis=-1)
    np.testing.assert_allclose(convolve(photo, kernel), expected, atol=0.501)


def test_convolve_takes_pictures_smaller_than_the_kernel():
    assert (convolve(grey(77, size=2)[:1], np.full((21, 21), 1 / 441)) == 77).all()


@pytest.mark.parametrize("resample", RESAMPLE)
@pytest.mark.parametrize("size", [(64, 64), (150, 70), (131, 400)])
def test_resizing_keeps_the_centre_and_the_borders(resample, size):
    """A bright disc off the centre stays at the same share of the sides; a plain picture stays plain up to its borders."""
    rows, columns = np.mgrid[:128, :128]
    disc = 255 * ((rows - 39.5) ** 2 + (columns - 87.5) ** 2 < 400)
    picture = np.repeat(disc[..., None], 3, axis=-1).astype(np.uint8)
    resized = resize(picture, size, resample=resample)
    assert resized.shape == (*size, 3)
    centre = ndimage.center_of_mass(resized[..., 0].astype(float))
    expected = [(40 / 128) * size[0] - 0.5, (88 / 128) * size[1] - 0.5]
    np.testing.assert_allclose(centre, expected, atol=0.3)
    assert (resize(grey(200), size, resample=resample) == 200).all()


def test_bilinear_and_bicubic_alias_and_area_does_not():
    """Rows that alternate between 0 and 255, at a sixteenth of the height."""
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[::2] = 255
    area, *others = (resize(stripes, (9, 9), resample=resample) for resample in RESAMPLE)
    assert np.abs(area.astype(int) - 127).max() < 20
    assert all(np.abs(other.astype(int) - 127).max() > 60 for other in others)


@pytest.mark.parametrize("sigma", [1.0, 30.0])
def test_gaussian_noise_has_its_sigma(sigma):
    noisy = add_gaussian_noise(grey(128), sigma=sigma, grey=False, rng=np.random.default_rng(0)).astype(float)
    assert noisy.mean() == pytest.approx(128, abs=0.5)
    assert noisy.std() == pytest.approx(np.hypot(sigma, 1 / np.sqrt(12)), rel=0.03)  # and the rounding to levels
    assert abs(np.corrcoef(noisy[..., 0].ravel(), noisy[..., 1].ravel())[0, 1]) < 0.05


def test_poisson_noise_grows_with_the_level_and_the_scale():
    for level, scale in ((25, 1.0), (100, 1.0), (100, 2.0)):
        noisy = add_poisson_noise(grey(level), scale=scale, grey=False, rng=np.random.default_rng(0)).astype(float)
        assert noisy.std() == pytest.approx(scale * np.sqrt(level), rel=0.04)
        assert noisy.mean() == pytest.approx(level, abs=0.5)


@pytest.mark.parametrize(
    "add", [lambda x, rng: add_gaussian_noise(x, sigma=9, grey=True, rng=rng), lambda x, rng: add_poisson_noise(x, scale=1, grey=True, rng=rng)]
)  # fmt: skip
def test_grey_noise_is_the_same_in_all_channels(add):
    noisy = add(grey(128), np.random.default_rng(0))
    assert noisy.std() > 5
    assert (noisy[..., 0] == noisy[..., 1]).all() and (noisy[..., 0] == noisy[..., 2]).all()


def test_compress_is_jpeg_of_that_quality(photo):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=30, subsampling=2)
    np.testing.assert_array_equal(compress(photo, quality=30), np.asarray(Image.open(file)))
    errors = [np.abs(compress(photo, quality=quality).astype(int) - photo).mean() for quality in (30, 60, 95)]
    assert errors[0] > errors[1] > errors[2] > 0


def test_kernel_families_come_in_their_shares():
    """10 % sinc, the only one that goes below zero; every side from 7 to 21."""
    rng = np.random.default_rng(0)
    kernels = [random_kernel(rng, sigma=(0.2, 3.0)) for _ in range(1500)]
    assert {len(kernel) for kernel in kernels} == set(range(7, 22, 2))
    share = np.mean([kernel.min() < -1e-9 for kernel in kernels])
    assert 0.07 < share < 0.13  # deviation 0.008
    assert all(kernel.sum() == pytest.approx(1) for kernel in kernels)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_chain_gives_the_lr_size_and_depends_on_its_generator_alone(photo, scale):
    hr = photo[:180, :240]
    one, again, other = (degrade_as_in_the_wild(hr, scale=scale, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == (180 // scale, 240 // scale, 3) and one.dtype == np.uint8
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_the_chain_keeps_the_place_of_things():
    """On the average of many draws a disc off the centre is where it was, to a tenth of an LR pixel."""
    rows, columns = np.mgrid[:128, :128]
    disc = 40 + 160 * ((rows - 47.5) ** 2 + (columns - 79.5) ** 2 < 500)
    hr = np.repeat(disc[..., None], 3, axis=-1).astype(np.uint8)
    total = sum(
        degrade_as_in_the_wild(hr, scale=4, rng=np.random.default_rng([5, i])).astype(float) for i in range(120)
    )
    brightness = total.mean(axis=-1) - np.median(total.mean(axis=-1))
    brightness[brightness < 0.2 * brightness.max()] = 0
    np.testing.assert_allclose(ndimage.center_of_mass(brightness), [48 / 4 - 0.5, 80 / 4 - 0.5], atol=0.1)


def test_strengths_differ_and_colours_stay(photo):
    """Errors against a plain shrinking range widely, and nothing drifts on the average."""
    plain = np.asarray(Image.fromarray(photo).resize((64, 64), Image.Resampling.BOX)).astype(float)
    made = [degrade_as_in_the_wild(photo, scale=4, rng=np.random.default_rng([0, i])).astype(float) for i in range(40)]
    errors = [np.sqrt(((lr - plain) ** 2).mean()) for lr in made]
    assert max(errors) > 2.5 * min(errors)
    shift = np.mean([lr.mean(axis=(0, 1)) - plain.mean(axis=(0, 1)) for lr in made], axis=0)
    assert np.abs(shift).max() < 2


@pytest.mark.parametrize("shape", [(4, 4), (1, 300), (300, 1), (8, 4)])
def test_tiny_pictures_survive(shape):
    for seed in range(12):
        hr = np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)
        assert degrade_as_in_the_wild(hr, scale=1, rng=np.random.default_rng(seed)).shape == hr.shape
