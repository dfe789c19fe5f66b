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


@pytest.mark.parametrize("tail", ["rgb", "luma"])
@pytest.mark.parametrize(
    ("small", "large"),
    [
        ({"depth": 3}, {"depth": 7, "residual": 2}),  # blocks behind plain convolutions
        ({"depth": 3}, {"depth": 8, "residual": 2}),  # a plain convolution too
        ({"depth": 4, "residual": 1}, {"depth": 7, "residual": 2}),  # a plain one before the blocks that were there
        ({"depth": 4, "residual": 2}, {"depth": 6, "residual": 3}),
    ],
)
def test_growth_into_residual_blocks_is_exact(picture, small, large, tail):
    small, large = _random("compact_s", width=8, tail=tail, **small), _random("compact_s", width=8, tail=tail, **large)
    before = np.array(small(picture))
    assert np.abs(large(picture) - before).max() > 0.1
    grow_into(large, small)
    np.testing.assert_allclose(large(picture), before, atol=1e-6)
    np.testing.assert_allclose(large.features(picture), small.features(picture), atol=1e-6)


def test_a_residual_block_by_hand(picture):
    model = _random("compact_s", depth=3, width=8, residual=1)

    def conv(layer, x):
        return np.array(keras.ops.conv(x, layer.kernel, padding="same") + layer.bias)

    x = np.maximum(conv(model.trunk[0], np.maximum(conv(model.head, picture), 0)), 0)
    x = np.maximum(x + conv(model.trunk[2], np.maximum(conv(model.trunk[1], x), 0)), 0)
    np.testing.assert_allclose(model.features(picture), x, atol=1e-5)


def test_blocks_reach_as_far_as_plain_convolutions(picture):
    model = _random("compact_s", depth=2, width=8, residual=1)
    image = np.random.default_rng(2).random((1, 3, 12, 3), np.float32)
    changed = image.copy()
    changed[:, 1, 0] += 0.5
    columns = np.flatnonzero(np.abs(model(image) - model(changed)).max(axis=(0, 1, 3)) > 0)
    assert columns.max() // 2 == model.receptive_field == 4


def test_new_blocks_learn(picture):
    """The second convolution first: its zeros stop the gradient of the first."""
    import tensorflow as tf

    large = build_generator("compact_s", scale=2, depth=4, width=8, residual=1)
    grow_into(large, _random("compact_s", depth=2, width=8))
    with tf.GradientTape() as tape:
        loss = keras.ops.mean(large(picture) ** 2)
    assert float(tf.reduce_max(tf.abs(tape.gradient(loss, large.trunk[3].kernel.value)))) > 0


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
    blocks = build_generator("compact_s", depth=2, width=8, residual=1)
    with pytest.raises(UserError, match="may become more"):
        grow_into(build_generator("compact_s", depth=4, width=8), blocks)
    with pytest.raises(UserError, match="may become more"):
        grow_into(build_generator("compact_s", depth=4, width=8, residual=2), small)
    with pytest.raises(UserError, match="a depth of 3 has room for 0 to 1 residual blocks"):
        build_generator("compact_s", depth=3, residual=2)
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
