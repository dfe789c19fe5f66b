import json
import random

import h5py
import numpy as np
import pytest

import models
from errors import UserError
from models.compact import Compact
from models.weight_files import _check_size


def test_a_file_knows_its_network(tmp_path):
    model = models.build_generator("compact_xs", width=8, scale=2)
    path = tmp_path / "deep" / "a.weights.h5"
    models.save_weights(model, path, step=7, phase="pixel")
    loaded = models.load_generator(path)
    sizes = {"depth": 3, "width": 8, "scale": 2}
    assert loaded.get_config() == {**sizes, "expansion": 0, "tail": "rgb", "residual": 0}
    assert models.read_network(path) == ("Compact", loaded.get_config())
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert models.read_facts(path) == {"step": 7, "phase": "pixel"}
    assert [file.name for file in path.parent.iterdir()] == ["a.weights.h5"]


LARGE = {"srresnet", "rrdb", "rrdb_11x32", "fast_srgan", "fast_srgan_6x32_bilinear", "unet"}  # seconds to build each


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name
        for name in (*models.GENERATORS, "patch", "unet")
    ],
)
def test_every_network_comes_back_from_its_file(tmp_path, name):
    generator = name in models.GENERATORS
    model = (
        models.build_generator(name, depth=6 if name == "compact_m" else 2, width=8)
        if generator
        else models.build_discriminator(name, size=32)
    )
    for weight in model.weights:  # biases, slopes and statistics too: all of them away from where they start
        weight.assign(weight + 0.01)
    models.save_weights(model, tmp_path / "a.weights.h5")
    pictures = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    loaded = models.load_model(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(loaded(pictures, training=False), model(pictures, training=False))


@pytest.fixture
def small(tmp_path):
    """A file of every part that a compact student has."""
    path = tmp_path / "small.weights.h5"
    sizes = {"depth": 2, "width": 4, "scale": 2, "tail": "luma", "residual": 1}
    models.save_weights(models.build_generator("compact_xs", **sizes), path, step=3)
    return path


def _damaged(content, chance):
    """The bytes with a few of them changed, a piece zeroed, the end cut off, or what the file says
    of itself garbled.
    """
    content, kind = bytearray(content), chance.randrange(4)
    if kind == 0:
        for _ in range(chance.choice([1, 4, 32])):
            content[chance.randrange(len(content))] = chance.randrange(256)
    elif kind == 1:
        del content[chance.randrange(len(content)) :]
    elif kind == 2:
        begin, length = chance.randrange(len(content)), chance.choice([1, 8, 64, 512])
        content[begin : begin + length] = bytes(length)
    else:
        word = chance.choice(
            [b'"depth": 2', b'"width": 4', b'"scale": 2', b'"residual": 1', b"luma", b"Compact", b"facts"]
        )
        at = content.find(word)
        for _ in range(3):
            content[at + chance.randrange(len(word))] = chance.choice(b'0123456789 "-:{}[]e.\xff\0')
    return bytes(content)


def _only_user_errors(small, *, seed, mutations):
    """How many of the mutations load; the others end in one line."""
    chance, content, path, loaded = random.Random(seed), small.read_bytes(), small.with_name("m.weights.h5"), 0
    for _ in range(mutations):
        path.write_bytes(_damaged(content, chance))
        try:
            models.read_facts(path)
            models.load_generator(path)
            loaded += 1
        except UserError as error:
            assert "m.weights.h5" in str(error) and "\n" not in str(error)
    return loaded


def test_damaged_files_end_in_one_line(small):
    assert _only_user_errors(small, seed=0, mutations=30) < 20


@pytest.mark.slow
def test_damaged_files_end_in_one_line_600_times(small):
    assert _only_user_errors(small, seed=1, mutations=600) < 300


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('{"depth": 1000000, "width": 4, "scale": 2}', "more weights than the file: "),
        ('{"depth": 2, "width": 1000000, "scale": 2}', "more weights than the file"),
        ('{"depth": 2, "width": 4, "scale": 1000000}', "more weights than the file"),
        ('{"depth": 2, "width": 4, "scale": 2, "expansion": 1000000}', "more weights than the file"),
        ('{"depth": 2, "width": 4, "scale": 2, "residual": 9}', "room for 0 to 1 residual blocks"),
        ('{"depth": 2, "width": -4, "scale": 2}', "no network that can be built"),
        ('{"depth": 2.5}', "describes no network"),
        ('{"depth": NaN}', "describes no network"),
        ('{"dtype": "float64"}', "takes no dtype"),
        ("[1, 2]", "its config is no dictionary"),
        ("{", "its config cannot be read"),
        ("[" * 60_000, "its config cannot be read"),
    ],
)
def test_what_a_file_says_of_itself_is_checked_before_anything_is_built(small, config, said):
    with h5py.File(small, "r+") as file:
        del file.attrs["config"]
        file.attrs["config"] = config
    with pytest.raises(UserError, match=said):
        models.load_generator(small)


