import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from errors import UserError
from export import convert
from inference import Upscaler
from inference.engines import DEFAULT_RECEPTIVE_FIELD, KerasEngine, TFLiteEngine
from models import build_generator


def noise(height, width, seed=0):
    return np.random.default_rng(seed).random((1, height, width, 3), np.float32)


def test_keras_engine_gives_the_clipped_output_of_the_model(network):
    lr = noise(9, 13)
    raw = network(lr, training=False).numpy()
    assert raw.min() < 0 and raw.max() > 1  # else this would show nothing
    np.testing.assert_allclose(KerasEngine(network)(lr), np.clip(raw, 0, 1), atol=1e-6)


def test_keras_engine_traces_once_for_all_sizes():
    traces = []

    class Doubling(keras.layers.Layer):
        scale, receptive_field = 2, 0

        def call(self, lr, training=None):
            traces.append(training)
            return tf.repeat(tf.repeat(lr, 2, axis=1), 2, axis=2)

    engine = KerasEngine(Doubling())
    for size in ((3, 4), (1, 1), (7, 2)):
        assert engine(noise(*size)).shape == (1, 2 * size[0], 2 * size[1], 3)
    assert traces == [False]


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (31, 17), (8, 8)])
def test_tflite_engine_agrees_with_keras(network, exported, size):
    engine = TFLiteEngine(exported["dynamic"], threads=1)
    assert (engine.scale, engine.receptive_field, engine.fixed_size) == (2, 4, None)
    np.testing.assert_allclose(engine(noise(*size)), KerasEngine(network)(noise(*size)), atol=1e-5)


def test_tflite_engine_allocates_only_when_the_shape_changes(exported, monkeypatch):
    engine, allocated = TFLiteEngine(exported["dynamic"]), []
    allocate = engine._allocate
    monkeypatch.setattr(engine, "_allocate", lambda shape: (allocated.append(shape[1:3]), allocate(shape)))
    for size in ((5, 6), (5, 6), (6, 5), (6, 5), (5, 6)):
        engine(noise(*size))
    assert allocated == [(5, 6), (6, 5), (5, 6)]


def test_fixed_size_is_seen_and_held_to(exported):
    engine = TFLiteEngine(exported["fixed"])
    assert engine.fixed_size == (24, 20)
    assert engine(noise(24, 20)).shape == (1, 48, 40, 3)
    with pytest.raises(UserError, match="fixed.tflite: cannot run on a picture of 21x24"):
        engine(noise(24, 21))
    assert engine(noise(24, 20)).shape == (1, 48, 40, 3)  # and works on after the error


def test_uint8_file_gives_floats_close_to_the_float_network(exported):
    lr = noise(24, 20, seed=5)
    eight, full = TFLiteEngine(exported["uint8"]), TFLiteEngine(exported["fixed"])
    assert eight.fixed_size == (24, 20)
    sr = eight(lr)
    assert sr.dtype == np.float32 and sr.min() >= 0 and sr.max() <= 1
    assert np.abs(sr - full(lr)).mean() < 0.01  # a wrong zero point or step would be off by far more


def test_without_sidecar_the_stated_receptive_field_is_taken(exported, tmp_path):
    shutil.copy(exported["dynamic"], tmp_path / "alone.tflite")
    engine = TFLiteEngine(tmp_path / "alone.tflite")
    assert engine.receptive_field == DEFAULT_RECEPTIVE_FIELD and engine.scale == 2


@pytest.mark.parametrize(
    "content, reason",
    [
        ("{", "not readable as JSON"),
        ("[1]", "no JSON object"),
        (json.dumps({"scale": 4}), "says scale 4, but the network beside it upscales by 2"),
        (json.dumps({"receptive_field": "9"}), "receptive_field '9'"),
        (json.dumps({"receptive_field": 20_000}), "receptive_field 20000 is not a number from 0 to 4096"),
        (json.dumps({"parameters": "88752"}), "parameters '88752'"),
        ("[" * 9999, "not readable as JSON"),
    ],
)
def test_sidecar_that_is_damaged_or_contradicts_is_refused(exported, tmp_path, content, reason):
    shutil.copy(exported["dynamic"], tmp_path / "x.tflite")
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(UserError, match=rf"x\.json: .*{reason}"):
        TFLiteEngine(tmp_path / "x.tflite")


