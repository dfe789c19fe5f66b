import math

import numpy as np
import pytest

from evaluation.candidates import Candidate
from evaluation.report import markdown_table, text_table
from evaluation.report_files import as_dict, write_report
from evaluation.results import BenchmarkScore, Evaluation, ModelResult, PictureScore, leave_out_exact


def score(*psnr, lr_psnr=40.0, **more):
    return BenchmarkScore(
        [PictureScore(f"p{i}", value, 0.8, [0.0] * 3, lr_psnr, **more) for i, value in enumerate(psnr)]
    )


def evaluation(**benchmark):
    models = {name: ModelResult(Candidate(name), {"Set": found}) for name, found in benchmark.items()}
    leave_out_exact(benchmark.values())
    return Evaluation(4, 4, "y", models, ["Set"])


def test_an_exact_image_is_left_out_of_every_mean_of_every_model():
    found = evaluation(a=score(30.0, math.inf, 32.0), b=score(29.0, 60.0, 30.0))
    assert found.models["a"].benchmarks["Set"].psnr == 31 and found.models["b"].benchmarks["Set"].psnr == 29.5
    assert len(found.models["b"].benchmarks["Set"].values("ssim")) == 2
    line = "left out of all means, of all models, because one is exact there: Set: p1"
    assert line in text_table(found) and line in markdown_table(found)
    assert as_dict(found)["left_out"] == {"psnr": {"Set": ["p1"]}}


def test_a_model_that_is_exact_everywhere_costs_the_others_nothing():
    found = evaluation(originals=score(math.inf, math.inf), b=score(29.0, 30.0))
    assert found.models["originals"].benchmarks["Set"].psnr == math.inf
    assert found.models["b"].benchmarks["Set"].psnr == 29.5 and found.left_out == {}
    both = evaluation(a=score(math.inf, 30.0), b=score(29.0, math.inf))  # nothing would be left
    assert both.left_out == {} and both.models["a"].benchmarks["Set"].psnr == math.inf


def test_an_exact_input_is_left_out_of_its_own_mean_only():
    exact = score(30.0, 32.0)
    exact.pictures[0].lr_psnr = math.inf
    found = evaluation(a=exact, b=score(29.0, 30.0, lr_psnr=50.0))
    a, b = (found.models[name].benchmarks["Set"] for name in "ab")
    assert (a.psnr, a.lr_psnr, b.lr_psnr) == (31, 40, 50) and len(b.values("lr_psnr")) == 1
    assert found.left_out == {"lr_psnr": {"Set": ["p0"]}}


def test_differences_to_the_baseline_are_paired():
    """+0.5 dB on every tile, however far the tiles lie apart: an interval without width."""
    psnr = np.random.default_rng(0).normal(30, 4, 50)
    found = evaluation(now=score(*(psnr + 0.5), grid=1.0, psnr_rgb=20.0), before=score(*psnr, grid=1.5, psnr_rgb=20.0))
    found.baseline = "before"
    assert found.differences("now") == {}  # whole images: as before
    found.tiles, found.rgb = 256, True
    assert found.differences("before") == {}
    differences = found.differences("now")["Set"]
    assert differences["psnr"][:3] == pytest.approx((0.5,) * 3) and differences["psnr"].tiles == 50
    assert differences["grid"][:3] == pytest.approx((-0.5,) * 3) and "lpips" not in differences
    lines = [" ".join(line.split()) for line in text_table(found).splitlines()]
    assert "now Set PSNR 50 +0.500 +0.500 to +0.500" in lines
    assert "model benchmark measure tiles less before 95 % interval" in lines


def test_interval_of_a_difference_is_that_of_its_mean():
    """Against the normal approximation: 1.96 standard errors to each side."""
    random = np.random.default_rng(1)
    psnr, gain = random.normal(30, 4, 300), random.normal(0.02, 0.1, 300)
    found = evaluation(now=score(*(psnr + gain)), before=score(*psnr))
    found.baseline, found.tiles = "before", 256
    mean, low, high, _ = found.differences("now")["Set"]["psnr"]
    assert mean == pytest.approx(gain.mean())
    assert high - low == pytest.approx(2 * 1.96 * gain.std() / 300**0.5, rel=0.05)


def test_several_benchmarks_are_pooled(tmp_path):
    found = evaluation(now=score(31.0, 31.0), before=score(30.0, 30.0))
    for name, value in (("now", 34.0), ("before", 30.0)):
        found.models[name].benchmarks["Other"] = score(value)
    found.benchmarks.append("Other")
    found.baseline, found.tiles = "before", 256
    differences = found.differences("now")
    assert [differences[name]["psnr"].mean for name in ("Set", "Other", "all benchmarks")] == [1, 4, 2]
    write_report(tmp_path, found)
    header = (tmp_path / "report.csv").read_text().splitlines()[0]
    assert header.count("all benchmarks_psnr_difference_low") == 1
    assert as_dict(found)["models"]["now"]["differences"]["all benchmarks"]["psnr"]["tiles"] == 3
