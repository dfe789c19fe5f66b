"""Blur kernels against hand-computed values and second moments."""

import numpy as np
import pytest
from scipy import ndimage, special

from data.blur_kernels import gaussian_kernel, plateau_kernel, sinc_kernel

LINE = np.arange(21) - 10


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
    """At distance 1 and cutoff pi/2: J1(pi/2) / 4 against (pi/2)^2 / (4 pi) = pi/16 at the centre; pi, far above, is gone."""
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
