import csv
import io
import json

import numpy as np
import pytest
from absl import flags
from PIL import Image
from skimage import data

from cli.flags import define, read
from data.bicubic import upscale
from data.degradation import Degradation
from data.seams import block_seams
from errors import UserError
from evaluation.comparison import compare
from evaluation.degrading import DegradedPairs, degraded
from evaluation.gates import asked_gates
from evaluation.metrics import psnr, rgb_to_y
from evaluation.pairs import FolderPairs, PairedFolders
from settings.evaluation import Evaluate
from settings.pictures import DEGRADATIONS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name, left in (("a", 100), ("b", 260)):
        Image.fromarray(data.astronaut()[100:228, left : left + 160]).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def pairs(folder):
    return FolderPairs(folder, scale=2)


def parse(*words):
    values = flags.FlagValues()
    define(Evaluate(), values)
    values(["evaluate.py", *words])
    return read(Evaluate(), values)


def as_jpeg(lr, quality):
    file = io.BytesIO()
    Image.fromarray(lr).save(file, "JPEG", quality=quality, subsampling=2)
    return np.asarray(Image.open(file))


def test_words_are_read_into_one_form():
    assert parse("--degrade=clean,jpeg:030,noise:2.50,photo").measures.degrade == (
        "clean",
        "jpeg:30",
        "noise:2.5",
        "photo",
    )
    assert parse().measures.degrade == ()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("jpeg:0", "jpeg:0: write jpeg:QUALITY, a whole number from 1 to 100"),
        ("jpeg:101", "from 1 to 100"),
        ("jpeg:30.5", "a whole number"),
        ("jpeg", "jpeg: write jpeg:QUALITY"),
        ("noise:nan", "noise:nan: write noise:SIGMA, a number above 0, at most 255"),
        ("noise:0", "above 0"),
        ("noise:256", "at most 255"),
        ("noise:-3", "above 0"),
        ("jpg:30", "jpg:30: no degradation; there is jpeg:QUALITY, noise:SIGMA, "),
        ("bicubic", "bicubic: no degradation"),
        ("photo:3", "photo:3: no degradation"),
        ("jpeg:30,", "an empty word: no degradation"),
        ("jpeg:30,noise:5,jpeg:030", "jpeg:30 stands there twice"),
        ("clean,clean", "clean stands there twice"),
    ],
)
def test_bad_words_are_refused_when_they_are_read(word, said):
    with pytest.raises(flags.Error, match=said) as error:
        parse(f"--degrade={word}")
    assert "\n" not in str(error.value)


def test_jpeg_is_that_of_the_low_resolution_image(pairs):
    degraded_pairs = DegradedPairs(pairs, "jpeg:30", scale=2)
    for _ in range(2):  # can be iterated again
        for pair, clean in zip(degraded_pairs, pairs, strict=True):
            np.testing.assert_array_equal(pair.lr, as_jpeg(clean.lr, 30))
            np.testing.assert_array_equal(pair.hr, clean.hr)
    assert degraded_pairs.degradation == "MATLAB bicubic x2 + JPEG 30 4:2:0"


def test_noise_is_independent_rounded_and_the_same_for_everybody(folder, pairs):
    grey = folder.parent / "grey"
    grey.mkdir(exist_ok=True)
    for name in "ab":
        Image.new("RGB", (256, 256), (128, 128, 128)).save(grey / f"{name}.png")
    first, second = (pair.lr for pair in DegradedPairs(FolderPairs(grey, scale=2), "noise:10", scale=2))
    again, _ = (pair.lr for pair in DegradedPairs(FolderPairs(grey, scale=2), "noise:10", scale=2))
    np.testing.assert_array_equal(first, again)
    noise = first.astype(float) - 128
    assert noise.std() == pytest.approx((100 + 1 / 12) ** 0.5, rel=0.01) and abs(noise.mean()) < 0.15
    channels = np.corrcoef(noise.reshape(-1, 3).T) - np.eye(3)
    assert np.abs(channels).max() < 0.03
    assert abs(np.corrcoef(noise.ravel(), second.ravel())[0, 1]) < 0.02  # another image, other noise
    assert first[0, :2].tolist() == [[129, 127, 134], [129, 123, 132]]  # what anyone gets who draws from [0, 0]


@pytest.mark.parametrize("name", [name for name in DEGRADATIONS if name != "bicubic"])
def test_others_are_made_of_the_original_by_the_number_of_the_image(pairs, name):
    found = DegradedPairs(pairs, name, scale=2)
    for number, (pair, clean) in enumerate(zip(found, pairs, strict=True)):
        np.testing.assert_array_equal(pair.lr, Degradation(name, 2, 0).lr(clean.hr, index=(number, 0)))
    assert found.degradation == str(Degradation(name, 2, 0))


def test_tiles_are_degraded_as_images_of_their_own(folder):
    tiles = FolderPairs(folder, scale=2, tiles=64)
    for pair, clean in zip(DegradedPairs(tiles, "jpeg:50", scale=2), tiles, strict=True):
        assert pair.whole == clean.whole and pair.name == clean.name and pair.lr.shape == (32, 32, 3)
        np.testing.assert_array_equal(pair.lr, as_jpeg(clean.lr, 50))


def asked(*words):
    return Evaluate().with_values(degrade=words, scale=2)


def test_every_degradation_is_a_benchmark_of_its_own(pairs):
    found = degraded({"Two": pairs, "More": pairs}, asked("clean", "jpeg:30"))
    assert list(found) == ["Two", "Two jpeg:30", "More", "More jpeg:30"] and found["Two"] is pairs
    assert list(degraded({"Two": pairs}, asked("noise:5"))) == ["Two noise:5"]
    assert degraded({"Two": pairs}, asked()) == {"Two": pairs}


