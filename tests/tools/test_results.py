"""What README says of the networks is what was measured."""

import copy
import json

import pytest

from errors import UserError
from tools.results import DEGRADED, REPORT, ROOT, choices_of, degraded_table_of, replace


@pytest.fixture
def report():
    return json.loads(REPORT.read_text())


@pytest.fixture
def degraded():
    return json.loads(DEGRADED.read_text())


def test_readme_and_report_agree(report, degraded):
    readme = (ROOT / "README.md").read_text()
    for line in choices_of(report, degraded):
        assert line in readme
    for line in degraded_table_of(degraded):
        assert line in (ROOT / "weights/README.md").read_text()
    assert report["machine"] in readme and report["day"] in readme


def test_a_row_holds_the_figures_of_its_network(report, degraded):
    model = copy.deepcopy(report["models"]["compact_s"])
    model["benchmarks"]["Set5"]["psnr"], model["benchmarks"]["Set14"]["psnr"] = 31.254, 28.006
    model["benchmarks"]["Set14"]["lpips"], model["file_size"], model["latency"]["median_ms"] = 0.2424, 410_188, 68.2
    changed = {**report, "models": {**report["models"], "compact_s": model}}
    lossy = copy.deepcopy(degraded)
    lossy["models"]["compact_s"]["benchmarks"]["Set14 jpeg:50"]["psnr"] = 24.704
    (row,) = [line for line in choices_of(changed, lossy) if "`compact_s`" in line]
    cells = [cell.strip() for cell in row.split("|")[3:-1]]
    assert cells == ["31.25 / 28.01 dB", "24.70 dB", "0.242", "410 kB", "68"]


def test_a_network_that_was_not_measured_is_named(report, degraded):
    del report["models"]["compact_xs.int8"]
    with pytest.raises(UserError, match="lacks compact_xs.int8"):
        choices_of(report, degraded)


def test_only_what_stands_between_the_marks_is_replaced(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- make results: begin -->\nold\n<!-- make results: end -->\nb\n")
    replace(page, "results", "new")
    assert page.read_text() == "a\n<!-- make results: begin -->\nnew\n<!-- make results: end -->\nb\n"
    with pytest.raises(UserError, match="the place of the table"):
        replace(page, "ledger", "new")
