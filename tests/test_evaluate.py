"""evaluate.py with everything that can be compared, and with everything that can be wrong, in one
call each.
"""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data.bicubic import downscale, upscale
from evaluation.metrics import grid, psnr
from evaluation.pairs import FolderPairs
from inference.upscaler import Upscaler
from models import build_generator, load_generator, save_weights

ROOT = Path(__file__).parent.parent
SIZE = (96, 128)


def evaluate(folder, *words):
    command = [sys.executable, str(ROOT / "evaluate.py"), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)


def converted(saved_model, *, int8=False):
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model))
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        noise = np.random.default_rng(0).random((4, 1, 24, 32, 3), np.float32)
        converter.representative_dataset = lambda: ([picture] for picture in noise)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    return converter.convert()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with one small student in every form, another upscaler's images, and two
    benchmarks.
    """
    folder = tmp_path_factory.mktemp("evaluate")
    for benchmark, names in (("Two", "ab"), ("One", "c")):
        (folder / "pictures" / benchmark).mkdir(parents=True)
        for seed, name in enumerate(names):
            corners = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
            picture = Image.fromarray(corners).resize(SIZE[::-1], Image.Resampling.BICUBIC)
            picture.save(folder / "pictures" / benchmark / f"{name}.png")
    keras.utils.set_random_seed(1)
    student = build_generator("compact_xs", depth=1, width=4)
    student.set_weights([0.2 * array for array in student.get_weights()])  # as a trained one, it leaves grey grey
    (folder / "run" / "logs").mkdir(parents=True)
    (folder / "run" / "config.txt").write_text("--seed=0\n")
    (folder / "run" / "report.json").write_text(json.dumps({"phases": [{"steps": 30}, {"steps": 4}]}))
    for path in ("run/student.weights.h5", "file.weights.h5"):
        save_weights(student, folder / path)
    student.save(folder / "file.keras")
    for name, size in (("saved", (None, None)), ("fixed", (24, 32))):
        spec = [keras.InputSpec(shape=(1, *size, 3), dtype="float32")]
        student.export(str(folder / name), verbose=False, input_signature=spec)
    (folder / "float.tflite").write_bytes(converted(folder / "saved"))
    (folder / "int8.tflite").write_bytes(converted(folder / "fixed", int8=True))
    (folder / "int8.json").write_text(json.dumps({"receptive_field": student.receptive_field}))
    for benchmark in ("Two", "One"):
        (folder / "others" / benchmark).mkdir(parents=True)
        for pair in FolderPairs(folder / "pictures" / benchmark, scale=4):
            Image.fromarray(upscale(pair.lr, 4)).save(folder / "others" / benchmark / f"{pair.name}_x4.png")
    return folder


KINDS = ["bicubic", "run", "file.weights.h5", "file.keras", "saved", "float.tflite", "int8.tflite", "others"]


@pytest.fixture(scope="module")
def compared(place):
    done = evaluate(
        place,
        f"--models={','.join(KINDS)}",
        "--benchmarks=Two,One",
        "--data_root=pictures",
        "--output=results",
        "--baseline=float.tflite",
        "--repetitions=2",
        "--height=24",
        "--width=32",
        "--threads=1",
    )
    assert done.returncode == 0, done.stderr
    return done


def test_every_kind_in_one_call(compared, place):
    report = json.loads((place / "results/report.json").read_text())
    models = report["models"]
    assert list(models) == KINDS and report["failures"] == []
    psnr = {
        name: [figures["benchmarks"][benchmark]["psnr"] for benchmark in ("Two", "One")]
        for name, figures in models.items()
    }
    for name in ("run", "file.keras", "saved", "float.tflite"):  # a tie may round either way
        assert psnr[name] == pytest.approx(psnr["file.weights.h5"], abs=0.01)
    assert psnr["int8.tflite"] == pytest.approx(psnr["file.weights.h5"], abs=1)
    assert psnr["others"] == psnr["bicubic"]
    assert models["others"]["latency"] is None and models["others"]["parameters"] is None
    counted = 320 * 180 * (9 * 3 * 4 + 9 * 4 * 4 + 9 * 4 * 48)
    for name in KINDS[1:-1]:
        assert models[name]["multiply_adds"] == pytest.approx(counted)
        assert models[name]["latency"]["threads"] == 1 and models[name]["latency"]["median_ms"] > 0
        assert models[name]["peak_memory"] > 0 and models[name]["file_size"] > 0
        assert models[name]["ratios"]["median_ms"] > 0
    assert {models[name]["parameters"] for name in ("run", "file.weights.h5", "file.keras", "saved")} == {2036}


def test_files_of_a_comparison(compared, place):
    names = {path.name for path in (place / "results").iterdir()}
    assert names == {
        *("report.json", "report.md", "report.csv", "pictures.csv", "comparison.png"),
        *("quality_vs_latency.png", "quality_vs_latency.svg"),
    }
    with (place / "results/pictures.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(KINDS) * 3 and {row["picture"] for row in rows} == {"a", "b", "c"}
    assert all(f"\n{name} " in compared.stdout for name in KINDS)


def test_the_run_folder_gets_it_in_tensorboard(compared, place):
    found = {}
    for file in (place / "run" / "logs").glob("events*"):
        for record in tf.compat.v1.train.summary_iterator(str(file)):
            for value in record.summary.value:
                found[value.tag] = (record.step, value.tensor)
    report = json.loads((place / "results/report.json").read_text())
    step, tensor = found["evaluation/Two/psnr"]
    assert step == 34
    assert tf.make_ndarray(tensor) == pytest.approx(report["models"]["run"]["benchmarks"]["Two"]["psnr"], abs=1e-4)
    assert {"evaluation", "evaluation/comparison", "evaluation/quality_vs_latency"} <= set(found)


def test_what_is_wrong_gets_a_line_each_and_the_others_finish(place):
    (place / "broken.tflite").write_bytes(b"no flatbuffer")
    save_weights(build_generator("compact_xs", scale=2), place / "twice.weights.h5")
    (place / "empty").mkdir()
    (place / "small" / "Two").mkdir(parents=True)
    for name in "ab":
        Image.new("RGB", (64, 48)).save(place / "small" / "Two" / f"{name}.png")
    models = ["bicubic", "broken.tflite", "twice.weights.h5", "empty", "small", "none.keras", "file.weights.h5"]
    benchmarks = "Two:pictures/Two,Nothing:empty,Missing:nowhere"
    done = evaluate(
        place, f"--models={','.join(models)}", f"--benchmarks={benchmarks}", "--output=wrong", "--repetitions=0"
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    report = json.loads((place / "wrong/report.json").read_text())
    assert [name for name, figures in report["models"].items() if figures["benchmarks"]] == [
        "bicubic",
        "file.weights.h5",
    ]
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    expected = {
        "broken.tflite: not a usable .tflite file",
        "twice.weights.h5: upscales by 2, and is compared at 4",
        "empty: holds no pictures",
        "small: on Two, a: sizes differ: 64x48 against an original of 128x96",
        "none.keras: no such file",
        "Nothing: left out: holds no pictures",
        "Missing: left out: nowhere: no such folder",
    }
    assert len(lines) == len(expected) == len(report["failures"])
    for start in expected:
        assert sum(line.startswith(f"error: {start}") for line in lines) == 1, start


def test_gates(place):
    words = ["--models=bicubic,other=others,student=file.weights.h5", "--benchmarks=Two:pictures/Two", "--output=gates"]
    words += ["--repetitions=0", "--baseline=other"]
    missed = evaluate(place, *words, "--max_drop=0.01", "--min_psnr=Two:1")
    assert missed.returncode == 3
    assert "gate missed: student: " in missed.stderr and missed.stderr.count("gate missed") == 1


def test_an_output_that_cannot_be_written_is_said_before_the_work(place):
    done = evaluate(place, "--models=bicubic", "--benchmarks=Two:pictures/Two", "--output=file.keras/results")
    assert done.returncode == 1 and done.stdout == ""
    assert "evaluate.py: --output=file.keras/results: cannot be written: not a directory" in done.stderr


def test_one_black_image_is_left_out_and_named(place):
    shutil.copytree(place / "pictures/Two", place / "black")
    Image.new("RGB", SIZE[::-1]).save(place / "black/night.png")
    words = ["--models=bicubic,file.weights.h5", "--repetitions=0", "--output=exact"]
    done = evaluate(place, *words, "--benchmarks=Two:black", "--min_psnr=90")
    assert done.returncode == 3, done.stderr  # an infinite mean would pass the gate
    report = json.loads((place / "exact/report.json").read_text())
    for model in report["models"].values():
        figures = model["benchmarks"]["Two"]
        for figure in ("psnr", "ssim", "lr_psnr"):
            ours = [image[figure] for image in figures["pictures"] if image["picture"] != "night"]
            assert len(ours) == 2 and figures[figure] == pytest.approx(np.mean(ours))
    assert report["left_out"] == {"psnr": {"Two": ["night"]}}
    assert "because one is exact there: Two: night" in done.stdout


@pytest.mark.slow
def test_tiles(place):
    """Of 96x128 pixels six tiles of 40; what another upscaler made of the whole is cut at the same
    places.
    """
    words = ["--models=bicubic,other=others,student=file.weights.h5", "--benchmarks=Two:pictures/Two,One:pictures/One"]
    words += ["--repetitions=0", "--baseline=bicubic", "--output=tiles", "--tiles=40", "--rgb"]
    done = evaluate(place, *words)
    assert done.returncode == 0, done.stderr
    report = json.loads((place / "tiles/report.json").read_text())
    assert report["protocol"].endswith("8-bit output, tiles of 40x40")
    with (place / "tiles/pictures.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 3 * 6 and rows[0]["picture"] == "a@0,0"
    hr = {name: np.asarray(Image.open(place / f"pictures/Two/{name}.png")) for name in "ab"}
    for row in rows:
        if row["benchmark"] == "Two" and row["model"] != "student":
            name, corner = row["picture"].split("@")
            left, top = map(int, corner.split(","))
            cut = np.s_[top : top + 40, left : left + 40]
            sr = upscale(downscale(hr[name][cut], 4), 4)
            if row["model"] == "other":
                sr = np.asarray(Image.open(place / f"others/Two/{name}_x4.png"))[cut]
            assert float(row["psnr"]) == pytest.approx(psnr(hr[name][cut], sr, border=4))
            assert float(row["psnr_rgb"]) == pytest.approx(psnr(hr[name][cut], sr, border=4, channel="rgb"))
            assert float(row["grid"]) == pytest.approx(grid(hr[name][cut], sr, scale=4))
    for measure in ("psnr", "psnr_rgb", "grid"):
        mean = {
            name: np.mean([float(row[measure]) for row in rows if row["model"] == name])
            for name in ("bicubic", "student")
        }
        found = report["models"]["student"]["differences"]["all benchmarks"][measure]
        assert found["mean"] == pytest.approx(mean["student"] - mean["bicubic"]) and found["tiles"] == 18
        assert found["low"] < found["mean"] < found["high"]
    assert "less bicubic" in done.stdout and "less bicubic" in (place / "tiles/report.md").read_text()
    refused = evaluate(place, *words[:2], "--tiles=42")
    assert refused.returncode == 1 and "--tiles=42: has to be a multiple of --scale=4" in refused.stderr


def student_run(place, name, method, seed, **changes):
    folder = place / name
    folder.mkdir()
    keras.utils.set_random_seed(seed + 10 * len(method))
    save_weights(build_generator("compact_xs", depth=1, width=4), folder / "student.weights.h5")
    config = {
        "student": "compact_xs",
        "batch_size": "16",
        "patch_size": "24",
        "learning_rate": "0.0005",
        "seed": str(seed),
    }
    (folder / "config.txt").write_text("".join(f"--{key}={value}\n" for key, value in {**config, **changes}.items()))
    teacher = None if method == "alone" else str(place / "file.weights.h5")
    report = {"method": method, "seed": seed, "teacher": teacher, "parameters": 2036, "phases": [{"steps": 100}]}
    (folder / "report.json").write_text(json.dumps(report))
    return name


@pytest.mark.slow
def test_ledger(place):
    runs = [student_run(place, f"{method}{seed}", method, seed) for method in ("alone", "g2g") for seed in (0, 1)]
    done = evaluate(place, "--ledger", *runs, "--benchmarks=Two:pictures/Two,One:pictures/One", "--output=ledger")
    assert done.returncode == 0, done.stderr
    ledger = json.loads((place / "ledger/ledger.json").read_text())
    with (place / "ledger/pictures.csv").open() as file:
        psnr = {(row["model"], row["picture"]): float(row["psnr"]) for row in csv.DictReader(file)}
    for gain in ledger["gains"]:
        pictures = {"Two": "ab", "One": "c"}[gain["benchmark"]]
        values = {m: [psnr[f"{m}{seed}", p] for seed in (0, 1) for p in pictures] for m in ("alone", gain["method"])}
        expected = np.mean(values[gain["method"]]) - np.mean(values["alone"])
        assert gain["gain"] == pytest.approx(expected) and gain["low"] <= gain["gain"] <= gain["high"]
        gap = np.mean([psnr["teacher", p] for p in pictures]) - np.mean(values["alone"])
        if gain["method"] == "g2g" and gap > 0:
            assert gain["share"] == pytest.approx(expected / gap)
    assert [gain["method"] for gain in ledger["gains"]] == ["alone", "alone", "g2g", "g2g"]
    assert "95 % interval" in (place / "ledger/ledger.md").read_text() and "2 seed(s)" in done.stdout
    assert {gain["measure"] for gain in ledger["gains"]} == {"psnr"}  # no --lpips_weights
    cached = student_run(place, "cached", "g2g", 0, cache_teacher="true", self_ensemble="true")
    done = evaluate(place, "--ledger", "alone0", "g2g0", cached, "--benchmarks=One:pictures/One", "--output=ledger2")
    assert "g2g, cached ensemble" in done.stdout, done.stderr
    student_run(place, "g2g_other", "g2g_al", 0, batch_size="32")
    refused = evaluate(place, "--ledger", "alone0", "g2g_other", "--benchmarks=Two:pictures/Two")
    assert refused.returncode == 1 and "batch_size differs: 16 in alone0, 32 in g2g_other" in refused.stderr


@pytest.mark.slow
def test_interpolation(place):
    keras.utils.set_random_seed(8)
    save_weights(build_generator("compact_xs", depth=1, width=4), place / "second.weights.h5")
    words = ["--benchmarks=Two:pictures/Two", "--output=between"]
    done = evaluate(place, "--interpolate=file.weights.h5,second.weights.h5", "--alphas=0,0.25,1", *words)
    assert done.returncode == 0, done.stderr
    rows = json.loads((place / "between/interpolation.json").read_text())["rows"]
    assert [row["alpha"] for row in rows] == [0, 0.25, 1]
    middle = build_generator("compact_xs", depth=1, width=4)
    ends = [load_generator(place / name).get_weights() for name in ("file.weights.h5", "second.weights.h5")]
    middle.set_weights([0.75 * a + 0.25 * b for a, b in zip(*ends, strict=True)])
    for row, model in zip(rows, (ends[0], middle.get_weights(), ends[1]), strict=True):
        middle.set_weights(model)
        upscaler = Upscaler(middle)
        expected = np.mean(
            [psnr(p.hr, upscaler.upscale(p.lr), border=4) for p in FolderPairs(place / "pictures/Two", scale=4)]
        )
        assert row["Two_psnr"] == pytest.approx(expected, abs=1e-3)
    assert {path.suffix for path in (place / "between").iterdir()} == {".json", ".md", ".csv", ".png", ".svg"}
