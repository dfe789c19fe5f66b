"""The page's arithmetic against the Python that it has to agree with."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from data.bicubic import upscale
from inference.engines import _dequantise, _quantise
from inference.tiling import plan_axis

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")


def call(name, calls):
    """The results of a function of the page's modules, one for each list of arguments."""
    script = Path(__file__).parent / "modules.mjs"
    done = subprocess.run(
        [NODE, str(script)], input=json.dumps({name: calls}), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)[name]


def as_picture(rgb):
    height, width = rgb.shape[:2]
    pixels = np.dstack([rgb, np.full((height, width), 255, np.uint8)])
    return {"height": height, "width": width, "pixels": pixels.ravel().tolist()}


def test_windows_are_those_of_inference():
    cases = [
        (length, halo, tile)
        for length in (1, 2, 59, 192, 212, 213, 400, 4000)
        for halo in (0, 5, 10)
        for tile in (1, 7, 192)
    ]
    planned = call("planAxis", [[length, {"halo": halo, "tile": tile}] for length, halo, tile in cases])
    for (length, halo, tile), plan in zip(cases, planned, strict=True):
        window, spans = plan_axis(length, halo=halo, tile=tile)
        assert plan["window"] == window
        assert [(span["start"], span["first"], span["last"]) for span in plan["spans"]] == spans


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_is_that_of_the_literature(scale):
    rgb = np.random.default_rng(0).integers(0, 256, (23, 17, 3), np.uint8)
    parts = [
        {"top": 0, "bottom": 23, "left": 0, "right": 17},
        {"top": 7, "bottom": 11, "left": 3, "right": 16},
        {"top": 22, "bottom": 23, "left": 16, "right": 17},
    ]
    expected = upscale(rgb, scale)
    for part, pixels in zip(
        parts, call("enlargePart", [[as_picture(rgb), scale, part] for part in parts]), strict=True
    ):
        rows, columns = (
            slice(part["top"] * scale, part["bottom"] * scale),
            slice(part["left"] * scale, part["right"] * scale),
        )
        enlarged = np.array(pixels, np.uint8).reshape(*expected[rows, columns].shape[:2], 4)
        np.testing.assert_array_equal(enlarged[..., :3], expected[rows, columns])
        assert (enlarged[..., 3] == 255).all()


@pytest.mark.parametrize("height, width", [(1, 1), (1, 5), (2, 1)])
def test_bicubic_of_a_tiny_picture(height, width):
    rgb = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    (pixels,) = call("enlargePart", [[as_picture(rgb), 4, {"top": 0, "bottom": height, "left": 0, "right": width}]])
    np.testing.assert_array_equal(np.array(pixels).reshape(4 * height, 4 * width, 4)[..., :3], upscale(rgb, 4))


@pytest.mark.parametrize("scale, zero_point", [(1 / 255, 0), (0.0041, 3)])
def test_quantised_pixels_are_those_of_inference(scale, zero_point):
    rgb = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    part = {"top": 0, "left": 0, "height": 16, "width": 16}
    scale = float(np.float32(scale))
    tensor = {"dtype": np.uint8, "quantization": (scale, zero_point)}
    kind = {"dtype": "uint8", "scale": scale, "zero_point": zero_point}
    (quantised,) = call("toTensor", [[as_picture(rgb), part, kind]])
    np.testing.assert_array_equal(quantised, _quantise(rgb / np.float32(255), tensor).ravel())
    (pixels,) = call("fromTensor", [[rgb.ravel().tolist(), 16, part, kind]])
    expected = np.clip(_dequantise(rgb, tensor), 0, 1) * np.float32(255) + np.float32(0.5)
    np.testing.assert_array_equal(np.array(pixels).reshape(16, 16, 4)[..., :3], expected.astype(np.uint8))


def test_float_pixels_are_those_of_inference():
    values = np.random.default_rng(2).uniform(-0.1, 1.1, (6, 5, 3)).astype(np.float32)
    part = {"top": 1, "left": 2, "height": 4, "width": 2}
    (pixels,) = call("fromTensor", [[values.ravel().tolist(), 5, part, {"dtype": "float32"}]])
    expected = np.clip(values[1:5, 2:4], 0, 1) * np.float32(255) + np.float32(0.5)
    np.testing.assert_array_equal(np.array(pixels).reshape(4, 2, 4)[..., :3], expected.astype(np.uint8))


def test_nan_is_no_picture():
    part = {"top": 0, "left": 0, "height": 1, "width": 1}
    with pytest.raises(AssertionError, match="holds NaN"):
        call("fromTensor", [[["x", 0, 0], 1, part, {"dtype": "float32"}]])
