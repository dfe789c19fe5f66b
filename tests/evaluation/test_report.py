import csv
import json
import math

import pytest

from errors import UserError
from evaluation.candidates import BicubicEngine, Candidate
from evaluation.latency import Latency
from evaluation.report import markdown_table, protocol_line, text_table
from evaluation.report_files import check_writable, write_report
from evaluation.results import BenchmarkScore, Evaluation, ModelResult, PictureScore

PROTOCOL = "PSNR/SSIM on Y (BT.601, 16-235), 4 px border, MATLAB bicubic x4, 8-bit output"


@pytest.fixture
def evaluation():
    bicubic = ModelResult(Candidate("bicubic", BicubicEngine(4)), {"Set5": scores((28.0, 0.81), (29.0, 0.82))})
    student = ModelResult(
        Candidate(
            "student", None, parameters=88752, file_size=361_400, path="runs/a/student.tflite", multiply_adds=5.09e9
        ),
        {"Set5": scores((31.0, 0.87), (31.5, 0.88))},
        {"white": 2, "grey": 1, "black": 0},
        Latency(27.34, 29.05, 20, 180, 320, 2),
        peak_memory=41_300_000,
    )
    broken = ModelResult(Candidate("broken"), failure="no such file")
    models = {"bicubic": bicubic, "student": student, "broken": broken}
    return Evaluation(4, 4, "y", models, ["Set5"], ["broken: no such file"])


def scores(*figures):
    return BenchmarkScore(
        [PictureScore(str(i), psnr, ssim, [0.5, 0.0, -0.25], 40.0) for i, (psnr, ssim) in enumerate(figures)]
    )


def test_text_table_by_hand(evaluation):
    lines = text_table(evaluation).split("\n")
    assert lines[:5] == [
        "model    parameters  mult-adds    file            Set5  LR-PSNR  colour shift   flat    ms   p90  peak memory",
        "-------  ----------  ---------  ------  --------------  -------  ------------  -----  ----  ----  -----------",
        "bicubic           -          -       -  28.50 / 0.8150    40.00          0.50      -     -     -            -",
        "student      88,752     5.09 G  361 kB  31.25 / 0.8750    40.00          0.50  2/1/0  27.3  29.1        41 MB",
        "broken            -          -       -               -        -             -      -     -     -            -",
    ]
    assert PROTOCOL in lines
    assert "ms: 320x180 to 1280x720, 2 threads, median and 90th percentile of 20 interleaved repetitions" in lines
    assert any(line.startswith("no LPIPS: --lpips_weights=FILE.npz") for line in lines)
    assert not any("failed" in line for line in lines)  # logged when it happened


def test_markdown_table(evaluation):
    lines = markdown_table(evaluation).split("\n")
    assert lines[-1] == "failed: broken: no such file  "
    assert (
        lines[0]
        == "| model | parameters | mult-adds | file | Set5 | LR-PSNR | colour shift | flat | ms | p90 | peak memory |"
    )
    assert lines[1] == "| :-- |" + " --: |" * 10
    assert (
        lines[3]
        == "| student | 88,752 | 5.09 G | 361 kB | 31.25 / 0.8750 | 40.00 | 0.50 | 2/1/0 | 27.3 | 29.1 | 41 MB |"
    )
    assert f"{PROTOCOL}  " in lines


def test_lpips_is_the_third_figure(evaluation):
    for picture, lpips in zip(evaluation.models["student"].benchmarks["Set5"].pictures, (0.2, 0.3), strict=True):
        picture.lpips = lpips
    assert "31.25 / 0.8750 / 0.2500" in text_table(evaluation) and "no LPIPS" not in text_table(evaluation)


def test_ratios_to_the_baseline(evaluation):
    slower = Candidate("slower", None, parameters=177_504, file_size=180_700)
    evaluation.models["slower"] = ModelResult(slower, latency=Latency(54.68, 60.0, 20, 180, 320, 2))
    evaluation.baseline = "student"
    assert evaluation.ratios("slower") == {
        "parameters": 2, "multiply_adds": None, "file_size": 0.5, "peak_memory": None, "median_ms": 2,
    }  # fmt: skip
    table = text_table(evaluation)
    assert "177,504 (2x)" in table and "54.7 (2x)" in table and "(x): as a ratio to student" in table


def test_columns_without_a_figure_are_left_out(evaluation):
    del evaluation.models["student"]
    assert text_table(evaluation).split("\n")[0].split() == ["model", "Set5", "LR-PSNR", "colour", "shift"]


def test_protocol_follows_the_evaluation():
    evaluation = Evaluation(2, 0, "rgb", {})
    assert protocol_line(evaluation) == "PSNR/SSIM on RGB, 0 px border, MATLAB bicubic x2, 8-bit output"
    evaluation.degradation = "files of small/ x2"
    assert protocol_line(evaluation) == "PSNR/SSIM on RGB, 0 px border, files of small/ x2, 8-bit output"


def test_json_holds_every_picture(evaluation, tmp_path):
    evaluation.models["bicubic"].benchmarks["Set5"].pictures[1].psnr = math.inf
    write_report(tmp_path / "new", evaluation, command="evaluate.py", commit="abc")
    report = json.loads((tmp_path / "new" / "report.json").read_text())
    assert (report["protocol"], report["command"], report["commit"]) == (PROTOCOL, "evaluate.py", "abc")
    student = report["models"]["student"]
    assert student["benchmarks"]["Set5"]["psnr"] == 31.25 and student["latency"]["median_ms"] == 27.34
    assert [picture["psnr"] for picture in student["benchmarks"]["Set5"]["pictures"]] == [31.0, 31.5]
    assert (student["flat_errors"]["white"], student["peak_memory"], student["multiply_adds"]) == (
        2,
        41_300_000,
        5.09e9,
    )
    assert report["models"]["bicubic"]["benchmarks"]["Set5"]["pictures"][1]["psnr"] is None
    assert report["models"]["broken"]["failure"] == "no such file" and report["failures"] == ["broken: no such file"]
    assert (tmp_path / "new" / "report.md").read_text() == markdown_table(evaluation) + "\n"


def test_csv_for_spreadsheets(evaluation, tmp_path):
    evaluation.baseline = "student"
    write_report(tmp_path, evaluation)
    bicubic, student, broken = csv.DictReader((tmp_path / "report.csv").open())
    assert (student["model"], student["Set5_psnr"], student["median_ms"], student["white_error"]) == (
        "student",
        "31.25",
        "27.34",
        "2",
    )
    assert (bicubic["Set5_ssim"], bicubic["median_ms"], student["median_ms_ratio"]) == (
        str((0.81 + 0.82) / 2),
        "",
        "1.0",
    )
    assert (broken["Set5_psnr"], broken["failure"]) == ("", "no such file")
    rows = list(csv.DictReader((tmp_path / "pictures.csv").open()))
    assert [(row["model"], row["picture"], row["psnr"]) for row in rows] == [
        ("bicubic", "0", "28.0"), ("bicubic", "1", "29.0"), ("student", "0", "31.0"), ("student", "1", "31.5"),
    ]  # fmt: skip


def test_report_that_cannot_be_written(evaluation, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="report.json: cannot be written"):
        write_report(tmp_path / "file", evaluation)


def test_a_runs_folder_is_no_place_for_a_report(tmp_path):
    """Its own report.json would be lost."""
    (tmp_path / "config.txt").write_text("--seed=1\n")
    with pytest.raises(UserError, match="a training run, which has a report.json of its own; choose another folder"):
        check_writable(tmp_path)
    check_writable(tmp_path / "evaluation")
