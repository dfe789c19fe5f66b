"""Adapt: the labels are the teacher's, the student approaches it on images held out, and nothing is
said that is not so.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import models
from data import Mixture
from errors import UserError
from runs import read_config
from settings.transfer import Distill
from transfer.adapt import METHOD, images
from transfer.command import distill
from transfer.teacher import Teacher

ROOT = Path(__file__).parent.parent.parent
SHIPPED = ROOT / "weights/compact_xs.weights.h5"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Three JPEG images, three originals, and a teacher that is the shipped compact_xs but for its
    last bias; the current folder.
    """
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for folder, scale, suffix in (("mine", 1, "jpg"), ("originals", 4, "png")):
        Path(folder).mkdir()
        for i in range(3):
            coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
            size = (scale * (24 + 4 * i), scale * 24)
            coarse.resize(size, Image.Resampling.BICUBIC).save(f"{folder}/{i}.{suffix}")
    network = models.load_generator(SHIPPED)
    kernel, bias = network.tail.get_weights()
    network.tail.set_weights([kernel, bias + 0.1])
    models.save_weights(network, "teacher.weights.h5")
    return tmp_path


COMMON = {
    **{"method": "adapt", "lr_dir": "mine", "teacher": "teacher.weights.h5", "student": "compact_xs", "run_dir": "run"},
    **{"steps": 2, "batch_size": 4, "patch_size": 8, "validation_size": 64, "ema_decay": 0.5},
}


def told(**values):
    """The settings as the command line would give them."""
    values = {**COMMON, **values}
    return Distill(given=frozenset(values)).with_values(**values).completed()


