"""The teacher's images from disc: aligned with the crops, rebuilt when stale, the same losses as
from the teacher itself.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import data
import models
from data.bicubic import upscale
from data.teacher_pictures import export_lr, open_teacher_pictures, teacher_images
from errors import UserError

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for i in range(4):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8))
        coarse.resize((96, 80 + 8 * i), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def store(pictures, tmp_path):
    return data.open_store(data.DATASETS["folder"](pictures, split="train", scale=4), cache_dir=tmp_path / "store")


def test_crops_are_aligned_with_hr(store, tmp_path):
    """With the original itself for a teacher, the third crop is the second, whatever place and
    orientation.
    """
    originals = iter([store.hr(i) for i in range(len(store))])
    teacher = open_teacher_pictures(store, upscale=lambda lr: next(originals), teacher_key="", cache_dir=tmp_path)
    for lr, hr, sr_teacher in data.batches(store, batch_size=8, patch_size=8, seed=1, teacher=teacher).take(3):
        np.testing.assert_array_equal(hr, sr_teacher)
        assert lr.shape == (8, 8, 8, 3)
    plain = next(iter(data.batches(store, batch_size=8, patch_size=8, seed=1)))
    with_teacher = next(iter(data.batches(store, batch_size=8, patch_size=8, seed=1, teacher=teacher)))
    for a, b in zip(plain, with_teacher[:2], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("dtype", "tolerance"), [("uint8", 0.5 / 255), ("float16", 2.0**-11)])
def test_what_is_stored_is_the_teachers_picture(store, tmp_path, dtype, tolerance):
    def teacher(lr):
        return np.clip(lr.repeat(4, axis=0).repeat(4, axis=1) / np.float32(255) * 0.9 + 0.013, 0, 1)

    held = open_teacher_pictures(store, upscale=teacher, teacher_key="a", cache_dir=tmp_path, dtype=dtype)
    levels = 255 if dtype == "uint8" else 1
    for i in range(len(store)):
        np.testing.assert_allclose(held.sr(i).astype(np.float32) / levels, teacher(store.lr(i)), atol=tolerance * 1.01)


def test_made_once_and_anew_for_another_teacher_or_store(store, tmp_path):
    made = []

    def teacher(lr):
        made.append(lr.shape)
        return upscale(lr, 4)

    for key in ("a", "a", "b", "a"):
        open_teacher_pictures(store, upscale=teacher, teacher_key=key, cache_dir=tmp_path)
    assert len(made) == 2 * len(store)
    open_teacher_pictures(store.subset(2), upscale=teacher, teacher_key="a", cache_dir=tmp_path)
    assert len(made) == 2 * len(store) + 2


def test_pictures_of_any_upscaler(store, tmp_path):
    folder = tmp_path / "upscaled"
    folder.mkdir()
    for i, name in enumerate(store.names):
        Image.fromarray(255 - store.hr(i)).save(folder / f"{Path(name).stem}{'_x4' if i else ''}.png")
    teacher = teacher_images(folder, store, cache_dir=tmp_path)
    for i in range(len(store)):
        np.testing.assert_array_equal(teacher.sr(i), 255 - store.hr(i))
    Image.new("RGB", (5, 5)).save(folder / f"{Path(store.names[0]).stem}.png")
    with pytest.raises(UserError, match=r"\.png: 5x5 pixels; the image that it goes with has 24x20, times 4 96x80"):
        teacher_images(folder, store, cache_dir=tmp_path)
    (folder / f"{Path(store.names[0]).stem}.png").unlink()
    with pytest.raises(UserError, match="--teacher_images=.*: holds no picture"):
        teacher_images(folder, store, cache_dir=tmp_path)


def test_low_resolution_images_go_to_any_upscaler_and_come_back(store, tmp_path):
    small, large = tmp_path / "small", tmp_path / "large"
    assert export_lr([store], small) == len(store)
    files = sorted(small.rglob("*.png"))
    assert len(files) == len(store)
    for path in files:  # any upscaler: this one repeats pixels
        target = large / path.relative_to(small)
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array(Image.open(path)).repeat(4, axis=0).repeat(4, axis=1)).save(target)
    teacher = teacher_images(large, store, cache_dir=tmp_path)
    for i in range(len(store)):
        np.testing.assert_array_equal(teacher.sr(i), np.array(store.lr(i)).repeat(4, axis=0).repeat(4, axis=1))
    with pytest.raises(UserError, match="--export_lr=.*small: is there already"):
        export_lr([store], small)


@pytest.mark.slow
def test_the_command_with_a_cached_teacher_and_with_pictures(pictures, tmp_path):
    teacher = models.build_generator("compact_xs", depth=1, width=8)
    models.save_weights(teacher, tmp_path / "t.weights.h5")
    common = [
        *(
            "--method=g2g",
            "--dataset=folder",
            f"--hr_dir={pictures}",
            "--content_loss=pixel",
            "--validation_size=64",
            "--steps=3",
        ),
        *("--student=compact_xs", "--batch_size=2", "--patch_size=8", f"--cache_dir={tmp_path}/cache"),
    ]

    def distill(*flags):
        command = [sys.executable, str(ROOT / "distill.py"), *common, *flags]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)

    done = distill(f"--teacher={tmp_path}/t.weights.h5", "--cache_teacher", "--self_ensemble", "--run_dir=cached")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "cache").glob("teacher-*"))) == 1
    (tmp_path / "upscaled").mkdir()
    for path in pictures.iterdir():
        with Image.open(path) as image:
            image.crop((0, 0, image.width // 4 * 4, image.height // 4 * 4)).save(tmp_path / "upscaled" / path.name)
    done = distill("--teacher_images=upscaled", "--run_dir=given")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "given/report.json").read_text())["teacher"] == "upscaled"
