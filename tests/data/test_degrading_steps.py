"""The steps of degradations: kernels against hand-computed values and second moments, the others
against other libraries.
"""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage, special
from skimage import data as photographs

from data.degrading_steps import (
    add_gaussian_noise,
    add_poisson_noise,
    compress,
    convolve,
    gaussian_kernel,
    plateau_kernel,
    resize,
    sinc_kernel,
)

LINE = np.arange(21) - 10
RESAMPLE = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def photo():
    return photographs.astronaut()[:256, 100:356]


def grey(level, size=128):
    return np.full((size, size, 3), level, np.uint8)


def test_isotropic_gaussian_is_scipys():
    impulse = np.zeros((21, 21))
    impulse[10, 10] = 1
    expected = ndimage.gaussian_filter(impulse, 1.5, truncate=6.0)
    np.testing.assert_allclose(gaussian_kernel(21, sigma=1.5), expected, atol=1e-7)


def test_anisotropic_gaussian_has_the_covariance_of_its_ellipse():
    """Two pixels along the diagonal, one across: [[2.5, 1.5], [1.5, 2.5]]."""
    kernel = gaussian_kernel(21, sigma=(2.0, 1.0, np.pi / 4))
    rows, columns = np.meshgrid(LINE, LINE, indexing="ij")
    moments = [(kernel * one * other).sum() for one, other in ((rows, rows), (rows, columns), (columns, columns))]
    np.testing.assert_allclose(moments, [2.5, 1.5, 2.5], atol=2e-3)


@pytest.mark.parametrize(("beta", "at_two_sigma"), [(0.5, np.exp(-1.0)), (1.0, np.exp(-2.0)), (2.0, np.exp(-8.0))])
def test_generalised_gaussian_by_hand(beta, at_two_sigma):
    """Q is 4 at two sigma: exp(-4^beta / 2) of the value at the centre."""
    kernel = gaussian_kernel(21, sigma=3.0, beta=beta)
    assert kernel[10, 16] / kernel[10, 10] == pytest.approx(at_two_sigma)


def test_plateau_by_hand():
    """1 / (1 + 4^1.5) = 1/9 at two sigma."""
    kernel = plateau_kernel(21, sigma=3.0, beta=1.5)
    assert kernel[16, 10] / kernel[10, 10] == pytest.approx(1 / 9)


def test_sinc_by_hand_and_as_a_low_pass():
    """At distance 1 and cutoff pi/2: J1(pi/2) / 4 against (pi/2)^2 / (4 pi) = pi/16 at the centre;
    pi, far above, is gone.
    """
    kernel = sinc_kernel(21, cutoff=np.pi / 2)
    assert kernel[10, 11] / kernel[10, 10] == pytest.approx(special.j1(np.pi / 2) / 4 / (np.pi / 16))
    assert kernel.min() < -0.005  # rings
    alternating = (-1.0) ** np.abs(LINE)
    assert abs((kernel * alternating).sum()) < 0.05


def test_every_kernel_sums_to_one_and_is_point_symmetric():
    for kernel in (
        gaussian_kernel(7, sigma=(3.0, 0.2, 1.0), beta=0.5),
        plateau_kernel(9, sigma=0.2, beta=2.0),
        sinc_kernel(13, cutoff=np.pi / 5),
    ):
        assert kernel.sum() == pytest.approx(1)
        np.testing.assert_allclose(kernel, kernel[::-1, ::-1])
    with pytest.raises(ValueError, match="side 8"):
        gaussian_kernel(8, sigma=1.0)


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
    """A bright disc off the centre stays at the same share of the sides; a plain image stays plain
    up to its borders.
    """
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
