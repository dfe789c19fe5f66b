"""The Python examples against the upscaler: the same image, to the bit, by the interpreter and by
CompiledModel.
"""

import runpy
from pathlib import Path

import numpy as np
import pytest

import weights
from inference import Upscaler

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@pytest.mark.parametrize("network", ["compact_xs", "compact_xs.int8"])
@pytest.mark.parametrize("example", ["python_litert", "python_compiled_model"])
def test_the_image_is_that_of_the_upscaler(example, network):
    image = np.random.default_rng(0).integers(0, 256, (33, 50, 3), np.uint8)
    file = weights.tflite_file(network)
    upscale = runpy.run_path(str(EXAMPLES / f"{example}.py"))["upscale"]
    np.testing.assert_array_equal(upscale(str(file), image), Upscaler(file, threads=1).upscale(image))
