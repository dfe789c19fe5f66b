import h5py
import numpy as np
import pytest

import models
from errors import UserError


def test_a_file_knows_its_network(tmp_path):
    model = models.build_generator("compact_xs", width=8, scale=2)
    path = tmp_path / "deep" / "a.weights.h5"
    models.save_weights(model, path, step=7, phase="pixel")
    loaded = models.load_generator(path)
    assert loaded.get_config() == {"depth": 3, "width": 8, "scale": 2, "expansion": 0, "tail": "rgb"}
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert models.read_facts(path) == {"step": 7, "phase": "pixel"}
    assert [file.name for file in path.parent.iterdir()] == ["a.weights.h5"]


@pytest.mark.parametrize("name", [*models.GENERATORS, "patch", "unet"])
def test_every_network_comes_back_from_its_file(tmp_path, name):
    generator = name in models.GENERATORS
    model = models.build_generator(name, depth=2, width=8) if generator else models.build_discriminator(name, size=32)
    for weight in model.weights:  # biases, slopes and statistics too: all of them away from where they start
        weight.assign(weight + 0.01)
    models.save_weights(model, tmp_path / "a.weights.h5")
    pictures = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    loaded = models.load_model(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(loaded(pictures, training=False), model(pictures, training=False))


def test_plain_keras_reads_it(tmp_path):
    model = models.build_generator("compact_xs")
    models.save_weights(model, tmp_path / "a.weights.h5")
    other = models.build_generator("compact_xs")
    other.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def test_what_does_not_fit_is_named(tmp_path):
    path = tmp_path / "a.weights.h5"
    models.save_weights(models.build_generator("compact_xs"), path)
    with pytest.raises(UserError, match=r"a\.weights\.h5: holds Compact .*does not fit Compact .*head"):
        models.load_into(models.build_generator("compact_s"), path)
    with pytest.raises(UserError, match="does not fit SRResNet"):
        models.load_into(models.build_generator("srresnet"), path)


def test_files_that_are_no_weights(tmp_path):
    with pytest.raises(UserError, match="missing.weights.h5: no such weight file"):
        models.load_generator(tmp_path / "missing.weights.h5")
    (tmp_path / "text.weights.h5").write_text("hello")
    with pytest.raises(UserError, match="text.weights.h5: not a readable weight file"):
        models.load_generator(tmp_path / "text.weights.h5")
    model = models.build_generator("compact_xs")
    model.save_weights(tmp_path / "bare.weights.h5")
    with pytest.raises(UserError, match="does not name its network"):
        models.load_generator(tmp_path / "bare.weights.h5")
    models.save_weights(model, tmp_path / "other.weights.h5")
    with h5py.File(tmp_path / "other.weights.h5", "r+") as file:
        file.attrs["class"] = "Nothing"
    with pytest.raises(UserError, match="'Nothing' is no network"):
        models.load_generator(tmp_path / "other.weights.h5")


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "a.weights.h5"
    models.save_weights(models.build_generator("compact_s"), path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UserError, match="a.weights.h5"):
        models.load_generator(path)


def test_a_discriminator_is_no_generator(tmp_path):
    path = tmp_path / "d.weights.h5"
    models.save_weights(models.build_discriminator("srgan", size=32, filters=4, dense=8), path)
    with pytest.raises(UserError, match="holds a SRGANDiscriminator, not a generator"):
        models.load_generator(path)
    assert models.load_model(path).input_size == (32, 32)
