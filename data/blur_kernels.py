"""data/blur_kernels.py: the blur kernels of the second-order degradation.

Every function returns a square float64 kernel of odd side that sums to one. Source: Real-ESRGAN, arXiv:2107.10833,
sections 3.1 and 3.4, whose generalised and plateau-shaped Gaussians are those of Liu et al., "Estimating generalized
Gaussian blur kernels for out-of-focus image deblurring".
"""

import numpy as np
from scipy import special


def gaussian_kernel(size: int, *, sigma: float | tuple[float, float, float], beta: float = 1.0) -> np.ndarray:
    """exp(-q^beta / 2), q = x^T S^-1 x: a Gaussian at beta 1, pointed below, flat-topped above.

    size: side in pixels, odd. sigma: a number, or (along, across, angle) for an anisotropic one: two standard
    deviations in pixels and radians.
    """
    return _normalised(np.exp(-0.5 * _quadratic_form(size, sigma) ** beta))


def plateau_kernel(size: int, *, sigma: float | tuple[float, float, float], beta: float) -> np.ndarray:
    """1 / (1 + q^beta), q = x^T S^-1 x: a flat top with long tails. Arguments as for `gaussian_kernel`."""
    return _normalised(1.0 / (1.0 + _quadratic_form(size, sigma) ** beta))


def sinc_kernel(size: int, *, cutoff: float) -> np.ndarray:
    """The circular low pass: cutoff / (2 pi r) J1(cutoff r), which leaves ringing and overshoot at edges.

    size: side in pixels, odd. cutoff: in radians per pixel, up to pi.
    """
    radius = np.hypot(*_offsets(size))
    centre = size // 2
    radius[centre, centre] = 1.0
    kernel = cutoff * special.j1(cutoff * radius) / (2 * np.pi * radius)
    kernel[centre, centre] = cutoff**2 / (4 * np.pi)
    return _normalised(kernel)


def _quadratic_form(size, sigma):
    along, across, angle = sigma if np.ndim(sigma) else (sigma, sigma, 0.0)
    y, x = _offsets(size)
    u = x * np.cos(angle) + y * np.sin(angle)
    v = -x * np.sin(angle) + y * np.cos(angle)
    return (u / along) ** 2 + (v / across) ** 2


def _offsets(size):
    if size % 2 == 0:
        raise ValueError(f"a kernel of side {size} has no centre; its side must be odd")
    line = np.arange(size, dtype=np.float64) - size // 2
    return np.meshgrid(line, line, indexing="ij")


def _normalised(kernel):
    return kernel / kernel.sum()
