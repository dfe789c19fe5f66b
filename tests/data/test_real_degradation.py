"""The second-order degradation: the kernels that it draws, then the chain."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage import data as photographs

from data.real_degradation import degrade_as_in_the_wild, random_kernel


@pytest.fixture(scope="module")
def photo():
    return photographs.astronaut()[:256, 100:356]


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
    """On the average of many draws a disc off the centre is where it was, to a tenth of an LR
    pixel.
    """
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
