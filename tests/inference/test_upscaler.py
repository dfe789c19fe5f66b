import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from errors import UserError
from inference import Upscaler
from inference.engines import KerasEngine, TFLiteEngine
from models import build_generator, save_weights
from runs import look_up

ROOT = Path(__file__).parent.parent.parent


def picture(shape, dtype):
    values = np.random.default_rng(1).random(shape)
    return (values * np.iinfo(dtype).max).astype(dtype) if np.issubdtype(dtype, np.integer) else values.astype(dtype)


@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7), (1, 1, 3), (1, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
def test_type_and_channels_are_kept(nearest, shape, dtype):
    lr = picture(shape, dtype)
    sr = Upscaler(nearest).upscale(lr)
    assert sr.dtype == dtype
    expected = lr.repeat(4, axis=0).repeat(4, axis=1)
    np.testing.assert_allclose(sr, expected, atol=0 if np.issubdtype(dtype, np.integer) else 1e-6)


def test_the_result_goes_where_it_is_wanted(nearest):
    lr = picture((5, 7, 3), np.uint8)
    out = np.zeros((20, 28, 3), np.uint8)
    assert Upscaler(nearest).upscale(lr, out=out) is out
    np.testing.assert_array_equal(out, lr.repeat(4, axis=0).repeat(4, axis=1))
    with pytest.raises(UserError, match=r"out is \(20, 28, 3\) float32, and the result \(20, 28, 3\) uint8"):
        Upscaler(nearest).upscale(lr, out=out.astype(np.float32))


def test_every_grey_value_stays_itself(nearest):
    lr = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(Upscaler(nearest).upscale(lr)[::4, ::4], lr)


def test_grey_is_the_luma_of_what_the_network_makes_of_three_equal_channels(network):
    lr = picture((12, 9), np.float64)
    rgb = Upscaler(network).upscale(np.stack([lr] * 3, axis=-1))
    expected = 0.299 * rgb[..., 0] + 0.587 * rgb[..., 1] + 0.114 * rgb[..., 2]
    np.testing.assert_allclose(Upscaler(network).upscale(lr), expected, atol=1e-6)


def test_rounding_is_half_up(nearest):
    class Half(type(nearest)):
        def __call__(self, lr):
            return super().__call__(np.full_like(lr, 2.5 / 255))

    assert (Upscaler(Half()).upscale(np.zeros((2, 2, 3), np.uint8)) == 3).all()  # half to even would give 2


def test_tile_changes_nothing(network):
    lr = picture((40, 50, 3), np.uint8)
    np.testing.assert_array_equal(Upscaler(network, tile=9).upscale(lr), Upscaler(network).upscale(lr))


@pytest.mark.parametrize(
    "bad, reason",
    [
        (np.zeros((4, 4, 4), np.uint8), "shape"),
        (np.zeros((0, 4, 3), np.uint8), "not empty"),
        (np.zeros(4, np.uint8), "shape"),
        (np.zeros((4, 4, 3), np.int32), "int32"),
        (np.full((4, 4, 3), 200.0), "from 200 to 200"),
        (np.full((4, 4, 3), np.nan, np.float32), "nan"),
    ],
)
def test_pictures_it_cannot_mean_are_refused(nearest, bad, reason):
    with pytest.raises(UserError, match=reason):
        Upscaler(nearest).upscale(bad)


def test_a_network_that_gives_nan_is_refused(nearest):
    class Broken(type(nearest)):
        def __call__(self, lr):
            return super().__call__(lr) * np.float32(np.nan)

    with pytest.raises(UserError, match="NaN"):
        Upscaler(Broken()).upscale(np.zeros((4, 4, 3), np.uint8))


def test_engines_by_kind_of_argument(network, exported, nearest):
    assert Upscaler(nearest).engine is nearest
    assert isinstance(Upscaler(network).engine, KerasEngine)
    for path in (exported["dynamic"], str(exported["dynamic"])):
        engine = Upscaler(path, threads=1).engine
        assert isinstance(engine, TFLiteEngine) and engine.threads == 1


def test_run_folder_prefers_the_fastest(tmp_path):
    with pytest.raises(UserError, match="a folder without student.tflite, student.weights.h5 or teacher.weights.h5"):
        look_up(tmp_path, fastest=True)
    for name in ("teacher.weights.h5", "student.weights.h5", "student.tflite"):
        (tmp_path / name).touch()
        assert look_up(tmp_path, fastest=True).path == tmp_path / name


@pytest.mark.parametrize("name, reason", [("none.tflite", "no such file"), ("photo.jpg", "not a network")])
def test_paths_that_are_no_network(tmp_path, name, reason):
    if reason == "not a network":
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=f"{name}: {reason}"):
        Upscaler(tmp_path / name)


def test_weight_files_are_loaded_by_models(network, tmp_path, monkeypatch):
    (tmp_path / "teacher.weights.h5").touch()
    monkeypatch.setattr("models.load_generator", lambda path: network if path.name == "teacher.weights.h5" else None)
    assert Upscaler(tmp_path).upscale(np.zeros((3, 5, 3), np.uint8)).shape == (6, 10, 3)


def test_a_tflite_file_needs_neither_tensorflow_nor_keras(exported):
    program = f"""
import sys
import numpy as np
from inference import Upscaler
sr = Upscaler({str(exported["dynamic"])!r}).upscale(np.zeros((5, 6, 3), np.uint8))
assert sr.shape == (10, 12, 3)
assert not {{"tensorflow", "keras", "models"}} & set(sys.modules)
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.slow
def test_threads_hold_tensorflow_too(tmp_path):
    """In a process of its own: TensorFlow takes them only once."""
    save_weights(build_generator("compact_xs", depth=1, width=4), tmp_path / "a.weights.h5")
    code = (
        "import sys\n"
        "from inference import Upscaler\n"
        "Upscaler(sys.argv[1], threads=1)\n"
        "import tensorflow as tf\n"
        "print(tf.config.threading.get_intra_op_parallelism_threads())\n"
        "tf.zeros(1) + 1\n"
        "Upscaler(sys.argv[1], threads=2)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.weights.h5")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["1"], done.stderr
    assert "threads=2: TensorFlow runs already" in done.stderr
