import keras
import numpy as np
import pytest
import tensorflow as tf

from errors import UserError
from inference.engines import DEFAULT_RECEPTIVE_FIELD, KerasEngine
from inference.saved_models import SavedModelEngine, open_keras_file
from inference.upscaler import Upscaler
from models import build_generator


def noise(height, width, seed=0):
    return np.random.default_rng(seed).random((1, height, width, 3), np.float32)


@pytest.fixture(scope="module")
def student():
    keras.utils.set_random_seed(3)
    return build_generator("compact_xs", depth=1, width=4)


def export(model, folder, size=(None, None)):
    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = [tf.TensorSpec((1, *size, 3), tf.float32, name="lr")]
    archive.add_endpoint("serve", lambda lr: model(lr, training=False), input_signature=signature)
    archive.write_out(str(folder), verbose=False)
    return folder


def test_saved_model_gives_what_its_model_gives(student, tmp_path):
    engine = SavedModelEngine(export(student, tmp_path / "saved"))
    assert (engine.scale, engine.fixed_size, engine.receptive_field) == (4, None, DEFAULT_RECEPTIVE_FIELD)
    for size in ((9, 13), (1, 30)):
        np.testing.assert_allclose(engine(noise(*size)), KerasEngine(student)(noise(*size)), atol=1e-6)


def test_saved_model_of_fixed_size(student, tmp_path):
    engine = SavedModelEngine(export(student, tmp_path / "saved", (12, 20)))
    assert (engine.scale, engine.fixed_size) == (4, (12, 20))
    with pytest.raises(UserError, match="saved: cannot run on a picture of 13x9"):
        engine(noise(9, 13))


def test_a_keras_file_of_ours_and_a_foreign_one(student, tmp_path):
    student.save(tmp_path / "ours.keras")
    ours = open_keras_file(tmp_path / "ours.keras")
    assert (ours.scale, ours.receptive_field) == (4, student.receptive_field)
    np.testing.assert_allclose(ours(noise(9, 13)), KerasEngine(student)(noise(9, 13)), atol=1e-6)
    foreign = keras.Sequential([keras.Input((None, None, 3)), keras.layers.UpSampling2D(3, interpolation="nearest")])
    foreign.save(tmp_path / "foreign.keras")
    engine = open_keras_file(tmp_path / "foreign.keras")
    assert (engine.scale, engine.receptive_field) == (3, DEFAULT_RECEPTIVE_FIELD)
    np.testing.assert_array_equal(engine(noise(4, 5)), noise(4, 5).repeat(3, 1).repeat(3, 2))


def test_the_upscaler_takes_both(student, tmp_path):
    student.save(tmp_path / "ours.keras")
    lr = (noise(9, 13)[0] * 255).astype(np.uint8)
    expected = Upscaler(student).upscale(lr)
    for path in (tmp_path / "ours.keras", export(student, tmp_path / "saved")):
        assert np.abs(Upscaler(path).upscale(lr).astype(int) - expected).max() <= 1  # a tie may round either way


def test_what_is_no_network(student, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: not a usable SavedModel"):
        SavedModelEngine(tmp_path / "empty")
    (tmp_path / "broken.keras").write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"broken\.keras: not a usable \.keras file"):
        open_keras_file(tmp_path / "broken.keras")
    keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(1, 3)]).save(tmp_path / "other.keras")
    with pytest.raises(UserError, match=r"other\.keras: turns .* not an upscaling network"):
        open_keras_file(tmp_path / "other.keras")
    with pytest.raises(UserError, match="no such file"):
        open_keras_file(tmp_path / "none.keras")


def test_a_keras_file_starts_no_program(tmp_path):
    """A Lambda holds Python's byte code, which Keras would run."""
    written, path = tmp_path / "written", tmp_path / "x.keras"
    lr = keras.Input((None, None, 3))
    program = f"(open({str(written)!r}, 'w').close(), x)[1]"
    keras.Model(lr, keras.layers.Lambda(eval(f"lambda x: {program}"))(lr)).save(path)
    written.unlink()  # made when the network was built
    with pytest.raises(UserError, match="x.keras: "):
        open_keras_file(path)
    assert not written.exists()
