"""The recipes of the published systems: their converted weights, and that each runs, with the
command that its first line names, on the embedded photographs.
"""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import models
from losses.perceptual import PerceptualLoss
from losses.pixel import mae_loss, mse_loss, total_variation_loss
from transfer.methods import METHODS

ROOT = Path(__file__).parent.parent
RECIPES = {path.stem: path for path in sorted((ROOT / "recipes").glob("*.txt")) if not path.stem.startswith("demo_")}
PUBLISHED = sorted(set(RECIPES) - {"adapt", "from_realesrgan"})  # those are roads of our own
SHORT = [
    *("--dataset=sample", "--content_loss=pixel", "--batch_size=2", "--patch_size=8", "--steps=20"),
    *("--validation_size=64", "--validation_pictures=1", "--validate_every=20", "--checkpoint_every=20"),
]
# Of RRDB's 345 convolutions TensorFlow takes minutes to make a training graph on a CPU; two blocks
# go through the same lines.
FEW_BLOCKS = {"esrgan": ["--depth=2"], "compressed_teacher": ["--depth=2"]}


def words(name):
    """The flags of a recipe, {name: value}."""
    lines = [line[2:].partition("=") for line in RECIPES[name].read_text().splitlines() if line.startswith("--")]
    return {flag: value for flag, _, value in lines}


def command(name):
    found = re.match(rf"# python (\w+\.py) --flagfile=recipes/{name}\.txt", RECIPES[name].read_text())
    assert found, f"{name}: its first line has to be the command"
    return found[1]


def in_order():
    """The recipes, each behind those that it starts from."""
    runs = {words(name)["run_dir"]: name for name in RECIPES}
    ordered = []

    def add(name):
        for flag in ("teacher", "init"):
            if words(name).get(flag) in runs:
                add(runs[words(name)[flag]])
        if name not in ordered:
            ordered.append(name)

    for name in RECIPES:
        add(name)
    return ordered


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_says_where_it_is_from_and_what_it_costs(name):
    text = RECIPES[name].read_text()
    assert command(name) in ("train_teacher.py", "train_student.py", "distill.py")
    assert "Source: " in text or "Source and published figures" in text
    assert "# Cost: " in text and "# Differences left: " in text
    assert "github.com/" in text or "as lightened_g2g" in text or "as compressed_comparative" in text
    assert words(name)["run_dir"] == f"runs/{name}"


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_student_is_trained_with_adam(name):
    """No published system used Muon, the default of our students; a teacher's default is Adam."""
    optimizer = words(name).get("optimizer", "muon" if command(name) != "train_teacher.py" else "adam")
    assert optimizer == "adam"


@pytest.mark.parametrize("name", RECIPES)
def test_its_command_knows_all_its_flags(name):
    """With one flag too many the command stops before it imports TensorFlow, and names that one
    alone.
    """
    line = [sys.executable, str(ROOT / command(name)), f"--flagfile={RECIPES[name]}", "--no_such_flag=1"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr.strip().endswith("Unknown command line flag 'no_such_flag'"), done.stderr


def symmetric(image):
    """[0, 1] to [-1, 1]."""
    return 2 * image - 1


def face_tv(images):
    """The original's TVLoss, with its sums and counts, of (B, H, W, C)."""
    batch, height, width, channels = images.shape
    rows = np.square(images[:, 1:] - images[:, :-1]).sum() / (channels * (height - 1) * width)
    columns = np.square(images[:, :, 1:] - images[:, :, :-1]).sum() / (channels * height * (width - 1))
    return 2 * (rows + columns) / batch


@pytest.mark.parametrize(
    ("name", "flag", "ours", "theirs"),
    [
        ("fast_srgan", "pixel_weight", mse_loss, lambda hr, sr: np.mean((symmetric(hr) - symmetric(sr)) ** 2)),
        ("fast_srgan_v2", "pixel_weight", mse_loss, lambda hr, sr: np.mean((symmetric(hr) - symmetric(sr)) ** 2)),
        ("face_srgan", "pixel_weight", mse_loss, lambda hr, sr: np.mean((symmetric(hr) - symmetric(sr)) ** 2)),
        (
            "face_srgan",
            "tv_weight",
            lambda hr, sr: total_variation_loss(sr),
            lambda hr, sr: 2e-8 * face_tv(symmetric(sr)),
        ),
        ("compressed_teacher", "pixel_weight", mae_loss, lambda hr, sr: 1e-2 * np.mean(np.abs(255 * hr - 255 * sr))),
        ("esrgan", "pixel_weight", mae_loss, lambda hr, sr: 1e-2 * np.mean(np.abs(hr - sr))),
        ("paired", "pixel_weight", mse_loss, lambda hr, sr: np.mean((hr - sr) ** 2)),
    ],
)
def test_a_weight_is_the_originals_in_our_range(name, flag, ours, theirs):
    """The weighted term of images in [0, 1] is the original's, in the range that its code has."""
    hr, sr = np.random.default_rng(0).random((2, 3, 12, 10, 3), np.float32)
    assert float(words(name)[flag]) * float(ours(hr, sr)) == pytest.approx(theirs(hr, sr), rel=1e-5)


@pytest.mark.parametrize(
    ("weight", "distance", "theirs"),
    [
        ("compressed_teacher", "l1", lambda difference: np.mean(np.abs(difference))),
        ("face_srgan", "l2", lambda difference: 0.006 * np.mean(difference**2)),
        ("adversarial", "l2", lambda difference: 0.05 * np.mean(difference**2)),  # of the compressed student
        ("srgan", "l2", lambda difference: np.mean((difference / 12.75) ** 2)),
    ],
)
def test_a_content_weight_is_the_originals_of_features_as_they_are(tmp_path, weight, distance, theirs):
    if weight in METHODS:
        value = METHODS[weight].published["content_weight"]
    else:
        value = float(words(weight).get("content_weight", 1))
        assert words(weight).get("content_distance", "l2") == distance
    arrays = {"block1_conv1__kernel": (3, 3, 3, 64), "block1_conv1__bias": (64,)}
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "vgg.npz", **{name: rng.normal(0, 0.1, shape).astype("float32") for name, shape in arrays.items()}
    )
    loss = PerceptualLoss(layer="block1_conv1", distance=distance, vgg_weights=str(tmp_path / "vgg.npz"))
    hr, sr = rng.random((2, 2, 8, 8, 3), np.float32)
    features = [
        np.asarray(loss.features(255 * image[..., ::-1] - np.float32([103.939, 116.779, 123.68]))) for image in (hr, sr)
    ]
    assert value * float(loss(hr, sr)) == pytest.approx(theirs(features[0] - features[1]), rel=1e-4)


