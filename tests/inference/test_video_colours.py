"""Colours from YCbCr to RGB and back, against the standards' own equations (ITU-R BT.601, 709,
2020) computed here.
"""

import itertools

import numpy as np
import pytest

from inference.video.colours import Colours
from tests.inference.films import av

# Matrix's number: the luma coefficients of red and blue.
MATRICES = {6: (0.299, 0.114), 1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}
CASES = list(itertools.product(MATRICES, [1, 2]))  # limited, full range


def to_ycbcr(rgb, matrix, spread):
    red, blue = MATRICES[matrix]
    rgb = rgb / 255
    luma = rgb @ np.array([red, 1 - red - blue, blue])
    chroma = (rgb[..., 2] - luma) / (2 * (1 - blue)), (rgb[..., 0] - luma) / (2 * (1 - red))
    low, height, width = (0, 255, 255) if spread == 2 else (16, 219, 224)
    return luma * height + low, chroma[0] * width + 128, chroma[1] * width + 128


def to_rgb(luma, cb, cr, matrix, spread):
    red, blue = MATRICES[matrix]
    low, height, width = (0, 255, 255) if spread == 2 else (16, 219, 224)
    luma, cb, cr = (luma - low) / height, (cb - 128) / width, (cr - 128) / width
    r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    return 255 * np.stack([r, (luma - red * r - blue * b) / (1 - red - blue), b], -1)


def blocks(colours):
    """Each colour as 8x8 pixels."""
    return np.ascontiguousarray(colours.repeat(8, 0).repeat(8, 1))


def film_frame(colours, matrix, spread):
    """A yuv420p frame of blocks, written plane by plane, and the YCbCr it holds."""
    planes = [np.round(plane).clip(0, 255) for plane in to_ycbcr(colours.astype(float), matrix, spread)]
    frame = av.VideoFrame(8 * colours.shape[1], 8 * colours.shape[0], "yuv420p")
    for plane, values, side in zip(frame.planes, planes, (8, 4, 4), strict=True):
        padded = np.zeros((plane.height, plane.line_size), np.uint8)
        padded[:, : plane.width] = values.repeat(side, 0).repeat(side, 1)
        plane.update(padded.tobytes())
    frame.colorspace, frame.color_range = matrix, spread
    return frame, planes


def ramps():
    """(8, 256, 3): every level of grey and of the six pure colours, and of a skin's."""
    level = np.arange(256)[:, None]
    hues = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1], [1, 0, 1], [0.9, 0.7, 0.6]])
    return np.round(hues[:, None] * level).astype(np.uint8)


@pytest.mark.parametrize(("matrix", "spread"), CASES)
def test_no_bias_to_rgb(matrix, spread):
    frame, planes = film_frame(ramps(), matrix, spread)
    pixels = Colours(frame).to_rgb(frame)[4::8, 4::8].astype(float)
    error = pixels - np.clip(to_rgb(*planes, matrix, spread), 0, 255)
    assert np.abs(error.mean((0, 1))).max() < 0.1 and np.abs(error).max() < 0.6
    assert np.abs(error[0].mean(0)).max() < 0.1  # grey alone


@pytest.mark.parametrize(("matrix", "spread"), CASES)
def test_no_bias_from_rgb(matrix, spread):
    frame, _ = film_frame(ramps(), matrix, spread)
    colours, pixels = Colours(frame), blocks(ramps())
    canvas, place = colours.canvas(*pixels.shape[:2])
    place[:] = pixels
    made = colours.from_rgb(canvas)
    assert made.format.name == "yuv420p"
    for plane, side, expected in zip(
        made.planes, (8, 4, 4), to_ycbcr(ramps().astype(float), matrix, spread), strict=True
    ):
        values = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width].astype(float)
        error = values[side // 2 :: side, side // 2 :: side] - expected.clip(0, 255)
        assert abs(error.mean()) < 0.1 and np.abs(error).max() < 0.8
        assert abs(error[0].mean()) < 0.1


@pytest.mark.parametrize(("matrix", "spread"), CASES)
def test_there_and_back_keeps_every_level_of_grey(matrix, spread):
    grey = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3).repeat(4, 0)
    frame, _ = film_frame(grey, matrix, spread)
    colours = Colours(frame)
    canvas, place = colours.canvas(*blocks(grey).shape[:2])
    place[:] = blocks(grey)
    made = colours.from_rgb(canvas)
    made.colorspace, made.color_range = matrix, spread
    error = colours.to_rgb(made)[4::8, 4::8].astype(float) - grey
    assert abs(error.mean()) < 0.1 and np.abs(error).max() <= (0 if spread == 2 else 1)


def test_chroma_lies_left_as_decoders_take_it():
    """A slope from black to red: chroma sample n stands for the pixel 2n, not for 2n + 1/2."""
    slope = np.zeros((16, 200, 3), np.uint8)
    slope[..., 0] = np.arange(200)
    colours = Colours(film_frame(ramps(), 1, 1)[0])
    canvas, place = colours.canvas(16, 200)
    place[:] = slope
    plane = colours.from_rgb(canvas).planes[2]
    values = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[4, 10:90].astype(float)
    expected = to_ycbcr(slope[0].astype(float), 1, 1)[2]
    assert (
        np.abs(values.mean() - expected[20:180:2].mean())
        < 0.05
        < np.abs(expected[21:181:2] - expected[20:180:2]).mean() / 2
    )


@pytest.mark.parametrize(
    ("matrix", "height", "larger", "said"),
    [(2, 360, 1440, 6), (2, 48, 192, 2), (2, 720, 2880, 2), (1, 360, 1440, 1), (0, 48, 192, 6)],
)
def test_a_matrix_that_is_not_named_stays_the_one_that_players_took(matrix, height, larger, said):
    """Below 720 lines players take BT.601, from there on BT.709: a result that crosses the line has
    to say which.
    """
    frame = av.VideoFrame(height * 4 // 3, height, "yuv420p")
    frame.colorspace = matrix
    assert Colours(frame).tags(larger, larger * 4 // 3).matrix == said
