"""PSNR, SSIM, LR-PSNR, colour shift and grid, by the protocol of the super-resolution literature.

Images are uint8, (H, W, 3) RGB. The measures are taken on the luma of BT.601 in studio range (16 to
235), after a border has been cut off. The literature knows two kinds of it: not rounded ("y", what
today's toolboxes and MATLAB's `rgb2ycbcr` of a floating-point image give), and rounded to 8 bits
("y8", what MATLAB gives for a uint8 image). They differ by about 0.01 dB.

Everything is computed in float64, in strips: a 4K image
needs tens of megabytes, not gigabytes.
"""

import math

import numpy as np
from scipy import ndimage

from data.bicubic import downscale
from errors import UserError
from settings.evaluation import CHANNELS

# rgb2ycbcr, for R, G, B in [0, 1]. Source: ITU-R BT.601; MATLAB's documentation of rgb2ycbcr.
_Y_WEIGHTS = np.array([65.481, 128.553, 24.966])
_Y_OFFSET = 16.0

# Wang, Bovik, Sheikh, Simoncelli: "Image quality assessment: from error visibility to structural
# similarity", IEEE TIP 2004.
SSIM_WINDOW = 11
_SSIM_SIGMA = 1.5
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2

_STRIP_ROWS = 256

GRID_PLACE = 6  # LR pixels along the side of a place, an even number; as in losses/grid.py, which says why


def rgb_to_y(image: np.ndarray) -> np.ndarray:
    """Luma of an RGB image: 16 + 65.481 R + 128.553 G + 24.966 B, with R, G, B in [0, 1].

    image (..., 3), uint8 or float in [0, 1]. Returns (...) float64 in [16, 235], not rounded.
    """
    image = np.asarray(image)
    if image.dtype == np.uint8:
        return image @ (_Y_WEIGHTS / 255.0) + _Y_OFFSET
    return image.astype(np.float64) @ _Y_WEIGHTS + _Y_OFFSET


def psnr(hr: np.ndarray, sr: np.ndarray, *, border: int, channel: str = "y") -> float:
    """Peak signal-to-noise ratio in dB, peak 255; infinite for equal images.

    hr, sr (H, W, 3) uint8. border: pixels cut off at every side. channel: one of CHANNELS; "rgb" is
    the error over all three at once. Raises UserError when the sizes differ or the border leaves
    nothing, ValueError for an unknown channel.
    """
    total, count = 0.0, 0
    for hr_strip, sr_strip in _strips(hr, sr, border=border, channel=channel, overlap=0):
        difference = (hr_strip - sr_strip).ravel()
        total += float(difference @ difference)
        count += difference.size
    return math.inf if total == 0 else 10 * math.log10(255.0**2 * count / total)


def ssim(hr: np.ndarray, sr: np.ndarray, *, border: int, channel: str = "y") -> float:
    """Structural similarity of Wang et al., at most 1: Gaussian 11x11, sigma 1.5, K1 0.01, K2 0.03,
    range 255, 'valid'.

    Arguments and errors as for `psnr`; also a UserError when less than 11x11 pixels remain. "rgb"
    is the mean of the three channels.
    """
    total, count = 0.0, 0
    for hr_strip, sr_strip in _strips(hr, sr, border=border, channel=channel, overlap=SSIM_WINDOW - 1):
        similarity = _ssim_map(hr_strip, sr_strip)
        total += float(similarity.sum())
        count += similarity.size
    return total / count


def lr_psnr(lr: np.ndarray, sr: np.ndarray) -> float:
    """How faithful sr is to its input: PSNR in dB, on RGB without a border, of sr brought down
    again against lr.

    lr (h, w, 3), sr (s*h, s*w, 3), uint8; brought down by MATLAB's bicubic. Infinite where every
    pixel is met. Source: the measure of the NTIRE challenge "Learning the Super-Resolution Space",
    Lugmayr et al., CVPRW 2021. Raises UserError when sr is no multiple of lr.
    """
    scale = sr.shape[0] // lr.shape[0]
    if scale < 1 or sr.shape[:2] != (lr.shape[0] * scale, lr.shape[1] * scale):
        raise UserError(
            f"a result of {sr.shape[1]}x{sr.shape[0]} is no multiple of its input of {lr.shape[1]}x{lr.shape[0]}"
        )
    return psnr(lr, downscale(sr, scale), border=0, channel="rgb")