@pytest.mark.parametrize(
    ("name", "published"),
    [
        (
            "compressed_teacher",
            {"steps": 600_000, "batch_size": 32, "learning_rate": 2e-4, "adversarial_learning_rate": 5e-5},
        ),
        ("fast_srgan", {"steps": 120, "batch_size": 14, "label_smoothing": 0.1, "discriminator_learning_rate": 5e-4}),
        (
            "fast_srgan_v2",
            {"steps": 1000, "patch_size": 384 / 4, "label_smoothing": 0, "discriminator_learning_rate": 5e-4},
        ),
        ("face_srgan", {"adversarial_weight": 1e-3, "batch_size": 16, "patch_size": 64}),
        ("paired", {"real_label": 0.99}),
        ("srgan", {"content_steps": 2500, "adversarial_weight": 1e-3}),
    ],
)
def test_published_values(name, published):
    assert {flag: float(words(name)[flag]) for flag in published} == published


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With a small network in the place of the one that from_realesrgan imports."""
    folder = tmp_path_factory.mktemp("recipes")
    teacher = models.build_generator("srvgg", depth=1, width=8)
    models.save_weights(teacher, folder / words("from_realesrgan")["teacher"])
    for images, side in (("mine", 40), ("photos", 160)):
        (folder / images).mkdir()
        for i in range(2):
            pixels = np.random.default_rng(i).integers(0, 256, (side, side, 3), np.uint8)
            Image.fromarray(pixels).save(folder / images / f"{i}.png")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", in_order())
def test_twenty_steps(folder, name):
    short = [*SHORT, *FEW_BLOCKS.get(name, [])]
    if name == "adapt":  # its images are the user's
        own = [f"--teacher={words('from_realesrgan')['teacher']}", "--lr_dir=mine", "--hr_dir=photos"]
        short = [*own, *(word for word in short if not word.startswith("--dataset"))]
    short += [f"--{flag}=20" for flag in ("adversarial_steps", "content_steps") if flag in words(name)]
    line = [sys.executable, str(ROOT / command(name)), f"--flagfile={RECIPES[name]}", *short]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{shlex.join(line)}\n{done.stderr}"
    run = folder / words(name)["run_dir"]
    role = "teacher" if command(name) == "train_teacher.py" else "student"
    assert (run / f"{role}.weights.h5").stat().st_size > 0
    if name.startswith("lightened_g2g"):
        assert json.loads((run / "report.json").read_text())["teacher"] == "runs/srgan/teacher.content.weights.h5"
    if words(name).get("interpolate_alpha"):
        assert (run / "teacher.alpha_0.8.weights.h5").stat().st_size > 0
