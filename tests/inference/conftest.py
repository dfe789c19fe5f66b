"""A small real network, and the same exported, for every test of this folder."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import importlib.util
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from inference.engines import Engine

# PyAV is optional (requirements-video.txt).
collect_ignore_glob = [] if importlib.util.find_spec("av") else ["test_video*.py"]

SCALE = 2
# Three 3x3 convolutions at LR, and one at HR that reaches one HR pixel into the neighbouring LR
# pixel.
RECEPTIVE_FIELD = 4


class NearestEngine(Engine):
    """Repeats pixels: an upscaler whose result can be written down."""

    scale = 4
    receptive_field = 0

    def __call__(self, lr):
        return lr.repeat(self.scale, axis=1).repeat(self.scale, axis=2)


@pytest.fixture
def nearest():
    return NearestEngine()


@pytest.fixture(scope="session")
def network():
    """Zero-padded convolutions with large random weights and biases, so that a false border is seen
    from afar.
    """
    keras.utils.set_random_seed(7)
    settings = {"padding": "same", "bias_initializer": keras.initializers.RandomNormal(stddev=0.2, seed=3)}
    lr = x = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(8, 3, activation="relu", **settings)(x)
    x = keras.layers.Conv2D(8, 3, activation="relu", **settings)(x)
    x = keras.layers.Conv2D(3 * SCALE**2, 3, **settings)(x)
    x = DepthToSpace()(x)
    x = keras.layers.Conv2D(3, 3, **settings)(x)
    model = keras.Model(lr, x * 1.2 + 0.5)
    model.scale, model.receptive_field = SCALE, RECEPTIVE_FIELD
    return model


class DepthToSpace(keras.layers.Layer):
    def call(self, x):
        return keras.ops.depth_to_space(x, SCALE)


@pytest.fixture(scope="session")
def exported(network, tmp_path_factory):
    """Paths of the network as .tflite: "dynamic", "fixed" (24x20), "uint8" (24x20), each with its
    sidecar.
    """
    folder = tmp_path_factory.mktemp("exported")
    for name, size in (("dynamic", (None, None)), ("fixed", (24, 20)), ("uint8", (24, 20))):
        (folder / f"{name}.tflite").write_bytes(_convert(network, folder / name, size, eight_bits=name == "uint8"))
        sidecar = {"scale": SCALE, "receptive_field": RECEPTIVE_FIELD, "parameters": network.count_params()}
        (folder / f"{name}.json").write_text(json.dumps(sidecar))
    return {name: folder / f"{name}.tflite" for name in ("dynamic", "fixed", "uint8")}


def _convert(network, folder, size, *, eight_bits):
    """By way of a SavedModel: straight from the Keras model the weights would stay variables."""
    archive = keras.export.ExportArchive()
    archive.track(network)
    signature = [tf.TensorSpec((1, *size, 3), tf.float32)]
    archive.add_endpoint("serve", lambda lr: tf.clip_by_value(network(lr, training=False), 0.0, 1.0), signature)
    archive.write_out(str(folder), verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    if eight_bits:
        random = np.random.default_rng(0)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([random.random((1, *size, 3), np.float32)] for _ in range(20))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    return converter.convert()


@pytest.fixture
def not_root():
    """Root may read and write anywhere; so the tests that are run by root become nobody for a
    while.
    """
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)