def test_given_low_resolution_files_are_degraded_but_not_made_anew(folder, tmp_path):
    for pair in FolderPairs(folder, scale=2):
        Image.fromarray(255 - pair.lr).save(tmp_path / f"{pair.name}.png")
    given = PairedFolders(str(folder), str(tmp_path), scale=2)
    found = degraded({"own": given}, asked("jpeg:30"))["own jpeg:30"]
    for pair, clean in zip(found, FolderPairs(folder, scale=2), strict=True):
        np.testing.assert_array_equal(pair.lr, as_jpeg(255 - clean.lr, 30))
    with pytest.raises(UserError, match="--degrade=blur: own has low-resolution files of its own"):
        degraded({"own": given}, asked("blur"))


def comparison(folder, output, **values):
    return Evaluate().with_values(
        **{"models": ("bicubic", "other=bicubic"), "benchmarks": (f"Two:{folder}",), "scale": 2, "repetitions": 0}
        | {"output": str(output), "baseline": "other", "degrade": ("clean", "jpeg:30", "noise:10")}
        | values
    )


def test_reports_hold_each_degradation(folder, tmp_path, capsys):
    assert compare(comparison(folder, tmp_path, tiles=64)) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    names = ["Two", "Two jpeg:30", "Two noise:10"]
    scores = report["models"]["bicubic"]["benchmarks"]
    assert list(scores) == names == list(report["original_seams"])
    tiles = list(FolderPairs(folder, scale=2, tiles=64))
    expected = [psnr(pair.hr, upscale(as_jpeg(pair.lr, 30), 2), border=2) for pair in tiles]
    assert [image["psnr"] for image in scores["Two jpeg:30"]["pictures"]] == pytest.approx(expected)
    seams = [block_seams(rgb_to_y(upscale(as_jpeg(pair.lr, 30), 2)), scale=2) for pair in tiles]
    assert scores["Two jpeg:30"]["seams"] == pytest.approx(np.mean(seams))
    assert scores["Two jpeg:30"]["seams"] > scores["Two"]["seams"] + 0.1
    originals = np.mean([block_seams(rgb_to_y(pair.hr), scale=2) for pair in tiles])
    assert list(report["original_seams"].values()) == pytest.approx([originals] * 3)
    assert set(report["models"]["bicubic"]["differences"]) == {*names, "all benchmarks"}
    assert report["models"]["bicubic"]["differences"]["Two jpeg:30"]["seams"]["mean"] == 0
    assert report["protocol"].endswith(
        "MATLAB bicubic x2 and MATLAB bicubic x2 + JPEG 30 4:2:0 and MATLAB bicubic x2 + Gaussian noise 10, 8-bit output, tiles of 64x64"
    )
    with (tmp_path / "pictures.csv").open() as file:
        assert {row["benchmark"] for row in csv.DictReader(file)} == set(names)
    with (tmp_path / "report.csv").open() as file:
        assert {f"{name}_{figure}" for name in names for figure in ("psnr", "seams")} <= set(next(csv.reader(file)))
    shown = capsys.readouterr().out
    assert "Two jpeg:30: seams" in shown and f"of the originals {originals:.3f} (Two)" in shown


def test_a_gate_names_a_degradation(folder, tmp_path):
    settings = comparison(folder, tmp_path, min_psnr=("20", "Two jpeg:30:25.5"))
    gates = asked_gates(settings, ["bicubic", "other"], ["Two", "Two jpeg:30"])
    assert gates["min_psnr"] == {"Two": 20.0, "Two jpeg:30": 25.5}


def test_seams_are_shown_where_they_are_asked_for(folder, tmp_path):
    compare(comparison(folder, tmp_path, degrade=("noise:10",)))
    assert (
        "seams"
        not in json.loads((tmp_path / "report.json").read_text())["models"]["bicubic"]["benchmarks"]["Two noise:10"]
    )
    compare(comparison(folder, tmp_path, degrade=(), seams=True))
    assert json.loads((tmp_path / "report.json").read_text())["models"]["bicubic"]["benchmarks"]["Two"]["seams"] > 0
    small = tmp_path / "small"
    small.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)).save(small / "s.png")
    assert compare(comparison(small, tmp_path, seams=True, degrade=())) == 1
    failures = json.loads((tmp_path / "report.json").read_text())["failures"]
    assert failures == ["Two: left out: s: 30x20 leaves too little to measure inside a border of 2"]


def test_a_report_stands_alone_and_a_name_once(folder, tmp_path):
    """Charts of an earlier evaluation would be taken for this one's."""
    compare(comparison(folder, tmp_path, degrade=(), repetitions=1))
    assert (tmp_path / "quality_vs_latency.svg").is_file()
    (tmp_path / "mine.txt").write_text("notes")
    compare(comparison(folder, tmp_path, degrade=()))
    left = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert not [name for name in left if "quality" in name] and {"report.json", "mine.txt"} <= left
    with pytest.raises(UserError, match="there are two of the name Two; rename one"):
        compare(comparison(folder, tmp_path, benchmarks=(f"Two:{folder}", f"Two:{folder}")))


def test_another_upscaler_s_images_are_refused(folder, tmp_path):
    words = {"models": ("bicubic", f"theirs={folder}"), "baseline": None}
    with pytest.raises(UserError, match="--degrade=clean,jpeg:30,noise:10: theirs is a folder of images"):
        compare(comparison(folder, tmp_path, **words))
    assert compare(comparison(folder, tmp_path, **words, degrade=("clean",))) == 0
