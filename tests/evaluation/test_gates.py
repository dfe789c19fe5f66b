import math

import pytest

from errors import UserError
from evaluation.candidates import BicubicEngine, Candidate
from evaluation.gates import asked_gates, missed
from evaluation.latency import Latency
from evaluation.results import BenchmarkScore, Evaluation, ModelResult, PictureScore
from settings.evaluation import Evaluate


def result(name, psnr, milliseconds, engine=None):
    score = BenchmarkScore([PictureScore("p", psnr, 0.8, [0.0] * 3, 40.0)])
    latency = Latency(milliseconds, milliseconds, 5, 10, 10) if milliseconds else None
    return ModelResult(Candidate(name, engine), {"Set5": score}, latency=latency)


@pytest.fixture
def evaluation():
    models = {
        "bicubic": result("bicubic", 28.4, 1.0, BicubicEngine(4)),
        "before": result("before", 31.0, 20.0),
        "now": result("now", 30.9, 25.0),
    }
    return Evaluation(4, 4, "y", models, ["Set5"], baseline="before")


def test_what_is_met_says_nothing(evaluation):
    assert missed(evaluation, min_psnr={"Set5": 30.9}, max_drop=0.11, max_ms_ratio=1.25) == []


def test_what_is_missed_is_named(evaluation):
    assert missed(evaluation, min_psnr={"Set5": 30.95}, max_drop=0.05, max_ms_ratio=1.2) == [
        "now: 30.90 dB on Set5, --min_psnr is 30.95",
        "now: 0.10 dB below before on Set5, --max_drop is 0.05",
        "now: 1.25 times the time of before, --max_ms_ratio is 1.2",
    ]


def test_figures_that_are_missing_miss_their_gates(evaluation):
    evaluation.models["now"].latency = None
    evaluation.models["before"].benchmarks.clear()
    lines = missed(evaluation, min_psnr={"Set14": 20}, max_drop=1, max_ms_ratio=9)
    assert [line.split(",")[0] for line in lines] == [
        "now: no figure on Set14",
        "now: before has no figures to compare with",
        "now: no time",
    ]


def test_nan_passes_no_gate(evaluation):
    """Neither as a figure nor as a gate."""
    for gates in ({"min_psnr": {"Set5": math.nan}}, {"max_drop": math.nan}, {"max_ms_ratio": math.nan}):
        assert [line.split(":")[0] for line in missed(evaluation, **gates)] == ["now"]
    evaluation.models["now"] = result("now", math.nan, math.nan)
    assert len(missed(evaluation, min_psnr={"Set5": 1.0}, max_drop=99.0, max_ms_ratio=99.0)) == 3


def test_two_exact_models_are_no_drop(evaluation):
    evaluation.models |= {"before": result("before", math.inf, 1), "now": result("now", math.inf, 1)}
    assert missed(evaluation, max_drop=0.0) == []


@pytest.mark.parametrize("word", ["nan", "inf", "Set5:nan", "x", "Set5:"])
def test_a_gate_that_is_no_number_is_refused(word):
    with pytest.raises(UserError, match="is no number of dB"):
        asked_gates(Evaluate().with_values(min_psnr=(word,)), ["now"], ["Set5"])
