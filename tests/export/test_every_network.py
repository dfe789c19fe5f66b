"""Every network of the catalogue, exported in every form; that one is refused with the operation
named, test_export.py shows.
"""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from export import convert
from export.graph import float_operations
from models import GENERATORS, build_generator
from settings.files import QUANTIZATIONS

SIZE = 24
# Rounding of floats; of half floats; of weights, and of everything, to 8 bits, by untrained
# networks whose values reach 19 before the clip.
MEAN_DIFFERENCE = {"none": 1e-5, "float16": 1e-3, "dynamic": 0.02, "int8": 0.03}
# One of each architecture, small enough for every day.
SMALL = {
    "srresnet": {"depth": 1, "width": 8},
    "compact_xs": {"depth": 1, "expansion": 2},
    "edsr_8x64": {"depth": 1, "width": 16},
    "rrdb": {"depth": 1, "width": 16},
    "compressed_rrdb": {"depth": 1},
    "fast_srgan": {"depth": 2},
    "srvgg": {"depth": 2, "width": 16},
}
_ARCHITECTURES = {GENERATORS[name][0] for name in SMALL}
SMALL |= {name: {} for name, (cls, _) in GENERATORS.items() if cls not in _ARCHITECTURES}


def pictures():
    """Noise of all brightnesses, black and white."""
    rng = np.random.default_rng(0)
    noise = [rng.random((1, SIZE, SIZE, 3), np.float32) * brightness for brightness in (0.3, 0.6, 1.0)]
    return [*noise, np.zeros((1, SIZE, SIZE, 3), np.float32), np.ones((1, SIZE, SIZE, 3), np.float32)]


def run(content, lr):
    """(1, h, w, 3) floats in [0, 1] through a file of either type."""
    interpreter = Interpreter(model_content=content)
    tensor = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(tensor["index"], lr.shape)
    interpreter.allocate_tensors()
    eight_bits = tensor["dtype"] == np.uint8
    interpreter.set_tensor(tensor["index"], np.rint(lr * 255).astype(np.uint8) if eight_bits else lr)
    interpreter.invoke()
    sr = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return sr / np.float32(255) if eight_bits else sr


def steps(content):
    """(step, zero point) of input and output."""
    interpreter = Interpreter(model_content=content)
    return [tensor["quantization"] for tensor in (*interpreter.get_input_details(), *interpreter.get_output_details())]


def check_forms(model, quantizations):
    lr = pictures()[2]
    expected = np.clip(model(lr, training=False), 0, 1)
    assert expected.std() > 0.01  # an image, not a flat field that anything would match
    for quantize in quantizations:
        content = convert(model, quantize=quantize, calibration=pictures())
        sr = run(content, lr)
        assert sr.shape == expected.shape and sr.min() >= 0 and sr.max() <= 1
        assert np.abs(sr - expected).mean() < MEAN_DIFFERENCE[quantize], quantize
        if quantize == "int8":
            assert float_operations(content) == []
            # The contract of an app: 255 is white, at both ends, whatever the brightest image of
            # the calibration was.
            assert steps(content) == [(pytest.approx(1 / 255), 0)] * 2


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in ("rrdb", "srresnet", "fast_srgan") else n for n in SMALL]
)
def test_every_architecture_exports_in_floats_and_integers(name):
    check_forms(build_generator(name, **SMALL[name]), ("none", "int8"))


@pytest.mark.slow
@pytest.mark.parametrize("name", GENERATORS)
def test_every_network_exports_in_every_form(name):
    """At full size, teachers included."""
    check_forms(build_generator(name), QUANTIZATIONS)