def run(command="distill.py", **values):
    """The command in a process of its own: what it sets in TensorFlow stays for good.

    Returns what it said.
    """
    values = {**COMMON, **values} if command == "distill.py" else values
    flags = [f"--{name}" if value is True else f"--{name}={value}" for name, value in values.items()]
    done = subprocess.run([sys.executable, str(ROOT / command), *flags], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stderr


def level(image):
    """Images in [0, 1] in 8-bit levels, rounded half up."""
    return np.floor(np.clip(image, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def of(path, lr):
    """What the network in a file makes of (h, w, 3) uint8."""
    return level(models.load_generator(path)(lr[None] / np.float32(255), training=False)[0].numpy())


def opened(settings, split):
    teacher = Teacher(settings, phase=METHOD.teacher, labels=True)
    teacher.load()
    return images(settings, teacher)(settings.pictures, split)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_label_is_the_teachers_image_to_the_last_bit(here, precision):
    """Of the whole image, and in float32 whatever the student trains in."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        stores = [opened(told(precision=precision), split) for split in ("train", "validation")]
    finally:
        keras.config.set_dtype_policy(policy)
    assert [store.names for store in stores] == [["0.jpg", "1.jpg"], ["2.jpg"]]
    for store in stores:
        for i, name in enumerate(store.names):
            lr = np.asarray(Image.open(f"mine/{name}"))
            np.testing.assert_array_equal(store.lr(i), lr)
            np.testing.assert_array_equal(store.hr(i), of("teacher.weights.h5", lr))


def test_self_ensemble_labels_are_the_mean_over_orientations(here):
    store = opened(told(self_ensemble=True), "validation")
    network, lr = models.load_generator("teacher.weights.h5"), store.lr(0) / np.float32(255)
    turned = []
    for k in range(4):
        for flip in (False, True):
            image = np.rot90(lr[:, ::-1] if flip else lr, k)
            sr = np.rot90(np.clip(network(image[None], training=False)[0].numpy(), 0, 1), -k)
            turned.append(sr[:, ::-1] if flip else sr)
    assert np.abs(store.hr(0).astype(int) - level(np.mean(turned, axis=0))).max() <= 1  # sums of another order


def test_originals_take_their_share_and_validate(here):
    settings = told(hr_dir="originals", degradation="bicubic", valid_dir="originals")
    assert settings.transfer.labelled_share == 0.5 and settings.pictures.dataset == "unlabelled"
    with pytest.raises(UserError, match="--valid_dir=originals is the training folder itself"):
        opened(settings, "train")
    settings = told(hr_dir="originals", degradation="bicubic")
    mixture = opened(settings, "train")
    assert isinstance(mixture, Mixture) and mixture.share == 0.5
    assert mixture.labelled.names == ["0.png", "1.png"]  # what --dataset=folder trains on
    np.testing.assert_array_equal(mixture.labelled.hr(0), np.asarray(Image.open("originals/0.png")))
    assert opened(told(hr_dir="originals", labelled_share=0.0), "train").names == ["0.jpg", "1.jpg"]
    assert told().transfer.labelled_share is None
    validation = opened(told(valid_dir="originals"), "validation")
    assert validation.originals and validation.degradation == "MATLAB bicubic x4"


def test_images_of_any_upscaler_are_labels(here):
    """What --export_lr writes is what is to be upscaled, held-out images with it."""
    distill(told(export_lr="small"), METHOD)
    small = {path.stem: np.asarray(Image.open(path)) for path in Path("small").iterdir()}
    assert sorted(small) == ["0", "1", "2"]
    Path("large").mkdir()
    for stem, lr in small.items():
        np.testing.assert_array_equal(lr, np.asarray(Image.open(f"mine/{stem}.jpg")))
        Image.fromarray(255 - lr.repeat(4, 0).repeat(4, 1)).save(f"large/{stem}_x4.png")
    for split in ("train", "validation"):
        store = opened(told(teacher_images="large", teacher="none"), split)
        for i in range(len(store)):
            np.testing.assert_array_equal(store.hr(i), 255 - store.lr(i).repeat(4, 0).repeat(4, 1))
    Path("large/2_x4.png").unlink()
    with pytest.raises(UserError, match="--teacher_images=large: holds no picture 2"):
        opened(told(teacher_images="large"), "validation")


@pytest.mark.slow
def test_the_shipped_student_approaches_the_teacher_on_images_held_out(here):
    said = run(steps=40, schedule="constant", learning_rate=1e-2, validate_every=20)
    assert "making the teacher's images: 2, 5.99e-05 GB in datasets/cache" in said  # 4 · 4 of 24x24 and 28x24 pixels
    lr = np.asarray(Image.open("mine/2.jpg"))
    label = of("teacher.weights.h5", lr).astype(float)
    before, after = (np.abs(of(path, lr) - label).mean() for path in (SHIPPED, "run/student.weights.h5"))
    assert before > 20 and after < before / 4
    report = json.loads(Path("run/report.json").read_text())
    assert report["protocol"].endswith("images of mine/ as they are, against the teacher's images, 8-bit output")
    assert (report["method"], report["teacher"], report["labels"]) == ("adapt", *["teacher.weights.h5"] * 2)
    assert report["training_pictures"] == "unlabelled mine/ (2 images for train, x4), labels: the teacher's images"
    assert "against the teacher's images" in report["phases"][0]["validation"]
    config = read_config("run/config.txt")
    assert (config["dataset"], config["init"], config["optimizer"]) == ("unlabelled", "shipped", "muon")
    assert METHOD.published == {"init": "shipped", "optimizer": "muon", "learning_rate": 5e-4, "steps": 10_000}


@pytest.mark.slow
def test_a_run_that_goes_on_ends_with_the_same_bits(here):
    same = {"hr_dir": "originals", "schedule": "constant", "deterministic": True, "labelled_share": 0.25}
    for run_dir, steps in (("whole", 4), ("halves", 2), ("halves", 4)):
        run(run_dir=run_dir, steps=steps, **same)
    whole, halves = (models.load_model(f"{folder}/last.weights.h5").get_weights() for folder in ("whole", "halves"))
    for a, b in zip(whole, halves, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_finished_run_is_quantised_and_exported(here):
    """The labels stay the teacher's, the guide is the student's float self, and the int8 file is
    calibrated on these images.
    """
    run(run_dir="runs/adapt")
    run(qat=True, content_loss="pixel", run_dir="run_qat")
    report = json.loads(Path("run_qat/report.json").read_text())
    assert report["method"] == "adapt+qat" and report["labels"] == "teacher.weights.h5"
    assert report["teacher"] == report["float_student"] == "runs/adapt/student.weights.h5"
    said = run("export_tflite.py", student="run_qat", quantize="int8", max_drop_db=9)
    assert "have no originals" in said and "the embedded sample is used instead" in said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"labelled_share": 0.5}, "--labelled_share=0.5: of which originals? Name their folder, --hr_dir"),
        ({"labelled_share": 0.1, "hr_dir": "originals"}, "--labelled_share=0.1: that is 0 of the 4 crops of a batch"),
        ({"cache_format": "float16"}, "--cache_format=float16: labels are images of 8 bits"),
        ({"self_ensemble": True, "teacher_images": "mine"}, "--self_ensemble: goes with --cache_teacher, and not with"),
        ({"teacher": "none"}, "--teacher=none: no such weight file or run folder"),
        (
            {"dataset": "sample", "lr_dir": None},
            "--dataset=sample: --method=adapt learns from images without originals",
        ),
        ({"lr_dir": None}, "--dataset=unlabelled needs --lr_dir"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_run(here, values, said):
    with pytest.raises(UserError, match=re.escape(said)):
        distill(told(**values), METHOD)
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"patch_size": 40}, "--patch_size=40 is larger than every LR picture of unlabelled mine/"),
        ({"scale": 2}, "teacher.weights.h5: enlarges 4 times, but --scale is 2"),
    ],
)
def test_what_does_not_fit_is_said_before_the_teacher_runs(here, values, said):
    with pytest.raises(UserError, match=re.escape(said)):
        opened(told(**values), "train")
    assert not list(Path().glob("datasets/cache/*teacher-*"))


def test_a_cache_without_room_is_said_before_the_teacher_runs(here, monkeypatch):
    """The volume of 4 by 4 labels of 24x24 and 28x24 pixels: 59,904 bytes."""
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("usage", (), {"free": 59_903})())
    with pytest.raises(UserError, match=r"--cache_dir=datasets/cache: the teacher's images take 5.99e-05 GB"):
        opened(told(), "train")
    assert not list(Path("datasets/cache").glob("*teacher-*"))


def test_a_wrong_folder_is_one_line_before_tensorflow(tmp_path):
    code = f"""
import runpy, sys
sys.argv = ["distill.py", "--method=adapt", "--lr_dir=nowhere"]
try:
    runpy.run_path({str(ROOT / "distill.py")!r}, run_name="__main__")
except SystemExit as end:
    print(end.code, "tensorflow" in sys.modules)
"""
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "1 False\n"
    assert done.stderr == "distill.py: nowhere: no such folder\n"
