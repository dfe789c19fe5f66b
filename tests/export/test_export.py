"""Exported files: what they give, what is in them, and that a bad one is not kept."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils

import models
from data.sample import sample
from errors import UserError
from export import Limits, convert, write_checked, write_saved_model
from export.calibration import calibration_pictures, spread
from export.graph import GPU_OPERATIONS, float_operations, gpu_refusals, operations, outside_xnnpack, read_metadata
from export.lint import check, report
from models.quantized import QuantizedCompact


@pytest.fixture(scope="module")
def student():
    """A small student with weights that are not its initial ones: biases and residual count."""
    keras.utils.set_random_seed(0)  # how much a limit of a test takes away depends on the weights
    model = models.build_generator("compact_xs", depth=2, width=8)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(weight + rng.normal(0, 0.02, weight.shape))
    return model


@pytest.fixture(scope="module")
def pairs():
    _, hr, lr = next(sample(split="validation").pairs())
    return [(lr, hr)]


def run(content, lr):
    interpreter = Interpreter(model_content=content)
    tensor = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(tensor["index"], lr.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(tensor["index"], lr)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_float_file_equals_keras_at_any_size(student):
    content = convert(student)
    rng = np.random.default_rng(1)
    for shape in [(1, 2, 2, 3), (1, 1000, 7, 3), (1, 1, 1, 3), (1, 33, 50, 3)]:
        lr = rng.random(shape, np.float32)
        expected = np.clip(student(lr, training=False), 0, 1)
        np.testing.assert_allclose(run(content, lr), expected, atol=1e-5)


def test_output_is_clipped_in_the_graph(student):
    model = models.clone(student)
    model.tail.bias.assign(np.linspace(-3, 3, 48))
    sr = run(convert(model), np.full((1, 4, 4, 3), 0.5, np.float32))
    assert sr.min() == 0 and sr.max() == 1


def test_float_graph_is_plain_and_all_in_xnnpack(student):
    content = convert(student)
    tail = ["ADD", "DEPTH_TO_SPACE", "MINIMUM"]
    assert operations(content) == [*["CONCATENATION"] * 2, *["CONV_2D"] * 4, *tail]
    assert outside_xnnpack(content) == []
    assert "CONV_2D" in float_operations(content)


def test_branches_are_collapsed_in_the_file():
    model = models.build_generator("compact_xs", depth=2, width=8, expansion=2)
    content = convert(model)
    assert operations(content) == operations(convert(model.fuse()))
    assert operations(content).count("CONV_2D") == 4


def test_int8_file_is_integers_throughout(student, pairs):
    calibration = calibration_pictures(student, [pairs[0][0]], count=8)
    content = convert(student, quantize="int8", calibration=calibration)
    assert float_operations(content) == []
    interpreter = Interpreter(model_content=content)
    for tensor in (interpreter.get_input_details()[0], interpreter.get_output_details()[0]):
        assert tensor["dtype"] == np.uint8
        assert tensor["quantization"] == (pytest.approx(1 / 255), 0)
    lr = pairs[0][0][None, :40, :50]
    expected = np.clip(student(lr / np.float32(255), training=False), 0, 1) * 255
    assert np.abs(run(content, lr) - expected).mean() < 1.5


def test_calibration_covers_the_range_and_the_models_own_outputs(student, pairs):
    crops = calibration_pictures(student, [pairs[0][0]], count=8)
    assert {crop.shape for crop in crops} == {(1, 64, 64, 3)} and len(crops) == 2 + 8 + 2
    assert crops[0].max() == 0 and crops[1].min() == 1
    small = calibration_pictures(student, [pairs[0][0][:10, :9]], height=20, width=30, count=4)
    assert {crop.shape for crop in small} == {(1, 20, 30, 3)}


def test_what_is_kept_describes_itself(student, pairs, tmp_path):
    path = tmp_path / "new" / "a.tflite"
    description = write_checked(student, path, pairs=pairs, limits=Limits.of("none"), timed=(16, 16), licence="MIT")
    assert json.loads(path.with_suffix(".json").read_text()) == description
    inside = read_metadata(path)
    assert read_metadata(path.read_bytes()) == inside
    assert (inside["scale"], inside["receptive_field"], inside["licence"]) == (4, 4, "MIT")
    assert inside["input"] == {"shape": [1, None, None, 3], "dtype": "float32", "values": "RGB in [0, 1]"}
    assert description["proof"]["max_difference"] < 1e-5 and description["proof"]["share_in_xnnpack"] == 1
    assert sorted(file.name for file in path.parent.iterdir()) == ["a.json", "a.tflite"]


def test_calibration_looks_at_the_whole_store():
    """Indices by hand: 4 of 11 are 0, 10/3, 20/3, 10, rounded; 64 of 6400 are multiples of 6399/63,
    rounded.
    """
    assert spread("abcdefghijk", 4) == ["a", "d", "h", "k"]
    assert spread("abc", 4) == ["a", "b", "c"] and spread(["a"]) == ["a"]
    assert spread(range(100))[:6] == [0, 2, 3, 5, 6, 8] and len(spread(range(65))) == 64 == len(spread(range(6400)))
    assert [spread(range(6400))[i] for i in (1, 2, 62, 63)] == [102, 203, 6297, 6399]


def test_fixed_size_and_float16(student, pairs, tmp_path):
    path = tmp_path / "a.tflite"
    options = {"height": 24, "width": 200, "quantize": "float16"}
    description = write_checked(student, path, pairs=pairs, limits=Limits.of("float16"), **options)
    assert description["output"]["shape"] == [1, 96, 800, 3]
    assert Interpreter(model_path=str(path)).get_input_details()[0]["shape"].tolist() == [1, 24, 200, 3]
    assert description["bytes"] < len(convert(student)) and abs(description["proof"]["psnr_drop_db"]) < 0.01


def test_a_file_that_loses_too_much_is_not_kept(student, pairs, tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes(b"the old one")
    black = [np.zeros((1, 16, 16, 3), np.float32)]  # calibrated on black alone
    lr = pairs[0][0]
    keras_sr = np.floor(np.clip(student(lr[None] / np.float32(255), training=False)[0], 0, 1) * 255 + 0.5)
    pairs = [(lr, keras_sr.astype(np.uint8))]  # against its own output, Keras has no error and any other file has
    with pytest.raises(UserError, match=r"a\.tflite: not kept: loses inf dB against Keras, more than 0\.15"):
        write_checked(
            student, path, pairs=pairs, limits=Limits.of("int8"), quantize="int8", calibration=black, timed=(16, 16)
        )
    assert [file.name for file in tmp_path.iterdir()] == ["a.tflite"] and path.read_bytes() == b"the old one"


@pytest.mark.slow
def test_the_proof_of_a_quantised_student_is_held_against_its_float_self_too(student, pairs, tmp_path):
    """Ranges that cut off half of what is there: the file does what its network does, and both have
    lost much.
    """
    lr = pairs[0][0]
    sr = np.clip(student(lr[None] / np.float32(255), training=False)[0], 0, 1) * 255
    noise = np.random.default_rng(3).normal(0, 10, sr.shape)
    pairs = [(lr, np.clip(np.rint(sr + noise), 0, 255).astype(np.uint8))]  # an original that the student is close to
    quantised = QuantizedCompact.of(student, calibration_pictures(student, [lr], count=4))
    options = {"pairs": pairs, "quantize": "int8", "timed": (16, 16), "float_student": student}
    good = write_checked(quantised, tmp_path / "a.tflite", limits=Limits.of("int8"), **options)["proof"]
    assert good["drop_from_float_db"] == pytest.approx(good["float_psnr_db"] - good["psnr_db"]) and good["psnr_db"] > 25
    for bounds in quantised.ranges:
        bounds.high.assign(bounds.high / 2)
    bad = write_checked(quantised, tmp_path / "a.tflite", limits=Limits.of("int8", max_drop_db=99), **options)["proof"]
    assert abs(bad["psnr_drop_db"]) < 0.15 < bad["drop_from_float_db"]
    with pytest.raises(UserError, match=r"a\.tflite: not kept: loses .* dB against the float student, more than 0\.15"):
        write_checked(quantised, tmp_path / "a.tflite", limits=Limits.of("int8"), **options)


def test_limits_by_hand():
    proof = {"max_difference": 2e-3, "psnr_drop_db": 0.1}
    assert "differs from Keras by 0.002" in Limits.of("none").broken_by(proof)
    assert "loses 0.100 dB" in Limits.of("dynamic").broken_by(proof)
    assert Limits.of("int8").broken_by(proof) is None
    assert "more than 0.02" in Limits.of("int8", max_drop_db=0.02).broken_by(proof)
    assert Limits.of("none").broken_by({"max_difference": float("nan"), "psnr_drop_db": 0.0})


@pytest.mark.slow
def test_saved_model_needs_none_of_our_code(student, tmp_path):
    write_saved_model(student, tmp_path / "saved")
    lr = np.random.default_rng(2).random((2, 9, 14, 3), np.float32)
    np.savez(tmp_path / "lr.npz", lr=lr)
    code = (
        "import numpy as np, tensorflow as tf\n"
        "run = tf.saved_model.load('saved').signatures['serving_default']\n"
        "np.savez('sr.npz', **{k: v.numpy() for k, v in run(tf.constant(np.load('lr.npz')['lr'])).items()})\n"
    )
    environment = {**os.environ, "PYTHONPATH": ""}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, env=environment, capture_output=True)
    expected = np.clip(student(lr, training=False), 0, 1)
    np.testing.assert_allclose(np.load(tmp_path / "sr.npz")["sr"], expected, atol=1e-5)
    with pytest.raises(UserError, match="--saved_model=.*is there already"):
        write_saved_model(student, tmp_path / "saved")


@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_weights_that_are_not_finite_are_not_exported(student, pairs, tmp_path, recwarn, quantize):
    model = models.clone(student)
    model.head.bias.assign([np.nan] + [0.0] * 7)
    with pytest.raises(UserError, match="1 of the 8 values of .*head/bias are NaN or infinite"):
        write_checked(model, tmp_path / "a.tflite", pairs=pairs, limits=Limits.of(quantize), quantize=quantize)
    with pytest.raises(UserError, match="--saved_model=.*head/bias are NaN or infinite"):
        write_saved_model(model, tmp_path / "saved")
    assert not list(tmp_path.iterdir()) and not [str(w.message) for w in recwarn if "numpy" in str(w.filename)]


def test_lint_names_what_falls_back_and_why():
    plain = check(models.build_generator("compact_xs", depth=1, width=4))
    assert [finding.refused for finding in plain] == [None, None] and plain[0].outside == []
    lines = "\n".join(report(plain))
    assert "XNNPACK float: converts; 8 of 8 operations" in lines and "falls back: 2 QUANTIZE" in lines
    slower = check(models.build_generator("srresnet", depth=1, width=4))
    assert "MINIMUM" in slower[1].outside and "PRELU" not in slower[1].operations
    assert "1 MINIMUM: XNNPACK runs MINIMUM in floats only" in "\n".join(report(slower))


class Whole(keras.Model):
    """A generator with an operation that the GPU delegate does not have."""

    scale, receptive_field = 1, 0

    def call(self, lr, training=False):
        return lr + tf.math.real(tf.signal.rfft2d(lr[..., 0]))[0, 0, 0]


def test_lint_asks_for_the_gpu_delegate_too():
    lines = report(check(models.build_generator("compact_xs", depth=1, width=4)))
    assert sum("GPU delegate: takes every operation, by the list of LiteRT 007226f" in line for line in lines) == 2
    model = Whole()
    model(np.full((1, 4, 4, 3), 0.5, np.float32))
    refused = "\n".join(report(check(model)[:1]))
    assert "GPU delegate refuses RFFT2D: it has no such operation" in refused and "takes every" not in refused


def test_gpu_operations_are_names_that_the_format_has():
    assert {name for name in GPU_OPERATIONS if not hasattr(schema.BuiltinOperator, name)} == set()


def test_gpu_delegate_refuses_a_block_of_one():
    flat = tf.function(lambda lr: tf.raw_ops.DepthToSpace(input=lr, block_size=2))
    content = tf.lite.TFLiteConverter.from_concrete_functions(
        [flat.get_concrete_function(tf.TensorSpec((1, 4, 4, 4)))]
    ).convert()
    assert gpu_refusals(content) == []
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    model.subgraphs[0].operators[0].builtinOptions.blockSize = 1
    changed = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    assert gpu_refusals(changed) == ["DEPTH_TO_SPACE: its block size has to be above 1"]


class Unusual(keras.Model):
    """A generator with an operation that TFLite has no kernel for."""

    scale, receptive_field = 1, 0

    def call(self, lr, training=False):
        return tf.math.betainc(lr, lr, lr)


def test_lint_names_the_operation_that_does_not_convert():
    model = Unusual()
    model(np.full((1, 4, 4, 3), 0.5, np.float32))
    refused = [finding.refused for finding in check(model)]
    assert all("Betainc" in reason for reason in refused)
