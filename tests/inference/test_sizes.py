import numpy as np
import pytest
from PIL import Image

from data.bicubic import bicubic_resize, iter_resized
from data.image_reader import Still
from errors import UserError
from inference import Upscaler
from inference.image_files import upscale_file
from inference.sizes import Size, iter_sized_strips, parse_box, result_size


def pixels(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("strip", [1, 13, 200])
@pytest.mark.parametrize("size", [(50, 31), (33, 100), (200, 7), (90, 60)])
def test_resize_by_strips_is_the_resize_of_the_whole(strip, size):
    picture = pixels(90, 60, 3)
    strips = (picture[top : top + strip] for top in range(0, 90, strip))
    result = np.concatenate(list(iter_resized(strips, picture.shape, height=size[0], width=size[1])))
    np.testing.assert_array_equal(result, bicubic_resize(picture, height=size[0], width=size[1]))


def test_sixteen_bits_are_resized_in_sixteen_bits():
    picture = pixels(40, 30, dtype=np.uint16)
    result = np.concatenate(list(iter_resized([picture], picture.shape, height=20, width=15)))
    expected = bicubic_resize(picture.astype(np.float64), height=20, width=15)
    assert result.dtype == np.uint16 and np.abs(result - np.clip(expected, 0, 65535)).max() <= 0.5 + 1e-6


@pytest.mark.parametrize(
    "size, expected",
    [
        (Size(scale=2), (60, 80)),
        (Size(scale=3), (90, 120)),
        (Size(scale=8), (240, 320)),
        (Size(scale=1.5), (45, 60)),
        (Size(width=100), (75, 100)),
        (Size(height=100), (100, 133)),
        (Size(width=200, height=90), (90, 120)),
        (Size(width=90, height=200), (68, 90)),
        (Size(width=10), (8, 10)),
        (Size(scale=16), (480, 640)),
    ],
)
def test_results_have_exactly_the_size_asked_for(nearest, tmp_path, size, expected):
    """30x40, checked by hand."""
    source = tmp_path / "a.png"
    Image.fromarray(np.full((30, 40, 3), (200, 100, 50), np.uint8)).save(source)
    with Image.open(upscale_file(Upscaler(nearest), source, tmp_path / "b.png", size=size)) as image:
        assert image.size == expected[::-1]
        assert image.getextrema() == ((200, 200), (100, 100), (50, 50))


def test_the_native_factor_is_the_network_alone(nearest):
    picture = Still(pixels(9, 7, 3))
    strips = iter_sized_strips(Upscaler(nearest), picture, Size(scale=4))
    np.testing.assert_array_equal(np.concatenate(list(strips)), picture.colours.repeat(4, 0).repeat(4, 1))


def test_half_the_factor_is_the_exact_shrink_of_the_networks_result(nearest):
    picture = Still(pixels(40, 30, 3))
    whole = Upscaler(nearest).upscale(picture.colours)
    result = np.concatenate(list(iter_sized_strips(Upscaler(nearest, tile=8), picture, Size(scale=2))))
    np.testing.assert_array_equal(result, bicubic_resize(whole, height=80, width=60))


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("scale", [0.5, 2, 6])
def test_alpha_goes_along(nearest, grey, scale):
    colours = pixels(20, 16) if grey else pixels(20, 16, 3)
    picture = Still(colours, np.where(np.arange(16) < 8, 0, 255).astype(np.uint8) + np.zeros((20, 1), np.uint8))
    result = np.concatenate(list(iter_sized_strips(Upscaler(nearest), picture, Size(scale=scale))))
    assert result.shape == (20 * scale, 16 * scale, 2 if grey else 4)
    assert result[:, 0, -1].max() == 0 and result[:, -1, -1].min() == 255


def test_more_than_two_passes_are_refused(nearest):
    with pytest.raises(UserError, match="3x2 to 51x34: more than 16 times"):
        result_size(Upscaler(nearest), Still(pixels(2, 3, 3)), Size(width=51))


def test_boxes():
    assert parse_box("1920x1080") == Size(width=1920, height=1080)
    assert [Size(scale=2.5).label, Size(width=7).label, Size(height=7).label, parse_box("3X4").label] == [
        *("2.5", "w7", "h7", "3x4")
    ]
    for text in ("1920", "x", "0x5", "ax3", "-1x4"):
        with pytest.raises(UserError, match=f"--fit={text}: write WIDTHxHEIGHT"):
            parse_box(text)
