"""Bicubic resize against exact rational arithmetic, hand-computed weights and Pillow."""

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from PIL import Image

from data.bicubic import bicubic_resize, downscale, upscale


def keys(x):
    x = abs(x)
    if x <= 1:
        return Fraction(3, 2) * x**3 - Fraction(5, 2) * x**2 + 1
    if x <= 2:
        return -Fraction(1, 2) * x**3 + Fraction(5, 2) * x**2 - 4 * x + 2
    return Fraction(0)


def exact_line(line, size, scale):
    """One line of Fractions resized, pixel by pixel, from the published formula; no rounding
    anywhere.
    """
    widen = max(Fraction(1), 1 / scale)
    result = []
    for i in range(size):
        centre = (i + Fraction(1, 2)) / scale - Fraction(1, 2)
        total = weight_sum = Fraction(0)
        for j in range(ceil(centre - 2 * widen), floor(centre + 2 * widen) + 1):
            weight = keys((centre - j) / widen)
            inside = j
            while not 0 <= inside < len(line):  # mirror at the outer edge of the border pixel, as often as needed
                inside = -1 - inside if inside < 0 else 2 * len(line) - 1 - inside
            total += weight * line[inside]
            weight_sum += weight
        result.append(total / weight_sum)
    return result


def exact_resize(plane, height, width, scale=None):
    """(H, W) integers to uint8 (height, width), rounded half-up once."""
    rows = [[Fraction(int(value)) for value in row] for row in plane]
    rows = [exact_line(row, width, scale or Fraction(width, plane.shape[1])) for row in rows]
    columns = [list(column) for column in zip(*rows, strict=True)]
    columns = [exact_line(column, height, scale or Fraction(height, plane.shape[0])) for column in columns]
    rounded = [[min(255, max(0, floor(value + Fraction(1, 2)))) for value in column] for column in columns]
    return np.array(rounded, np.uint8).T


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_downscale_is_exact_to_the_byte(scale):
    image = noise(5 * scale, 7 * scale, seed=scale)
    np.testing.assert_array_equal(downscale(image, scale), exact_resize(image, 5, 7, Fraction(1, scale)))


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_upscale_is_exact_to_the_byte(scale):
    image = noise(5, 7, seed=scale)
    np.testing.assert_array_equal(upscale(image, scale), exact_resize(image, 5 * scale, 7 * scale, Fraction(scale)))


def test_rgb_channels_are_resized_independently():
    image = noise(12, 20, 3)
    small = downscale(image, 4)
    assert small.shape == (3, 5, 3)
    for channel in range(3):
        np.testing.assert_array_equal(small[..., channel], exact_resize(image[..., channel], 3, 5, Fraction(1, 4)))


@pytest.mark.parametrize(("height", "width"), [(5, 9), (13, 11), (70, 3), (1, 40)])
def test_odd_sizes_take_the_scale_of_each_axis(height, width):
    """Also sizes that span several internal blocks, and shrink one axis while enlarging the
    other.
    """
    image = noise(11, 17)
    result = bicubic_resize(image, height=height, width=width)
    np.testing.assert_array_equal(result, exact_resize(image, height, width))


def test_a_given_scale_overrides_the_ratio_of_sizes():
    """imresize(A, 0.25) of 10 rows gives 3, with pixel centres 4 rows apart, not 10 / 3."""
    image = noise(10, 10)
    result = bicubic_resize(image, height=3, width=3, scale=0.25)
    np.testing.assert_array_equal(result, exact_resize(image, 3, 3, Fraction(1, 4)))
    assert (result != bicubic_resize(image, height=3, width=3)).any()


def test_a_two_pixel_picture_is_mirrored_more_than_once():
    image = noise(2, 2)
    np.testing.assert_array_equal(
        bicubic_resize(image, height=1, width=1, scale=0.25), exact_resize(image, 1, 1, Fraction(1, 4))
    )


def test_exact_halves_round_up():
    """Enlarged x2, a pixel 64 brighter than its surroundings adds 64/128 times 111, 29, -9, -3: all
    exact halves.
    """
    image = np.full((2, 16), 100, np.uint8)
    image[:, 8] = 164
    fine = upscale(image.astype(np.float64), 2)[1, 13:21]
    assert fine.tolist() == [98.5, 95.5, 114.5, 155.5, 155.5, 114.5, 95.5, 98.5]
    assert upscale(image, 2)[1, 13:21].tolist() == [99, 96, 115, 156, 156, 115, 96, 99]


def test_weights_of_x4_shrinking():
    """Response to one bright pixel: Keys' kernel at odd multiples of 1/8, over 4; computed
    by hand.
    """
    by_hand = [0.9638671875, 0.7275390625, 0.3896484375, 0.0908203125]
    by_hand += [-0.0478515625, -0.0732421875, -0.0439453125, -0.0068359375]
    line = np.zeros((1, 48))
    for distance, weight in enumerate(by_hand):  # output pixel 6 is centred between input pixels 25 and 26
        for position in (25 - distance, 26 + distance):
            line[:] = 0
            line[0, position] = 1
            assert bicubic_resize(line, height=1, width=12)[0, 6] == pytest.approx(weight / 4, abs=1e-15)


def test_interior_agrees_with_pillow():
    """Pillow's BICUBIC has the same a and the same antialiasing; only its borders differ."""
    image = noise(64, 96).astype(np.float32)
    ours = bicubic_resize(image, height=16, width=24)
    theirs = np.asarray(Image.fromarray(image, "F").resize((24, 16), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(ours[2:-2, 2:-2], theirs[2:-2, 2:-2], atol=1e-3)
    assert np.abs(ours - theirs).max() > 0.1  # the mirrored border is really ours


@pytest.mark.parametrize("value", [0, 1, 127, 255])
def test_constant_stays_constant(value):
    image = np.full((24, 36, 3), value, np.uint8)
    assert (downscale(image, 4) == value).all()
    assert (upscale(image, 3) == value).all()


def test_uint8_is_clipped_and_float_is_not():
    step = np.zeros((8, 8), np.uint8)
    step[:, 4:] = 255
    fine = upscale(step.astype(np.float32) / 255, 2)
    assert fine.dtype == np.float64
    assert fine.min() < -0.01 and fine.max() > 1.01
    assert upscale(step, 2).dtype == np.uint8
    assert {0, 255} <= set(np.unique(upscale(step, 2)).tolist())


def test_refusals():
    with pytest.raises(ValueError, match="10x12.*4"):
        downscale(noise(10, 12), 4)
    with pytest.raises(ValueError, match="int32"):
        upscale(np.zeros((4, 4), np.int32), 2)
    with pytest.raises(ValueError, match=r"\(4,\)"):
        bicubic_resize(np.zeros(4), height=2, width=2)
    with pytest.raises(ValueError, match="positive"):
        bicubic_resize(np.zeros((4, 4)), height=0, width=2)