def color_shift(hr: np.ndarray, sr: np.ndarray) -> np.ndarray:
    """Mean of sr - hr for R, G and B, in 8-bit steps (units of 1/255). hr, sr (H, W, 3) uint8 ->
    (3,) float64.

    (1, 1, 1) is a result too bright by one step throughout; (0, 0, -2) is one too yellow. Raises
    UserError when sizes differ.
    """
    _check_sizes(hr, sr)
    # Rows first, in whole numbers: numpy adds those up many times faster than it takes a mean over
    # two axes.
    sums = [picture.sum(axis=0, dtype=np.uint32).sum(axis=0, dtype=np.int64) for picture in (sr, hr)]
    return (sums[0] - sums[1]) / (hr.shape[0] * hr.shape[1])


def grid(hr: np.ndarray, sr: np.ndarray, *, scale: int) -> float:
    """How strongly sr - hr repeats itself from one LR pixel to the next, in 8-bit levels (units of
    1/255); 0 where it does not.

    hr, sr (H, W, 3) uint8, no border. The mean error of each of the scale² sub-pixels over a place
    of 6×6 LR pixels, less their mean, is the pattern of the place; the measure is the mean over
    places, which overlap by half, of the pattern's root mean square: losses.grid on 8-bit images.
    Raises UserError when sizes differ or there is no room for a place.
    """
    _check_sizes(hr, sr)
    block = GRID_PLACE // 2
    rows, columns = (side // (block * scale) for side in hr.shape[:2])
    if min(rows, columns) < 2:
        raise UserError(
            f"a picture of {hr.shape[1]}x{hr.shape[0]} is too small to measure its grid: it takes {GRID_PLACE * scale} pixels a side"
        )
    error = np.subtract(sr, hr, dtype=np.int16)[: rows * block * scale, : columns * block * scale]
    error = error.reshape(rows, block, scale, columns, block, scale, 3).sum(axis=(1, 4), dtype=np.int64)
    places = (error[:-1, :, :-1] + error[1:, :, :-1] + error[:-1, :, 1:] + error[1:, :, 1:]) / GRID_PLACE**2
    pattern = places - places.mean(axis=(1, 3), keepdims=True)
    return float(np.sqrt(np.square(pattern).mean(axis=(1, 3, 4))).mean())


def _strips(hr, sr, *, border, channel, overlap):
    """Pairs of (planes, rows, columns) float64 strips; each repeats the last `overlap` rows of the
    one before.
    """
    if channel not in CHANNELS:
        raise ValueError(f"channel {channel!r}: must be one of {', '.join(CHANNELS)}")
    _check_sizes(hr, sr)
    height, width = hr.shape[0] - 2 * border, hr.shape[1] - 2 * border
    if min(height, width) < overlap + 1:
        raise UserError(
            f"a picture of {hr.shape[1]}x{hr.shape[0]} is too small to measure: "
            f"at least {overlap + 1}x{overlap + 1} pixels must remain inside the border of {border}"
        )
    for top in range(0, height - overlap, _STRIP_ROWS):
        rows = slice(border + top, border + min(top + _STRIP_ROWS + overlap, height))
        columns = slice(border, border + width)
        yield _planes(hr[rows, columns], channel), _planes(sr[rows, columns], channel)


def _planes(strip, channel):
    if channel != "rgb":
        y = rgb_to_y(strip)[None]
        return y if channel == "y" else np.floor(y + 0.5)
    return np.moveaxis(strip, -1, 0).astype(np.float64)


def _check_sizes(hr, sr):
    if hr.shape != sr.shape:
        raise UserError(f"sizes differ: {sr.shape[1]}x{sr.shape[0]} against an original of {hr.shape[1]}x{hr.shape[0]}")


def _gaussian():
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * _SSIM_SIGMA**2))
    return weights / weights.sum()


def _smooth(planes):
    """The Gaussian over rows and columns of (planes, h, w), where the whole window fits: (planes, h
    - 10, w - 10).
    """
    weights, cut = _gaussian(), slice(SSIM_WINDOW // 2, -(SSIM_WINDOW // 2))
    rows = ndimage.correlate1d(planes, weights, axis=1)[:, cut]
    return ndimage.correlate1d(rows, weights, axis=2)[:, :, cut]


def _ssim_map(x, y):
    """SSIM of every window. Equation 13 of the paper, with population (co)variances."""
    mean_x, mean_y = _smooth(x), _smooth(y)
    variances = _smooth(x * x + y * y) - mean_x**2 - mean_y**2  # only their sum is needed: one filtering less
    covariance = _smooth(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return luminance * (2 * covariance + _C2) / (variances + _C2)
