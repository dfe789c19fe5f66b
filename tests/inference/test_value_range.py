"""Networks from elsewhere whose values are not in [0, 1]: a photograph comes out as itself, in
every format, by probe or by flag.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from skimage import data as photographs

from errors import UserError
from inference import Upscaler
from inference.choice import open_upscaler
from inference.upscaler import open_engine
from inference.value_range import ValueRange, recognise
from settings.files import MODEL_RANGES, Upscaling


def network(*after):
    """Doubles an image, and then does that to its values."""
    return keras.Sequential([keras.Input((None, None, 3)), keras.layers.UpSampling2D(2), *after])


def curve(slope, offset=0.0):
    """tanh(slope · x + offset): white to .995, where slope + offset is 3."""
    return [keras.layers.Rescaling(slope, offset), keras.layers.Activation("tanh")]


# Of each range a network such as people publish; to the first three grey and white in [0, 1] are
# something else, or no tell.
NETWORKS = {
    "0_255": lambda: network(keras.layers.Rescaling(1.0, 2.5)),  # biases of two or three levels
    "-1_1": lambda: network(*curve(3.0)),
    "0_1:-1_1": lambda: network(*curve(6.0, -3.0)),  # Fast-SRGAN's
    "0_1": lambda: network(keras.layers.Rescaling(0.99, 0.004)),
}


@pytest.fixture(scope="module")
def photo():
    return photographs.astronaut()[64:112, 192:256]


def saved(model, folder, kind):
    """The model as a .keras file, a SavedModel or a .tflite file."""
    path = folder / f"network.{kind}"
    if kind == "keras":
        model.save(path)
        return path
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", model.call, input_signature=[tf.TensorSpec((1, None, None, 3), tf.float32)])
    archive.write_out(str(folder / "saved"), verbose=False)
    if kind == "tflite":
        path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved")).convert())
        return path
    return folder / "saved"


def expected(name, photo):
    """By the definition of the network, in NumPy."""
    pixels = photo.repeat(2, 0).repeat(2, 1) / 255
    return {
        "0_255": lambda: pixels + 2.5 / 255,
        "-1_1": lambda: (np.tanh(3 * (2 * pixels - 1)) + 1) / 2,
        "0_1:-1_1": lambda: (np.tanh(6 * pixels - 3) + 1) / 2,
        "0_1": lambda: 0.99 * pixels + 0.004,
    }[name]() * 255


@pytest.mark.parametrize("kind", ["keras", "saved", "tflite"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_photograph_comes_out_as_itself(tmp_path, photo, name, kind):
    path = saved(NETWORKS[name](), tmp_path, kind)
    sr = Upscaler(path).upscale(photo)
    np.testing.assert_allclose(sr, np.clip(expected(name, photo), 0, 255), atol=0.51)


def test_a_flag_names_what_no_probe_can_tell(tmp_path, photo, caplog):
    """Of a network that turns grey into black the probe says that it does not know; the flag goes
    before it.
    """
    path = saved(network(*curve(40.0, -30.0)), tmp_path, "keras")
    engine = open_engine(path)
    assert str(engine.model.values) == "0_1"
    assert "network.keras: of grey (0.5) it makes -1, of white (1) 1: its range of values is not" in caplog.text
    upscaler = open_upscaler(Upscaling(model_range="0_255:-1_1"), path)
    sr = upscaler.upscale(photo)
    expected = np.tanh(40.0 * photo.repeat(2, 0).repeat(2, 1) - 30.0)
    np.testing.assert_allclose(sr, (expected + 1) / 2 * 255, atol=0.51)


def test_a_tanh_that_leaves_grey_and_white_alone_is_minus_one_to_one():
    """It gives x for x, in [-1, 1] as in [0, 1]: that nothing is darker than -1 tells."""
    assert str(recognise(lambda x: np.clip(x, -1, 1), path="p")) == "-1_1"
    assert str(recognise(lambda x: np.clip(x, 0, 1), path="p")) == "0_1"
    assert str(recognise(lambda x: x, path="p")) == "0_1"
    assert str(recognise(lambda x: np.full_like(x, np.nan), path="p")) == "0_1"


@pytest.mark.parametrize("word", MODEL_RANGES)
def test_names_and_their_limits(word):
    """Black and white are the limits of what is taken, and come back from those of what is
    given.
    """
    limits = {"0_1": (0, 1), "0_255": (0, 255), "-1_1": (-1, 1)}
    values = ValueRange.named(word)
    assert str(values) == word
    taken, given = word.split(":") if ":" in word else (word, word)
    np.testing.assert_allclose(values.encode(np.array([0.0, 1.0])), limits[taken])
    np.testing.assert_allclose(values.decode(np.array(limits[given], float)), [0, 1])


def test_our_own_files_say_it_themselves(exported, caplog):
    """Neither probed nor moved by the flag: the sidecar knows."""
    for kind in ("dynamic", "fixed", "uint8"):
        assert str(open_engine(exported[kind], model_range="0_255").values) == "0_1"
    assert "range of values" not in caplog.text


def test_one_channel_is_named(tmp_path):
    grey = keras.Sequential([keras.Input((None, None, 1)), keras.layers.UpSampling2D(2)])
    grey.save(tmp_path / "grey.keras")
    with pytest.raises(UserError, match=r"grey\.keras: takes images of 1 channel\(s\); an upscaling network takes RGB"):
        open_engine(tmp_path / "grey.keras")
    with pytest.raises(UserError, match=r"its input is float32 \[1, None, None, 1\]"):
        open_engine(saved_grey(grey, tmp_path))


def saved_grey(model, folder):
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", model.call, input_signature=[tf.TensorSpec((1, None, None, 1), tf.float32)])
    archive.write_out(str(folder / "grey"), verbose=False)
    return folder / "grey"
