"""Counts written down by hand, per LR pixel, for an output of 1280x720."""

import keras
import pytest
import tensorflow as tf
from keras import layers

from evaluation import multiply_adds
from models import build_generator


def converted(model, size=(None, None), folder=None):
    model.export(str(folder), verbose=False, input_signature=[keras.InputSpec(shape=(1, *size, 3), dtype="float32")])
    return tf.lite.TFLiteConverter.from_saved_model(str(folder)).convert()


def various():
    """A depthwise, a transposed and a pointwise convolution: x2."""
    inputs = keras.Input((None, None, 3))
    x = layers.DepthwiseConv2D(5, padding="same", depth_multiplier=2)(inputs)
    x = layers.Conv2DTranspose(7, 4, strides=2, padding="same")(x)
    return keras.Model(inputs, layers.Conv2D(3, 1)(x))


BY_HAND = {  # scale, multiply-adds
    "compact_xs": (4, 320 * 180 * (9 * 3 * 16 + 3 * 9 * 16 * 16 + 9 * 16 * 48)),
    "various": (2, 640 * 360 * (25 * 6 + 16 * 6 * 7 + 4 * 7 * 3)),
}


@pytest.fixture(scope="module")
def networks():
    return {"compact_xs": build_generator("compact_xs"), "various": various()}


@pytest.mark.parametrize("name", BY_HAND)
def test_every_format_counts_the_same(name, networks, tmp_path):
    model, (scale, expected) = networks[name], BY_HAND[name]
    assert multiply_adds.of_keras(model, scale) == expected
    assert multiply_adds.of_tflite(converted(model, folder=tmp_path / "saved"), scale) == expected
    assert multiply_adds.of_saved_model(tmp_path / "saved", scale) == expected


def test_a_file_of_fixed_size(networks, tmp_path):
    """A picture of another form than 16:9 counts the same."""
    content = converted(networks["compact_xs"], (20, 24), tmp_path / "fixed")
    assert multiply_adds.of_tflite(content, 4) == pytest.approx(BY_HAND["compact_xs"][1])
