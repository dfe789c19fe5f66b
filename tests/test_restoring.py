"""The road at scale 1: pairs of one size, and networks that restore instead of enlarge."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data as photographs

ROOT = Path(__file__).parent.parent
SHORT = ["--batch_size=4", "--patch_size=16", "--validate_every=200", "--checkpoint_every=400", "--content_loss=pixel"]


def run(folder, *words):
    done = subprocess.run(
        [sys.executable, str(ROOT / words[0]), *words[1:]], cwd=folder, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done


def write_noisy_pairs(root):
    """Clean and noisy images of 128x128, Gaussian noise of 25 levels."""
    rng = np.random.default_rng(0)
    photograph = photographs.astronaut()
    for number in range(8):
        top, left = rng.integers(0, 512 - 128, 2)
        clean = photograph[top : top + 128, left : left + 128]
        noisy = np.clip(clean + rng.normal(0, 25, clean.shape), 0, 255).astype(np.uint8)
        for folder, picture in (("clean", clean), ("noisy", noisy)):
            (root / folder).mkdir(exist_ok=True)
            Image.fromarray(picture).save(root / folder / f"{number}.png")


@pytest.mark.slow
def test_a_denoiser_is_trained_distilled_exported_compared_and_used(tmp_path):
    write_noisy_pairs(tmp_path)
    pictures = ["--dataset=paired", "--hr_dir=clean", "--lr_dir=noisy", "--scale=1", "--validation_size=64"]
    quick = ["--steps=400", "--adversarial_steps=2", "--learning_rate=2e-3", "--ema_decay=0.9", *SHORT, *pictures]
    run(tmp_path, "train_teacher.py", "--teacher=compact_xs", *quick)
    run(tmp_path, "distill.py", "--method=g2g_al", "--student=compact_xs", *quick)
    run(tmp_path, "export_tflite.py")
    described = json.loads((tmp_path / "runs/g2g_al/student.json").read_text())
    assert described["scale"] == 1

    done = run(tmp_path, "evaluate.py", "--repetitions=1", "--height=20", "--width=30")
    report = json.loads((tmp_path / "runs/g2g_al/evaluation/report.json").read_text())
    assert "files of noisy/ x1" in report["protocol"] and "bicubic x1" not in done.stdout
    scores = {name: result["benchmarks"]["validation"]["psnr"] for name, result in report["models"].items()}
    # Bicubic at scale 1 leaves the noise as it is: on Y 25 * |65.481, 128.553, 24.966| / 255 =
    # 14.35 levels, 24.99 dB, less what black cuts off.
    assert 24.9 < scores["bicubic"] < 25.8
    assert scores["student"] > scores["bicubic"] + 1
    assert scores["student.tflite"] == pytest.approx(scores["student"], abs=0.02)
    assert Image.open(tmp_path / "runs/g2g_al/evaluation/comparison.png").width > 300

    run(tmp_path, "upscale.py", "noisy/3.png")
    assert Image.open(tmp_path / "noisy/3_x1.png").size == (128, 128)
