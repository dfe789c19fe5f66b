import json

import numpy as np
import pytest

from errors import UserError
from evaluation.ledger import Run, differences, gains, read_run, table
from evaluation.results import paired_interval
from settings.fields import names_where
from settings.transfer import TRAINING_GROUPS


def run(method, seed=0, **equal):
    return Run(f"runs/{method}-{seed}", method, seed, {"batch_size": "16", "updates in all phases": 100} | equal)


def test_a_report_of_another_kind_is_one_line(tmp_path):
    (tmp_path / "config.txt").write_text("--seed=1\n")
    report = {"phases": [{"phase": "pixel", "steps": 2, "metrics": {}}], "method": None, "seed": 3, "command": "x"}
    for change in ({}, {"method": "g2g", "seed": None}):
        (tmp_path / "report.json").write_text(json.dumps(report | change))
        with pytest.raises(UserError, match="its report.json does not describe a student's run"):
            read_run(tmp_path)


def test_equal_runs_form_a_ledger():
    assert differences([run("alone", 0), run("alone", 1), run("g2g", 1), run("g2g", 0)]) == []


def test_what_is_not_equal_is_named():
    runs = [run("alone"), run("g2g", batch_size="32"), run("g2g_al", **{"updates in all phases": 120})]
    assert differences(runs) == [
        "batch_size differs: 16 in runs/alone-0, 32 in runs/g2g-0",
        "updates in all phases differs: 100 in runs/alone-0, 120 in runs/g2g_al-0",
    ]
    lacking = run("g2g")
    del lacking.equal["batch_size"]
    assert differences([run("alone"), lacking]) == ["batch_size differs: 16 in runs/alone-0, None in runs/g2g-0"]


def test_settings_that_have_to_be_equal():
    """What a student is, and how long and on what it was trained; not where it lies, how it is
    watched, or who taught it.
    """
    names = names_where(*TRAINING_GROUPS, equal=True)
    assert {"student", "depth", "width", "expansion", "tail", "init", "scale", "precision"} <= names
    assert {"dataset", "hr_dir", "lr_dir", "valid_dir", "degradation", "degradation_seed"} <= names
    assert {"batch_size", "patch_size", "detail", "optimizer", "learning_rate", "schedule", "ema_decay"} <= names
    assert {"decay_steps", "warmup_steps", "clip_norm"} <= names
    assert not names & {"method", "teacher", "kd_weight", "cache_teacher", "seed", "run_dir", "log_every", "data_dir"}


def test_seeds_and_methods_have_to_match():
    assert differences([run("alone", 0), run("alone", 1), run("g2g", 0)]) == ["seeds differ: 0, 1 of alone, 0 of g2g"]
    assert "two runs of g2g have seed 0" in differences([run("alone"), run("g2g"), run("g2g")])[0]
    assert "no run was trained without a teacher (g2g)" in differences([run("g2g")])[0]
    assert "all runs were trained without a teacher" in differences([run("alone")])[0]


def test_gains_by_hand():
    """Two seeds, three pictures: +0.1 and +0.3 dB on every image; half a dB to the teacher."""
    alone = np.array([[30.0, 31.0, 32.0], [30.1, 31.1, 32.1]])
    key = ("Set5", "psnr")
    scores = {"alone": {key: alone}, "g2g": {key: alone + [[0.1], [0.3]]}}
    itself, gain = gains(scores, teacher={key: np.array([30.55, 31.55, 32.55])})
    assert (itself.gain, itself.share) == (0, None)
    assert gain.gain == pytest.approx(0.2) and gain.share == pytest.approx(0.4)
    assert (gain.seeds, gain.pictures) == (2, 3)
    assert gain.low == pytest.approx(0.1) and gain.high == pytest.approx(0.3)  # both seeds the same: one case in four
    assert table([itself, gain])[1][1] == [
        "g2g",
        "Set5",
        "2",
        "3",
        "PSNR",
        "31.250",
        "+0.200",
        "+0.100 to +0.300",
        "40%",
    ]


def test_less_lpips_is_a_gain():
    key = ("Set5", "lpips")
    scores = {"alone": {key: np.array([[0.25, 0.35]])}, "gan2g": {key: np.array([[0.20, 0.30]])}}
    itself, gain = gains(scores, teacher={key: np.array([0.15, 0.25])})
    assert gain.gain == gain.low == gain.high == pytest.approx(0.05) and gain.share == pytest.approx(0.5)
    row = table([itself, gain])[1][1]
    assert row == ["gan2g", "Set5", "1", "2", "LPIPS", "0.2500", "+0.0500", "+0.0500 to +0.0500", "50%"]


def test_no_gap_no_share():
    key = ("Set5", "psnr")
    scores = {"alone": {key: np.full((1, 2), 30.0)}, "g2g": {key: np.full((1, 2), 30.1)}}
    assert gains(scores)[1].share is None
    assert gains(scores, teacher={key: np.full(2, 29.0)})[1].share is None  # a teacher that is worse


def test_interval_against_the_exact_distribution():
    """Two images, one seed: the mean of two draws is 0, 1/2 or 1 with probability 1/4, 1/2, 1/4."""
    assert paired_interval(np.array([[0.0, 1.0]])) == (0.0, 1.0)
    assert paired_interval(np.array([[0.0, 1.0]]), level=0.4) == (0.5, 0.5)


def test_interval_covers_as_often_as_it_says():
    """Gains with an effect of seed and of image; the true mean is 0.

    Near 95 % with many of both.
    """
    random = np.random.default_rng(1)
    inside = 0
    for trial in range(200):
        sample = random.normal(size=(20, 1)) + random.normal(size=(1, 20)) + random.normal(size=(20, 20))
        low, high = paired_interval(sample, draws=500, seed=trial)
        inside += low <= 0 <= high
    assert 180 <= inside <= 199


def test_seeds_widen_the_interval():
    random = np.random.default_rng(0)
    pictures = np.repeat(random.normal(0.1, 0.02, (1, 14)), 3, axis=0)
    calm = paired_interval(pictures)
    restless = paired_interval(pictures + [[-0.1], [0.0], [0.1]])
    assert restless[1] - restless[0] > 3 * (calm[1] - calm[0])
