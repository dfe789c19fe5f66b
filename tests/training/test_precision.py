"""Mixed precision stays inside the networks: float32 variables, float32 images and logits."""

import keras
import numpy as np
import pytest

import models
from models.catalog import DISCRIMINATORS


@pytest.fixture
def mixed():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def _slow_where_deep(name):
    return pytest.param(name, marks=pytest.mark.slow) if name.startswith("rrdb") else name


@pytest.mark.parametrize("name", map(_slow_where_deep, models.GENERATORS))
def test_generators(mixed, name):
    model = models.build_generator(name)
    assert {variable.dtype for variable in model.variables} == {"float32"}
    assert model.compute_output_spec(keras.KerasTensor((1, 8, 8, 3)), training=False).dtype == "float32"


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminators(mixed, name):
    model = models.build_discriminator(name, size=32)
    assert model(np.zeros((1, 32, 32, 3), np.float32), training=False).dtype == "float32"
