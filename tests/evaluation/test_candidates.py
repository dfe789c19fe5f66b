"""The words of --benchmarks, and what their figures say of their LR images."""

import numpy as np
import pytest
from PIL import Image

from data import open_store, paired
from errors import UserError
from evaluation.benchmark import evaluate_models
from evaluation.candidates import BicubicEngine, Candidate
from evaluation.pairs import PairedFolders, StorePairs, folder_benchmarks
from evaluation.report import protocol_line


@pytest.fixture
def folders(tmp_path):
    """Three clean images of 40x44, and the same with 10 levels more: 20 log10(255 / 10) dB apart in
    RGB.
    """
    for name in ("a", "b", "c"):
        clean = np.random.default_rng(ord(name)).integers(50, 200, (40, 44, 3), dtype=np.uint8)
        for folder, pixels in (("clean", clean), ("off", clean + 10)):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / folder / f"{name}.png")
    return tmp_path / "clean", tmp_path / "off"


def test_two_folders_are_one_benchmark_of_all_their_pairs(folders):
    clean, off = folders
    benchmarks, _ = folder_benchmarks([f"off:{clean}:{off}"], scale=1)
    evaluation = evaluate_models({"input": Candidate("input", BicubicEngine(1))}, benchmarks, scale=1, channel="rgb")
    scores = evaluation.models["input"].benchmarks["off"]
    assert [score.picture for score in scores.pictures] == ["a", "b", "c"]
    assert scores.psnr == pytest.approx(28.1308, abs=1e-3) and scores.color_shift == pytest.approx([10, 10, 10])
    assert protocol_line(evaluation) == f"PSNR/SSIM on RGB, 1 px border, files of {off}/ x1, 8-bit output"


def test_one_folder_is_matlab_bicubic(folders):
    clean, off = folders
    benchmarks, _ = folder_benchmarks([f"clean:{clean}", f"off:{off}"], scale=2)
    evaluation = evaluate_models({"bicubic": Candidate("bicubic", BicubicEngine(2))}, benchmarks, scale=2)
    assert "2 px border, MATLAB bicubic x2, 8-bit" in protocol_line(evaluation)


def test_a_damaged_pair_makes_the_benchmark_fail_by_name(folders):
    clean, off = folders
    (off / "b.png").write_text("no picture")
    with pytest.raises(UserError, match="only 2 of 3 pairs can be read"):
        list(PairedFolders(clean, off, scale=1))


def test_a_store_says_how_its_lr_was_made(folders, tmp_path):
    store = open_store(paired(*folders, split="train", scale=1), cache_dir=tmp_path / "cache")
    pairs = StorePairs(store, most=1)
    assert pairs.degradation == f"files of {folders[1]}/ x1"
    assert [pair.name for pair in pairs] == ["a"] == [pair.name for pair in pairs]


@pytest.mark.parametrize("word", ["folder", "name:", ":folder", "a:b:c:d", "a::c"])
def test_another_form_is_refused(word):
    with pytest.raises(UserError, match="NAME:HR_FOLDER:LR_FOLDER"):
        folder_benchmarks([word], scale=4)
