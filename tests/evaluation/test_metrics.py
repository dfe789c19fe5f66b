import math

import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from data.bicubic import downscale, upscale
from errors import UserError
from evaluation.metrics import color_shift, grid, lr_psnr, psnr, rgb_to_y, ssim

SIZES = [(19, 19), (40, 300), (257, 40), (266, 31), (530, 70)]  # below, at and above the height of a strip


def pair(height, width, seed=0):
    """Smooth structure and noise: SSIM in the middle of its range."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 7), np.cos(y / 5), np.sin((x + y) / 11)], axis=-1) * 80 + 128
    pictures = [waves + random.normal(scale=scale, size=waves.shape) for scale in (5, 30)]
    return [np.clip(picture, 0, 255).astype(np.uint8) for picture in pictures]


def test_luma_of_known_colours():
    """Black, white and the primaries: the table of BT.601 in studio range."""
    colours = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    expected = [16, 235, 81.481, 144.553, 40.966]
    np.testing.assert_allclose(rgb_to_y(colours), expected, atol=1e-12)
    np.testing.assert_allclose(rgb_to_y(colours / 255), expected, atol=1e-12)


def test_luma_agrees_with_scikit_image():
    hr, _ = pair(30, 40)
    np.testing.assert_allclose(rgb_to_y(hr), rgb2ycbcr(hr)[..., 0], atol=1e-9)
    assert (rgb_to_y(hr) % 1 != 0).any()  # not rounded


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("border", [0, 4])
@pytest.mark.parametrize("channel", ["y", "y8", "rgb"])
def test_agreement_with_scikit_image(size, border, channel):
    hr, sr = pair(*size)
    inside = np.s_[border : size[0] - border, border : size[1] - border]
    x, y = (p[inside].astype(np.float64) if channel == "rgb" else rgb2ycbcr(p)[..., 0][inside] for p in (hr, sr))
    if channel == "y8":
        x, y = x.round(), y.round()
    expected = structural_similarity(
        x,
        y,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=-1 if channel == "rgb" else None,
    )
    assert ssim(hr, sr, border=border, channel=channel) == pytest.approx(expected, abs=1e-4)
    assert 0.05 < expected < 0.95
    expected = peak_signal_noise_ratio(x, y, data_range=255)
    assert psnr(hr, sr, border=border, channel=channel) == pytest.approx(expected, abs=1e-9)


def test_psnr_by_hand():
    """One grey step of 10 everywhere: in RGB an error of 10, in luma one of 10 * 219 / 255."""
    hr = np.full((20, 20, 3), 100, np.uint8)
    assert psnr(hr, hr + np.uint8(10), border=0, channel="rgb") == pytest.approx(20 * math.log10(25.5))
    assert psnr(hr, hr - np.uint8(10), border=0) == pytest.approx(20 * math.log10(255 / (10 * 219 / 255)))


def test_equal_pictures():
    hr, _ = pair(30, 30)
    assert psnr(hr, hr, border=4) == math.inf
    assert ssim(hr, hr, border=4) == pytest.approx(1, abs=1e-12)


def test_the_border_is_not_measured():
    hr, _ = pair(40, 40)
    sr = hr.copy()
    sr[:4], sr[-4:], sr[:, :4], sr[:, -4:] = 0, 255, 0, 255
    assert psnr(hr, sr, border=4) == math.inf and ssim(hr, sr, border=4) == pytest.approx(1)
    assert psnr(hr, sr, border=3) < 40


def test_rounded_luma_by_hand():
    """A grey step of 1 is 0.859 of luma: 100 -> 101.88 and 101 -> 102.74, which round to 102 and
    103.
    """
    hr = np.full((20, 20, 3), 100, np.uint8)
    assert psnr(hr, hr + np.uint8(1), border=0, channel="y8") == pytest.approx(20 * math.log10(255))
    assert psnr(hr, hr + np.uint8(1), border=0) == pytest.approx(20 * math.log10(255 / (219 / 255)))


def test_lr_psnr():
    """Infinite for a result that comes down to its input; for one that is 3 too bright, an error of
    3.
    """
    hr, _ = pair(48, 64)
    lr = downscale(hr, 4)
    assert lr_psnr(lr, hr) == math.inf
    assert lr_psnr(np.full((12, 16, 3), 100, np.uint8), np.full((48, 64, 3), 103, np.uint8)) == pytest.approx(
        20 * math.log10(85)
    )
    expected = peak_signal_noise_ratio(lr, downscale(upscale(lr, 4), 4), data_range=255)
    assert lr_psnr(lr, upscale(lr, 4)) == pytest.approx(expected)
    with pytest.raises(UserError, match="64x47 is no multiple of its input of 16x12"):
        lr_psnr(lr, hr[:47])


def test_color_shift_is_signed_and_per_channel():
    hr = np.full((6, 6, 3), 100, np.uint8)
    sr = hr + np.array([3, 0, 0], np.uint8)
    sr[:3, :, 2] -= 4  # half the picture
    np.testing.assert_allclose(color_shift(hr, sr), [3, 0, -2])


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_what_cannot_be_measured(metric):
    hr = np.zeros((30, 20, 3), np.uint8)
    with pytest.raises(UserError, match="sizes differ: 20x29 against an original of 20x30"):
        metric(hr, hr[:-1], border=4)
    with pytest.raises(UserError, match="20x30 is too small"):
        metric(hr, hr, border=10)
    with pytest.raises(ValueError, match="channel 'luma'"):
        metric(hr, hr, border=4, channel="luma")


def test_grid_by_hand():
    """+4 on the first of four sub-pixels: 3, -1, -1, -1 about their mean, whose root mean square is
    the root of 3.
    """
    hr = np.random.default_rng(0).integers(50, 200, (18, 24, 3), np.uint8)
    sr = hr.copy()
    sr[::2, ::2] += 4
    assert grid(hr, sr, scale=2) == pytest.approx(3**0.5)
    sr[..., 1:] = hr[..., 1:]  # in one of three channels
    assert grid(hr, sr, scale=2) == pytest.approx(1)
    assert grid(hr, hr + np.uint8(7), scale=2) == 0  # an error, but no grid
    signs = (
        np.indices((9, 12)).sum(0).repeat(2, 0).repeat(2, 1) % 2 * 8 - 4
    )  # from one LR pixel to the next: averages out
    sr[..., 0] = hr[..., 0] + signs * (np.arange(18) % 2)[:, None]
    assert grid(hr, sr, scale=2) == pytest.approx(0, abs=1e-12)


def test_grid_is_the_loss_in_levels():
    from losses.grid import grid_loss

    hr, sr = (np.random.default_rng(seed).integers(0, 256, (56, 76, 3), np.uint8) for seed in (1, 2))
    expected = float(grid_loss(*(image[None] / np.float32(255) for image in (hr, sr)), scale=4)) * 255
    assert grid(hr, sr, scale=4) == pytest.approx(expected, rel=1e-4)
    with pytest.raises(UserError, match="24 pixels a side"):
        grid(hr[:20], sr[:20], scale=4)
