"""data/photo_degradation.py: what happens to a photograph on its way through one phone and one web
site.

Milder than data.real_degradation, and once only. In this order:

    clean       a fifth of the images: MATLAB's bicubic and nothing else, so that clean ones stay sharp
    blur        in 70 %: Gaussian of 0.1 to 0.8 LR pixels, of lens, hand and demosaicing
    resize      Pillow's box, bilinear, bicubic or Lanczos filter, each antialiased, 22 % each; bilinear without
                antialiasing, as OpenCV's default has it, 12 %
    sharpening  in 40 %: unsharp mask of radius 0.5 to 1.5 pixels, amount 0.1 to 1; before the
    noise, whose sigma then
                is that of what the phone's own denoising leaves
    noise       in 75 %: Poisson and Gaussian (Foi et al. 2008, doi:10.1109/TIP.2008.2001399): its variance is a constant
                and a share that grows with the level. sigma at mid-grey is 20 * u**3 of 255, u even
                in 0 to 1: 5 on average, above 10 in a fifth. In half of them it is smoothed, as
                demosaicing leaves it; in 40 % it is the same in R, G and B
    JPEG        quality 40 to 98, chroma halved in 70 %; in 40 % a second time with the 8x8 blocks at another place, as
                after cropping

The ranges of blur, noise and JPEG lie inside those of Real-ESRGAN (arXiv:2107.10833, appendix A:
sigma 0.2 to 3 HR pixels at x4, noise 1 to 30, quality 30 to 95) but for the top of JPEG, since
phones write 90 to 98. Its share of grey noise is taken over. The shares of clean images, filters,
sharpening and second rounds are this project's choice.
"""

import numpy as np
from PIL import Image

from data.bicubic import downscale
from data.degrading_steps import compress, gaussian_blur, resize
from data.image_pixels import round_levels

_CLEAN_SHARE = 0.2
_BLUR_SHARE, _BLUR_SIGMA = 0.7, (0.1, 0.8)  # LR pixels
_BLUR_ENDS = 3.0  # standard deviations
_ANTIALIASED = (
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)
_ALIASED_SHARE = 0.12
_NOISE_SHARE, _NOISE_SIGMA = 0.75, 20.0  # levels of 255, the largest at mid-grey
_SMOOTHED_SHARE, _SMOOTHED_SIGMA = 0.5, (0.3, 0.8)
_GREY_SHARE = 0.4
_SHARPENED_SHARE, _SHARPENED_RADIUS, _SHARPENED_AMOUNT = 0.4, (0.5, 1.5), (0.1, 1.0)
_QUALITY = (40, 98)
_HALVED_SHARE, _TWICE_SHARE = 0.7, 0.4
_BLOCK = 8


def degrade_as_phones_do(hr: np.ndarray, *, scale: int, rng: np.random.Generator) -> np.ndarray:
    """The LR image of an HR image: (H, W, 3) to (H / scale, W / scale, 3), uint8 in 0..255, by the
    chain above.

    H and W: multiples of scale. rng: the same state gives the same image. The pixel grids stay
    aligned: what is in the middle of the one is in the middle of the other. At scale 1 nothing is
    resized, and a clean image is the original.
    """
    if rng.random() < _CLEAN_SHARE:
        return downscale(hr, scale)
    image = hr
    if rng.random() < _BLUR_SHARE:
        image = round_levels(gaussian_blur(image, scale * rng.uniform(*_BLUR_SIGMA), truncate=_BLUR_ENDS))
    image = _resized(image, (hr.shape[0] // scale, hr.shape[1] // scale), rng)
    if rng.random() < _SHARPENED_SHARE:
        image = _sharpened(image, rng)
    if rng.random() < _NOISE_SHARE:
        image = _noisy(image, rng)
    if rng.random() < _TWICE_SHARE:
        image = _compressed_elsewhere(image, rng)
    return _compressed(image, rng)


def _resized(image, size, rng):
    if rng.random() < _ALIASED_SHARE:
        return resize(image, size, resample=Image.Resampling.BILINEAR)
    resample = _ANTIALIASED[rng.integers(len(_ANTIALIASED))]
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), resample))


def _sharpened(image, rng):
    levels = image.astype(np.float32)
    radius, amount = rng.uniform(*_SHARPENED_RADIUS), np.float32(rng.uniform(*_SHARPENED_AMOUNT))
    return round_levels(levels + amount * (levels - gaussian_blur(levels, radius, truncate=_BLUR_ENDS)))


def _noisy(image, rng):
    sigma = _NOISE_SIGMA * rng.random() ** 3
    grows = rng.random()  # the share of the variance at mid-grey that grows with the level
    noise = rng.standard_normal((*image.shape[:2], 1 if rng.random() < _GREY_SHARE else 3), np.float32)
    if rng.random() < _SMOOTHED_SHARE:
        noise = gaussian_blur(noise, rng.uniform(*_SMOOTHED_SIGMA), truncate=_BLUR_ENDS)
        noise /= noise.std()
    levels = image.astype(np.float32)
    return round_levels(levels + noise * np.float32(sigma) * np.sqrt(1 - grows + grows * levels / 127.5))


def _compressed(image, rng):
    quality = int(rng.integers(*_QUALITY, endpoint=True))
    return compress(image, quality=quality, subsampling="4:2:0" if rng.random() < _HALVED_SHARE else "4:4:4")


def _compressed_elsewhere(image, rng):
    """Compressed with its first rows and columns inside a block."""
    top, left = rng.integers(_BLOCK, size=2)
    return _compressed(np.pad(image, ((top, 0), (left, 0), (0, 0)), mode="edge"), rng)[top:, left:]
