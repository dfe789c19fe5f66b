"""data/degrading_steps.py: what degradations are made of: blur kernels, blur, resize, noise and
JPEG.

Kernels are square float64 arrays of odd side that sum to one. Source: Real-ESRGAN,
arXiv:2107.10833, sections 3.1 and
3.4, whose generalised and plateau-shaped Gaussians are those of Liu et al., "Estimating generalized
Gaussian blur kernels for out-of-focus image deblurring". The other steps take an image (H, W, 3)
uint8 in 0..255 and give the same.
"""

import io
from typing import Any

import numpy as np
from PIL import Image
from scipy import fft, ndimage, special

from data.image_pixels import LUMA, round_levels


def gaussian_kernel(size: int, *, sigma: float | tuple[float, float, float], beta: float = 1.0) -> np.ndarray:
    """exp(-q^beta / 2), q = x^T S^-1 x: a Gaussian at beta 1, pointed below, flat-topped above.

    size: side in pixels, odd. sigma: a number, or (along, across, angle) for an anisotropic one:
    two standard deviations in pixels and radians.
    """
    return _normalised(np.exp(-0.5 * _quadratic_form(size, sigma) ** beta))


def plateau_kernel(size: int, *, sigma: float | tuple[float, float, float], beta: float) -> np.ndarray:
    """1 / (1 + q^beta), q = x^T S^-1 x: a flat top with long tails.

    Arguments as for `gaussian_kernel`.
    """
    return _normalised(1.0 / (1.0 + _quadratic_form(size, sigma) ** beta))


def sinc_kernel(size: int, *, cutoff: float) -> np.ndarray:
    """The circular low pass: cutoff / (2 pi r) J1(cutoff r), which leaves ringing and overshoot at
    edges.

    size: side in pixels, odd. cutoff: in radians per pixel, up to pi.
    """
    radius = np.hypot(*_offsets(size))
    centre = size // 2
    radius[centre, centre] = 1.0
    kernel = cutoff * special.j1(cutoff * radius) / (2 * np.pi * radius)
    kernel[centre, centre] = cutoff**2 / (4 * np.pi)
    return _normalised(kernel)


def convolve(picture: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """A uint8 image (H, W, 3) under a kernel of odd side, borders mirrored; the same shape, rounded
    to uint8.
    """
    height, width = picture.shape[:2]
    reach = len(kernel) // 2
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32)
    planes = np.pad(planes, ((0, 0), (reach, reach), (reach, reach)), mode="symmetric")
    # By Fourier transform, as fast for the largest kernel as for the smallest. (scipy.signal has
    # it, and takes a second to import.)
    shape = [fft.next_fast_len(side, real=True) for side in planes.shape[1:]]
    product = fft.rfft2(planes, shape) * fft.rfft2(kernel.astype(np.float32), shape)
    blurred = fft.irfft2(product, shape)[:, 2 * reach : 2 * reach + height, 2 * reach : 2 * reach + width]
    return round_levels(blurred.transpose(1, 2, 0))


def gaussian_blur(values: np.ndarray, sigma: float, **how: Any) -> np.ndarray:
    """Values (H, W, C) under a Gaussian of sigma pixels: float32, not rounded. how: its borders and
    its size, of `ndimage.gaussian_filter`.
    """
    return ndimage.gaussian_filter(values.astype(np.float32), sigma, axes=(0, 1), **how)


def resize(picture: np.ndarray, size: tuple[int, int], *, resample: int) -> np.ndarray:
    """A uint8 image to size (height, width), pixel grids aligned at their outer borders.

    resample: Pillow's BOX averages the pixels under each new one; BILINEAR and BICUBIC look at the
    nearest four and sixteen only, so that shrinking aliases, as it does in much of the software
    that images pass through.
    """
    if picture.shape[:2] == tuple(size):
        return picture
    image, new_size = Image.fromarray(picture), (size[1], size[0])
    if resample == Image.Resampling.BOX:
        return np.asarray(image.resize(new_size, resample))
    step = (image.width / new_size[0], 0, 0, 0, image.height / new_size[1], 0)
    return np.asarray(image.transform(new_size, Image.Transform.AFFINE, step, resample))


def add_gaussian_noise(picture: np.ndarray, *, sigma: float, grey: bool, rng: np.random.Generator) -> np.ndarray:
    """White noise of standard deviation sigma, in levels of 255. grey: the same in R, G and B.
    uint8 (H, W, 3) to the same.
    """
    noise = rng.standard_normal((*picture.shape[:2], 1 if grey else 3), np.float32)
    return round_levels(picture + noise * np.float32(sigma))


def add_poisson_noise(picture: np.ndarray, *, scale: float, grey: bool, rng: np.random.Generator) -> np.ndarray:
    """Shot noise: the deviation of a Poisson count with the pixel's level (0 to 255) as its mean,
    times scale.

    grey: drawn from the luma, and the same in R, G and B. uint8 (H, W, 3) to the same.
    """
    mean = (picture @ LUMA)[..., None] if grey else picture.astype(np.float32)
    return round_levels(picture + (rng.poisson(mean) - mean) * np.float32(scale))


def compress(picture: np.ndarray, *, quality: int, subsampling: str = "4:2:0") -> np.ndarray:
    """A uint8 image (H, W, 3) written as JPEG of this quality and read again. subsampling: of
    chroma; "4:4:4" for none.
    """
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(file))


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
