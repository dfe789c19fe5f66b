"""Growth: the larger student begins with the very luma of the smaller one."""

import keras
import numpy as np
import pytest

from errors import UserError
from models import build_generator
from models.growth import grow_into

_LUMA = np.array([0.299, 0.587, 0.114])


def _random(name, **arguments):
    model = build_generator(name, scale=2, **arguments)
    generator = np.random.default_rng(0)
    model.set_weights([w + generator.normal(0, 0.1, w.shape) for w in model.get_weights()])
    return model


@pytest.fixture
def picture():
    return np.random.default_rng(1).random((1, 7, 9, 3), np.float32)


def test_deeper_of_the_same_tail_gives_the_same_picture(picture):
    small = _random("compact_s", depth=2, width=8, tail="rgb")
    large = build_generator("compact_s", scale=2, depth=4, width=8, tail="rgb")
    grow_into(large, small)
    np.testing.assert_allclose(large(picture), small(picture), atol=1e-5)


def test_luma_tail_keeps_the_luma_of_an_rgb_tail(picture):
    small = _random("compact_s", depth=2, width=8, tail="rgb")
    large = build_generator("compact_s", scale=2, depth=3, width=8, tail="luma")
    grow_into(large, small)
    np.testing.assert_allclose(np.array(large(picture)) @ _LUMA, np.array(small(picture)) @ _LUMA, atol=1e-5)


def test_chroma_is_bilinear_then():
    small = _random("compact_s", depth=1, width=8, tail="rgb")
    large = build_generator("compact_s", scale=2, depth=1, width=8, tail="luma")
    grow_into(large, small)
    picture = np.zeros((1, 3, 3, 3), np.float32)
    picture[0, 1, 1] = [1.0, 0.0, 0.2]
    sr = np.array(large(picture))[0]
    chroma = sr[..., 0] - sr[..., 1]
    expected = np.outer([0, 0.25, 0.75, 0.75, 0.25, 0], [0, 0.25, 0.75, 0.75, 0.25, 0])
    np.testing.assert_allclose(chroma, expected, atol=1e-5)


def test_what_does_not_fit_is_refused():
    small = build_generator("compact_s", depth=2, width=8)
    with pytest.raises(UserError, match="scale and width stay"):
        grow_into(build_generator("compact_s", depth=2, width=16), small)
    with pytest.raises(UserError, match="scale and width stay"):
        grow_into(build_generator("compact_s", depth=1, width=8), small)
    with pytest.raises(UserError, match="only compact students grow"):
        grow_into(build_generator("edsr_8x64", depth=1, width=8), small)


def test_networks_still_differ_after_growth(picture):
    """The new convolutions learn: their gradients are not zero."""
    import tensorflow as tf

    large = build_generator("compact_s", scale=2, depth=4, width=8, tail="luma")
    grow_into(large, _random("compact_s", depth=2, width=8, tail="rgb"))
    with tf.GradientTape() as tape:
        loss = keras.ops.mean(large(picture) ** 2)
    for gradient in tape.gradient(loss, [conv.kernel.value for conv in large.trunk[2:]]):
        assert float(tf.reduce_max(tf.abs(gradient))) > 0
