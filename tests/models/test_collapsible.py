"""The branches of a collapsible convolution against its one kernel: three convolutions by hand, in
both precisions.
"""

import keras
import numpy as np
import pytest
from keras import ops

from models import build_generator, materialise
from models.collapsible import CollapsibleConv
from models.compact import Compact


def randomise(model, seed=0):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.1, weight.shape))  # outputs of an image's size: the tolerances are absolute


def branches_by_hand(layer, x):
    """The block as its papers draw it: every branch convolves the image, the sums follow."""
    plain = ops.conv(x, layer.kernel, padding="same")
    wide = ops.conv(ops.conv(x, layer.squeeze[None, None], padding="same"), layer.wide_kernel, padding="same")
    y = plain + wide + layer.bias
    return np.array(y + x if x.shape[-1] == layer.filters else y)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 1e-4)])
@pytest.mark.parametrize(("channels", "filters"), [(5, 5), (3, 7)])
def test_the_branches_are_one_convolution(dtype, tolerance, channels, filters):
    layer = CollapsibleConv(filters, expansion=3, dtype=dtype)
    layer.build((None, None, None, channels))
    randomise(layer)
    x = ops.convert_to_tensor(np.random.default_rng(1).random((2, 6, 5, channels)), dtype=dtype)
    np.testing.assert_allclose(layer(x), branches_by_hand(layer, x), atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 1e-4)])
def test_fuse_keeps_the_function_and_leaves_plain_convolutions(dtype, tolerance):
    model = materialise(Compact(depth=3, width=8, expansion=2, dtype=dtype))
    randomise(model)
    plain = model.fuse()
    lr = np.random.default_rng(2).random((2, 9, 7, 3)).astype(dtype)
    x = ops.convert_to_tensor(lr)
    for layer in model.layers[:-1]:
        x = ops.relu(ops.convert_to_tensor(branches_by_hand(layer, x)))
    residual = branches_by_hand(model.layers[-1], x)
    expected = ops.depth_to_space(residual + np.tile(lr, (1, 1, 1, 16)), 4)
    np.testing.assert_allclose(model(lr, training=False), expected, atol=tolerance)
    np.testing.assert_allclose(plain(lr, training=False), expected, atol=tolerance)
    assert all(type(layer) is keras.layers.Conv2D for layer in plain.layers)
    assert plain.count_params() == 28 * 8 + 3 * 73 * 8 + 73 * 48


def test_every_branch_trains():
    import tensorflow as tf

    model = build_generator("compact_xs", expansion=2, depth=1, width=4)
    randomise(model)
    lr = np.random.default_rng(3).random((1, 6, 6, 3), np.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(lr, training=True) ** 2)
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_variables])
    assert all(float(tf.reduce_max(tf.abs(gradient))) > 0 for gradient in gradients)


@pytest.mark.parametrize(("name", "most"), [("compact_xs", 15_000), ("compact_s", 100_000), ("compact_m", 200_000)])
def test_collapsed_sizes(name, most):
    assert build_generator(name).fuse().count_params() <= most