def test_a_sidecar_that_makes_the_receptive_field_smaller_than_it_is_leaves_no_seams(exported, tmp_path):
    shutil.copy(exported["dynamic"], tmp_path / "x.tflite")
    for reach in (2, 4):
        (tmp_path / "x.json").write_text(json.dumps({"scale": 2, "receptive_field": reach}))
        upscaler = Upscaler(TFLiteEngine(tmp_path / "x.tflite"), tile=11)
        image = (noise(40, 50)[0] * 255).astype(np.uint8)
        if reach == 2:
            with pytest.raises(UserError, match=r"x\.json: says receptive_field 2, but .* sees further"):
                upscaler.upscale(image)
        else:
            assert upscaler.upscale(image).shape == (80, 100, 3)


def test_a_file_that_ends_its_process_is_one_line(tmp_path):
    """One byte of a shipped file was changed; LiteRT 2.1 to 2.3 end by SIGSEGV in allocating its
    tensors.
    """
    damaged = Path(__file__).parent / "ends_the_process.tflite"
    with pytest.raises(UserError, match=r"ends_the_process\.tflite: damaged, .* ends the process that runs it \(SIG"):
        TFLiteEngine(damaged)


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "missing"])
def test_damaged_files_get_one_line_with_their_name(exported, tmp_path, kind):
    path = tmp_path / f"{kind}.tflite"
    content = {"empty": b"", "text": b"no network at all", "truncated": exported["dynamic"].read_bytes()[:2000]}
    if kind != "missing":
        path.write_bytes(content[kind])
    with pytest.raises(UserError, match=f"{kind}.tflite: ") as caught:
        TFLiteEngine(path)
    assert "\n" not in str(caught.value)


def test_network_of_another_kind_is_refused(tmp_path):
    classifier = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    classifier.export(str(tmp_path / "saved"), verbose=False)
    path = tmp_path / "classifier.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved")).convert())
    with pytest.raises(UserError, match="classifier.tflite: its inputs have shape"):
        TFLiteEngine(path)


@pytest.fixture(scope="module")
def eight_bits(tmp_path_factory):
    """A student in integers, whose file takes and gives pixels as files have them."""
    keras.utils.set_random_seed(5)
    student = build_generator("compact_xs", depth=1, width=8)
    black_white_noise = [np.zeros((1, 16, 16, 3), np.float32), np.ones((1, 16, 16, 3), np.float32), noise(16, 16)]
    path = tmp_path_factory.mktemp("eight") / "student.int8.tflite"
    path.write_bytes(convert(student, quantize="int8", calibration=black_white_noise))
    path.with_suffix(".json").write_text(json.dumps({"scale": 4, "receptive_field": student.receptive_field}))
    return path


@pytest.mark.parametrize("size", [(1, 1), (30, 41)])
def test_pixels_go_through_an_eight_bit_network_as_they_are(eight_bits, size):
    """By way of floats, as without takes_uint8, the same bytes come out."""
    engine = TFLiteEngine(eight_bits, threads=1)
    assert engine.takes_uint8
    lr = np.random.default_rng(6).integers(0, 256, (1, *size, 3), np.uint8)
    by_floats = engine(lr / np.float32(255))
    assert by_floats.dtype == np.float32 and engine(lr).dtype == np.uint8
    np.testing.assert_array_equal(engine(lr), np.floor(by_floats * 255 + 0.5))


@pytest.mark.parametrize("shape", [(30, 41, 3), (30, 41)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_upscaler_gives_the_same_with_and_without_floats(eight_bits, shape, dtype):
    direct, by_floats = (Upscaler(TFLiteEngine(eight_bits, threads=1), tile=11) for _ in range(2))
    by_floats.engine.takes_uint8 = False
    picture = np.random.default_rng(7).integers(0, np.iinfo(dtype).max, shape, dtype)
    np.testing.assert_array_equal(direct.upscale(picture), by_floats.upscale(picture))
    np.testing.assert_array_equal(np.concatenate(list(direct.iter_strips(picture))), direct.upscale(picture))


def test_a_file_in_floats_takes_none(exported):
    assert not TFLiteEngine(exported["dynamic"]).takes_uint8
