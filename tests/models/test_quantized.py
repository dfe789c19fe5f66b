"""The quantised student: its rounding against numpy, its gradient, and that the exported integers
give what it gives.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import models
from errors import UserError
from export import convert
from export.graph import float_operations, operations, outside_xnnpack
from models.quantized import QuantizedCompact, Range, quantise_interpolation, quantise_kernel
from models.upsampling import every_colour, to_every_colour


@pytest.fixture(scope="module")
def compact():
    keras.utils.set_random_seed(0)
    model = models.build_generator("compact_xs", depth=2, width=8, expansion=2)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(weight + rng.normal(0, 0.03, weight.shape))
    return model


FORMS = {"rgb": {}, "luma": {"tail": "luma"}, "residual": {"depth": 3, "tail": "luma", "residual": 1}}


@pytest.fixture(scope="module", params=FORMS)
def form(request):
    """A float student of each form."""
    keras.utils.set_random_seed(0)
    model = models.build_generator("compact_xs", **{"depth": 2, "width": 8, "scale": 3, **FORMS[request.param]})
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(weight + rng.normal(0, 0.03, weight.shape))
    return model


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(1)
    return [rng.random((1, 24, 24, 3), np.float32) for _ in range(4)]


@pytest.fixture(scope="module")
def quantised(compact, pictures):
    return QuantizedCompact.of(compact, pictures)


def test_kernels_have_255_levels_per_channel():
    kernel = np.random.default_rng(2).normal(size=(3, 3, 4, 5)).astype("float32")
    step = np.abs(kernel).max(axis=(0, 1, 2)) / 127
    np.testing.assert_allclose(quantise_kernel(tf.constant(kernel)), np.rint(kernel / step) * step, atol=1e-5)


def test_a_range_rounds_to_256_levels_and_saturates():
    bounds = Range()
    bounds.build(None)
    bounds.high.assign(2.55)
    np.testing.assert_allclose(bounds(tf.constant([-1.0, 0.0, 0.014, 1.016, 7.0])), [0, 0, 0.01, 1.02, 2.55], atol=1e-5)


def test_ranges_cover_the_activations_they_start_from(compact, pictures, quantised):
    plain = compact.fuse()
    x = np.concatenate(pictures)
    for layer, bounds in zip(plain.layers, quantised.ranges, strict=True):
        x = layer(x)
        assert float(bounds.high) == pytest.approx(float(tf.reduce_max(x)), rel=1e-5)
    assert float(quantised.ranges[-1].low) == pytest.approx(float(tf.reduce_min(x)), rel=1e-5)


def test_it_stays_close_to_the_float_student(compact, quantised, pictures):
    expected = np.clip(compact(pictures[0], training=False), 0, 1)
    difference = np.abs(quantised(pictures[0], training=False) - expected)
    assert 0 < difference.mean() < 2 / 255
    sr = np.array(quantised(pictures[0], training=False)) * 255
    np.testing.assert_allclose(sr, np.rint(sr), atol=1e-3)  # whole levels: nothing is lost at the file's edge


def test_weights_and_ranges_learn(form, pictures):
    model = QuantizedCompact.of(form, pictures)
    for bounds in model.layers:  # half as wide, so that every range cuts something off and has reason to move
        if isinstance(bounds, Range):
            bounds.high.assign(bounds.high / 2)
            bounds.low.assign(bounds.low / 2)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(pictures[0], training=True) - 0.5) ** 2)
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_variables])
    assert all(float(tf.reduce_max(tf.abs(gradient))) > 0 for gradient in gradients)


def test_the_luma_is_brought_to_three_colours_without_a_loss():
    spread = to_every_colour(4)
    np.testing.assert_allclose(quantise_kernel(tf.constant(spread)), spread, atol=1e-7)
    luma = np.random.default_rng(3).random((1, 4, 5, 4), np.float32)
    np.testing.assert_array_equal(every_colour(tf.constant(luma)), np.repeat(luma, 3, axis=-1))


def test_a_rounded_interpolation_keeps_a_flat_image_flat():
    """Each plane's sum is right to half a step, where weights rounded one by one are off by up to
    four.
    """
    kernel = np.random.default_rng(4).normal(size=(3, 3, 3, 48)).astype("float32")
    rounded = np.array(quantise_interpolation(tf.constant(kernel)))
    step = np.abs(kernel).max(axis=(0, 1, 2)) * (130 / 127) / 127
    np.testing.assert_allclose(rounded / step, np.rint(rounded / step), atol=1e-2)
    assert np.abs(rounded / step).max() < 127.01
    off = np.abs((rounded - kernel).sum(axis=(0, 1)) / step)
    single = np.abs((np.rint(kernel / step) * step - kernel).sum(axis=(0, 1)) / step)
    assert off.max() < 0.51 < 1.5 < single.max()
    around = np.delete((rounded - kernel).reshape(9, 3, 48), 4, axis=0)
    assert np.abs(around / step).max() < 0.51


def test_the_file_holds_integers_and_gives_what_the_network_gives(form, pictures):
    quantised = QuantizedCompact.of(form, pictures)
    content = convert(quantised, quantize="int8")
    assert float_operations(content) == []
    assert outside_xnnpack(content) == ["QUANTIZE", "QUANTIZE"]
    names = {"QUANTIZE", "CONV_2D", "ADD", "DEPTH_TO_SPACE"}
    assert set(operations(content)) == names | ({"CONCATENATION"} if form.tail_form == "rgb" else set())
    lr = np.rint(pictures[1] * 255).astype("uint8")
    sr = _run(content, lr).astype(int)
    expected = np.rint(255 * np.array(quantised(lr / np.float32(255), training=False)))
    assert np.abs(sr - expected).mean() < 0.5
    difference = np.abs(np.clip(form(lr / np.float32(255), training=False), 0, 1) * 255 - sr).mean()
    assert 0 < difference < 2


def test_the_sum_of_a_block_that_is_still_zero_runs_in_xnnpack(pictures):
    fresh = models.build_generator("compact_xs", depth=5, width=8, scale=2, tail="luma", residual=2)
    quantised = QuantizedCompact.of(fresh, pictures)
    assert [bounds.signed for bounds in quantised.ranges] == [False, False, False, True, False, True, True]
    assert outside_xnnpack(convert(quantised, quantize="int8")) == ["QUANTIZE", "QUANTIZE"]


def test_the_float_file_gives_what_the_network_gives(form, pictures):
    content = convert(form)
    assert outside_xnnpack(content) == []
    sr = _run(content, pictures[1])
    np.testing.assert_allclose(sr, np.clip(form(pictures[1], training=False), 0, 1), atol=1e-5)


def _run(content, lr):
    interpreter = Interpreter(model_content=content)
    tensor = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(tensor["index"], lr.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(tensor["index"], lr)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_learned_ranges_are_the_exported_ones(compact, pictures):
    """Half the last range: the file saturates where the network does."""
    model = QuantizedCompact.of(compact, pictures)
    model.ranges[0].high.assign(float(model.ranges[0].high) / 2)
    before, after = (convert(m, quantize="int8") for m in (QuantizedCompact.of(compact, pictures), model))
    scales = [_scale_after_first_convolution(content) for content in (before, after)]
    assert scales[1] == pytest.approx(scales[0] / 2, rel=1e-3)
    assert scales[0] == pytest.approx(2 * float(model.ranges[0].high) / 255, rel=1e-3)


def _scale_after_first_convolution(content):
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.Model.GetRootAs(content, 0).Subgraphs(0)
    first = operations(content).index("CONV_2D")
    return graph.Tensors(graph.Operators(first).Outputs(0)).Quantization().Scale(0)


def test_weight_file_and_float_export_refused(form, pictures, tmp_path):
    quantised = QuantizedCompact.of(form, pictures)
    models.save_weights(quantised, tmp_path / "q.weights.h5")
    loaded = models.load_generator(tmp_path / "q.weights.h5")
    for ours, theirs in zip(quantised.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(UserError, match="export it with --quantize=int8"):
        convert(loaded)
