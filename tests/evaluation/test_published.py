"""Bicubic against the literature.

Needs the benchmarks: BENCHMARKS=FOLDER pytest tests/evaluation/test_published.py, with Set5/ and
Set14/ in it.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from data.bicubic import downscale, upscale
from evaluation.benchmark import evaluate_models
from evaluation.candidates import BicubicEngine, Candidate
from evaluation.pairs import FolderPairs

pytestmark = pytest.mark.skipif("BENCHMARKS" not in os.environ, reason="BENCHMARKS names no folder")


def benchmark(name):
    return FolderPairs(Path(os.environ["BENCHMARKS"]) / name, scale=4)


@pytest.mark.parametrize("channel", ["y", "y8"])
@pytest.mark.parametrize(("name", "psnr", "ssim"), [("Set5", 28.42, 0.8104), ("Set14", 26.05, 0.704)])
def test_bicubic_is_what_is_published(name, psnr, ssim, channel):
    models = {"bicubic": Candidate("bicubic", BicubicEngine(4))}
    score = evaluate_models(models, {name: benchmark(name)}, channel=channel).models["bicubic"].benchmarks[name]
    assert score.psnr == pytest.approx(psnr, abs=0.05) and score.ssim == pytest.approx(ssim, abs=0.002)


def test_the_published_row_to_its_last_digit():
    """Luma alone is brought down and up again, and rounded once, at the end: 28.42 / .8104, by
    scikit-image.
    """
    figures = []
    for pair in benchmark("Set5"):
        hr = rgb2ycbcr(pair.hr)[..., 0].round()
        sr = np.floor(np.clip(upscale(downscale(hr, 4), 4), 0, 255) + 0.5)
        hr, sr = hr[4:-4, 4:-4], sr[4:-4, 4:-4]
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        figures.append(
            [peak_signal_noise_ratio(hr, sr, data_range=255), structural_similarity(hr, sr, data_range=255, **options)]
        )
    mean = np.mean(figures, axis=0)
    assert [round(mean[0], 2), round(mean[1], 4)] == [28.42, 0.8104]
