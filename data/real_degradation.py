"""data/real_degradation.py: what happens to an image between the lens and the phone, twice over.

The second-order model of Real-ESRGAN (arXiv:2107.10833, section 3; ranges from its appendix and
published configuration): an image is blurred, resized, made noisy and compressed; and the result
once more. Two things are random, the strengths and the order:

                    first pass                              second pass
    blur            always                                  in 80 % of the images
      kernel        side 7, 9 ... 21; Gaussian 63 %, generalised Gaussian 13.5 %, plateau 13.5 % (each isotropic or not), sinc 10 %
      sigma         0.2 to 3 pixels                         0.2 to 1.5 pixels
      beta          generalised 0.5 to 4, plateau 1 to 2
      sinc cutoff   pi/3 (side 13 and more: pi/5) to pi
    resize          up 20 %, down 70 %, not at all 10 %     up 30 %, down 40 %, not at all 30 %
      factor        0.15 to 1.5 of the original             0.3 to 1.2 of the final size
      filter        area, bilinear or bicubic, the last two without antialiasing
    noise           Gaussian or Poisson, evenly; the same in all channels in 40 %
      sigma         1 to 30 of 255                          1 to 25 of 255
      Poisson scale 0.05 to 3                               0.05 to 2.5
    JPEG            quality 30 to 95, chroma halved         the same
    at the end      resize to the final size with a sinc filter in 80 %, before or after the second JPEG, evenly

Deliberately different from the published code: within a pass blur, resize and noise come in any
order (as in BSRGAN, arXiv:2103.14006; there they keep this one); and pixels are rounded to 8 bits
between the steps, as they are between programs in the wild. Originals are not sharpened, as they
are there before training.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

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

_KERNEL_SIDES = range(7, 22, 2)
_KERNELS = ("gaussian", "anisotropic", "generalised", "generalised anisotropic", "plateau", "plateau anisotropic")
_KERNEL_SHARES = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
_SINC_SHARE = 0.1
_GREY_NOISE_SHARE = 0.4
_FINAL_SINC_SHARE = 0.8
_QUALITY = (30, 95)
_FILTERS = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)


@dataclass(frozen=True)
class _Pass:
    """The probabilities and ranges in which the two passes differ, as in the table above."""

    blur_share: float
    sigma: tuple[float, float]
    resize_shares: tuple[float, float, float]
    factor: tuple[float, float]
    gaussian: tuple[float, float]
    poisson: tuple[float, float]


_FIRST = _Pass(1.0, (0.2, 3.0), (0.2, 0.7, 0.1), (0.15, 1.5), (1.0, 30.0), (0.05, 3.0))
_SECOND = _Pass(0.8, (0.2, 1.5), (0.3, 0.4, 0.3), (0.3, 1.2), (1.0, 25.0), (0.05, 2.5))


def degrade_as_in_the_wild(hr: np.ndarray, *, scale: int, rng: np.random.Generator) -> np.ndarray:
    """The LR image of an HR image: (H, W, 3) to (H / scale, W / scale, 3), uint8 in 0..255, by a
    chain drawn from `rng`.

    H and W: multiples of scale. rng: a numpy.random.Generator; the same state gives the same image.
    The pixel grids stay aligned: what is in the middle of the one is in the middle of the other. At
    scale 1 the ranges stay as published for x4, which is a hard case for a restorer.
    """
    size = hr.shape[0] // scale, hr.shape[1] // scale
    picture = _pass(hr, _FIRST, base=hr.shape[:2], rng=rng)
    picture = compress(picture, quality=_quality(rng))
    picture = _pass(picture, _SECOND, base=size, rng=rng)
    if rng.random() < 0.5:
        return compress(_finish(picture, size, rng), quality=_quality(rng))
    return _finish(compress(picture, quality=_quality(rng)), size, rng)


def _pass(picture, ranges, *, base, rng):
    """Blur, resize and noise in an order drawn at random. base: (height, width) that the resize
    factor refers to.
    """
    steps = {
        "blur": lambda x: _random_blur(x, ranges, rng),
        "resize": lambda x: _random_resize(x, ranges, base, rng),
        "noise": lambda x: _random_noise(x, ranges, rng),
    }
    for name in rng.permutation(list(steps)):
        picture = steps[name](picture)
    return picture


def _finish(picture, size, rng):
    picture = resize(picture, size, resample=_FILTERS[rng.integers(3)])
    if rng.random() < _FINAL_SINC_SHARE:
        kernel = sinc_kernel(int(rng.choice(_KERNEL_SIDES)), cutoff=rng.uniform(np.pi / 3, np.pi))
        picture = convolve(picture, kernel)
    return picture


def _random_blur(picture, ranges, rng):
    if rng.random() >= ranges.blur_share:
        return picture
    return convolve(picture, random_kernel(rng, sigma=ranges.sigma))


def random_kernel(rng: np.random.Generator, *, sigma: tuple[float, float]) -> np.ndarray:
    """A kernel of one of the families in the table, (side, side) float64 that sums to one. sigma:
    range of standard deviations in pixels.
    """
    side = int(rng.choice(_KERNEL_SIDES))
    if rng.random() < _SINC_SHARE:
        return sinc_kernel(side, cutoff=rng.uniform(np.pi / (3 if side < 13 else 5), np.pi))
    family = rng.choice(_KERNELS, p=_KERNEL_SHARES)
    spread = rng.uniform(*sigma)
    if "anisotropic" in family:
        spread = (spread, rng.uniform(*sigma), rng.uniform(-np.pi, np.pi))
    if "plateau" in family:
        return plateau_kernel(side, sigma=spread, beta=rng.uniform(1.0, 2.0))
    if "generalised" in family:  # pointed and flat-topped ones evenly
        return gaussian_kernel(
            side, sigma=spread, beta=rng.uniform(*((0.5, 1.0) if rng.random() < 0.5 else (1.0, 4.0)))
        )
    return gaussian_kernel(side, sigma=spread)


def _random_resize(picture, ranges, base, rng):
    low, high = ranges.factor
    direction = rng.choice(3, p=ranges.resize_shares)
    factor = (rng.uniform(1.0, high), rng.uniform(low, 1.0), 1.0)[direction]
    size = tuple(max(1, round(side * factor)) for side in base)
    return resize(picture, size, resample=_FILTERS[rng.integers(3)])


def _random_noise(picture, ranges, rng):
    grey = rng.random() < _GREY_NOISE_SHARE
    if rng.random() < 0.5:
        return add_gaussian_noise(picture, sigma=rng.uniform(*ranges.gaussian), grey=grey, rng=rng)
    return add_poisson_noise(picture, scale=rng.uniform(*ranges.poisson), grey=grey, rng=rng)


def _quality(rng):
    return int(rng.integers(*_QUALITY, endpoint=True))
