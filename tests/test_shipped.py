"""The shipped networks: every file is what its description and its card say, and every command
takes them by name.
"""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from skimage import data

import models
import weights
from inference import Upscaler
from models import read_facts

ROOT = weights.FOLDER.parent
TFLITE = sorted(path.name.removesuffix(".tflite") for path in weights.FOLDER.glob("*.tflite"))


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def picture():
    return data.astronaut()[100:148, 200:260]


def test_there_is_what_the_defaults_name():
    assert {weights.DEFAULT, "compact_s", "compact_xs", "edsr_8x64"} <= set(weights.names())
    chosen_from = {weights.DEFAULT, weights.PHOTO} & set(weights.names())
    assert {weights.scale_of(name) for name in chosen_from} == {4}


@pytest.mark.parametrize("name", TFLITE)
def test_file_is_the_one_described(name):
    description = json.loads((weights.FOLDER / f"{name}.json").read_text())
    file = weights.FOLDER / f"{name}.tflite"
    assert sha256(file) == description["sha256"] and file.stat().st_size == description["bytes"] <= 3_000_000
    network = name.removesuffix(".int8")
    if name == network:
        assert sha256(weights.FOLDER / f"{name}.weights.h5") == description["weights_sha256"]
        assert read_facts(weights.keras_file(name))["origin"] == description["origin"]
    card = (weights.FOLDER / f"{network}.md").read_text()
    assert sha256(file) in card and description["origin"]["commit"] in card
    if start := description["origin"].get("began_from"):
        assert f"began from the `{start}` that was shipped" in card
    assert (weights.FOLDER / f"{name}.flags.txt").is_file()


LARGE = ("fast_srgan", "srresnet_8x32")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in weights.names()]
)
def test_keras_and_tflite_agree_and_enlarge(name, picture):
    assert weights.keras_file(name).stat().st_size <= 8_000_000
    by_keras = Upscaler(name, engine="keras").upscale(picture)
    by_tflite = Upscaler(name).upscale(picture)
    assert by_tflite.shape == (192, 240, 3)
    assert np.abs(by_keras.astype(int) - by_tflite).max() <= 1
    shrunk = by_tflite.reshape(48, 4, 60, 4, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - picture).mean() < 6  # it is this picture


@pytest.mark.parametrize("name", [name for name in TFLITE if name.endswith(".int8")])
def test_integers_stay_close_to_floats(name, picture):
    floats, integers = (Upscaler(word).upscale(picture).astype(int) for word in (name.removesuffix(".int8"), name))
    assert np.abs(floats - integers).mean() < 2.5


@pytest.mark.slow
def test_only_two_trainings_of_one_architecture_are_mixed():
    pairs = {name: pair for name in weights.names() if (pair := weights.fidelity_and_perceptual(name))}
    assert {"compact_s", "compact_xs", "edsr_8x64"} <= set(filter(weights.of_one_form, pairs))
    for name, files in pairs.items():
        first, second = map(models.load_generator, files)
        same = type(first) is type(second) and first.get_config() == second.get_config()
        assert weights.of_one_form(name) == same


def run(*words, cwd):
    return subprocess.run([sys.executable, *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=300)


def test_upscale_without_any_training(tmp_path, picture):
    from PIL import Image

    Image.fromarray(picture).save(tmp_path / "photo.png")
    done = run(ROOT / "upscale.py", "photo.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    chosen = weights.network_file(weights.PHOTO)
    why = "because photo.png shows no strong loss" if chosen else "as shipped"
    assert done.stderr == f"model: {weights.DEFAULT}, {why}; --model takes another\nphoto_x4.png\n"
    assert Image.open(tmp_path / "photo_x4.png").size == (240, 192)
    half = run(ROOT / "upscale.py", "photo.png", "--model=compact_s", "--strength=0.5", "-o", "half.png", cwd=tmp_path)
    assert half.returncode == 0 and (tmp_path / "half.png").is_file(), half.stderr
    alone = run(
        ROOT / "upscale.py", "photo.png", "--model=fast_srgan", "--strength=0.5", "-o", "alone.png", cwd=tmp_path
    )
    assert alone.returncode == 1 and "both trainings of one form: compact_s, compact_xs, edsr_8x64" in alone.stderr


@pytest.mark.slow
def test_training_goes_on_from_shipped_weights(tmp_path):
    """One update from the shipped student, with a shipped network for its teacher: the result has
    hardly moved.
    """
    flags = ["--dataset=sample", "--steps=1", "--batch_size=1", "--patch_size=8", "--content_loss=pixel"]
    flags += ["--learning_rate=1e-5", f"--cache_dir={tmp_path}/cache", "--run_dir=run"]
    words = ["--method=g2g", "--teacher=compact_s", "--student=compact_s", "--init=shipped"]
    done = run(ROOT / "distill.py", *words, *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    before = models.load_generator(weights.keras_file("compact_s"))
    after = models.load_generator(tmp_path / "run/student.weights.h5")
    for old, new in zip(before.get_weights(), after.get_weights(), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-4)


@pytest.mark.slow
def test_unknown_name_lists_the_shipped_ones(tmp_path):
    done = run(ROOT / "upscale.py", "x.png", "--model=compact_q", cwd=tmp_path)
    assert done.returncode == 1 and "shipped network: " in done.stderr and "compact_s" in done.stderr
    done = run(ROOT / "train_student.py", "--dataset=sample", "--student=srresnet", "--init=shipped", cwd=tmp_path)
    assert done.returncode == 1 and "--init=shipped: there are no weights of srresnet" in done.stderr
