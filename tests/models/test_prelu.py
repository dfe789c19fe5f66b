"""PReLU in the form that runs in integers: the same function, and no operation outside XNNPACK."""

import numpy as np
import pytest

import models
from export import convert
from export.graph import float_operations, outside_xnnpack
from models.upsampling import PReLU, prelus

IMAGES = [np.random.default_rng(i).random((1, 24, 24, 3), np.float32) for i in range(2)]


@pytest.mark.parametrize("slopes", [[0.25, 0.0, 1.0, -0.4], [1.6, -1.5, 0.3, 2.0]])
def test_the_same_function_for_any_slope(slopes):
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 4)).astype("float32")
    layer = PReLU()
    layer.build(x.shape)
    layer.alpha.assign(np.reshape(slopes, (1, 1, 4)))
    expected = np.where(x > 0, x, np.float32(slopes) * x)
    np.testing.assert_allclose(layer(x), expected, atol=1e-6)
    layer.for_integers()
    np.testing.assert_allclose(layer(x), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options"), [("srvgg", {"depth": 2}), ("srresnet", {"depth": 1}), ("fast_srgan", {"depth": 2})]
)
def test_found_wherever_they_are(name, options):
    model = models.build_generator(name, width=8, **options)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "alpha" in weight.path:
            weight.assign(rng.normal(size=weight.shape))
    before = np.array(model(IMAGES[0], training=False))
    copy = models.clone(model)
    for activation in prelus(copy):
        activation.for_integers()
    for weight in copy.weights:  # they no longer read their slopes
        if "alpha" in weight.path:
            weight.assign(np.zeros(weight.shape))
    np.testing.assert_allclose(copy(IMAGES[0], training=False), before, atol=1e-5)
    assert before.std() > 1e-3


@pytest.mark.parametrize("highest", [0.9, 1.5])
def test_nothing_of_it_is_left_to_the_slow_kernels(highest):
    model = models.build_generator("srvgg", depth=2, width=8)
    for activation in model.activations:
        activation.alpha.assign(np.linspace(0, highest, 8).reshape(1, 1, 8))
    content = convert(model, height=24, width=24, quantize="int8", calibration=IMAGES)
    assert set(outside_xnnpack(content)) <= {"QUANTIZE", "MINIMUM"}
    assert float_operations(content) == []
    assert model.activations[0]._slopes is None, "the network itself stays as it was"