def test_arrays_that_claim_more_than_the_file_holds(small):
    with h5py.File(small, "r+") as file:
        file.create_dataset("empty", shape=(10**9,), dtype="float32", chunks=(1024,))
        file.attrs["config"] = json.dumps({"depth": 2, "width": 10_000, "scale": 2})
    with pytest.raises(UserError, match="claims 4,0.* bytes of weights, more than it has"):
        models.load_generator(small)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_neither_kept_nor_loaded(small, tmp_path, value):
    model = models.load_model(small)
    kernel = np.array(model.trunk[1].kernel)
    kernel[0, 0, 0, 1:3] = value
    model.trunk[1].kernel.assign(kernel)
    with pytest.raises(UserError, match="new.weights.h5: 2 of the 144 values of .*conv_2/kernel are NaN or infinite"):
        models.save_weights(model, tmp_path / "new.weights.h5")
    assert [file.name for file in tmp_path.iterdir()] == [small.name]
    model.save_weights(small)
    with h5py.File(small, "r+") as file:
        file.attrs["class"], file.attrs["config"] = "Compact", json.dumps(model.get_config())
    with pytest.raises(UserError, match="small.weights.h5: 2 of the 144 values of .*conv_2/kernel are NaN or infinite"):
        models.load_generator(small)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["compact_s", "edsr_8x64", "srresnet", "rrdb", "compressed_rrdb", "fast_srgan", "srvgg"]
)
def test_no_honest_generator_is_taken_for_one_too_large(name, monkeypatch):
    """Of the bounds on a file: every network of ours has at least as many weights as they
    ask for.
    """
    for sizes in ({"scale": 8, "depth": 1, "width": 2}, {"depth": 2, "width": 8}):
        _fits_its_own_file(models.build_generator(name, **sizes), monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", models.DISCRIMINATORS)
def test_no_honest_discriminator_is_taken_for_one_too_large(name, monkeypatch):
    for filters in (1, 8):
        _fits_its_own_file(models.build_discriminator(name, size=32, filters=filters), monkeypatch)


def _fits_its_own_file(model, monkeypatch):
    held = len(model.weights), sum(np.size(weight) for weight in model.get_weights())
    monkeypatch.setattr("models.weight_files._count", lambda path: held)
    _check_size("a", type(model).__name__, model.get_config())


def test_files_from_before_a_tail_could_be_chosen(tmp_path):
    model = models.build_generator("compact_xs")
    path = tmp_path / "old.weights.h5"
    models.save_weights(model, path)
    with h5py.File(path, "r+") as file:
        file.attrs["config"] = json.dumps({"depth": 3, "width": 16, "scale": 4, "expansion": 0})
    pictures = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    np.testing.assert_array_equal(models.load_model(path)(pictures), model(pictures))
    assert models.read_network(path) == ("Compact", Compact(depth=3, width=16).get_config())


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
