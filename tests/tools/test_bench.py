"""The bench, on as little as it takes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_figures_and_table(tmp_path):
    words = ["--turns=1", "--updates=1", "--batch_size=1", "--patch_size=8", f"--cache_dir={tmp_path}/cache"]
    command = [sys.executable, "-m", "tools.bench", *words, f"--output={tmp_path}/figures.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    rows = figures["rows"]
    assert {"the loop", "bare step", "update without a teacher", "g2g from the cache", "g2g, live teacher"} <= set(rows)
    assert rows["bare step"]["ratio"] == 1 and figures["batch"] == [1, 8]
    assert rows["g2g, live teacher"]["ratio"] > rows["g2g from the cache"]["ratio"]  # srresnet beside compact_s
    assert all(0 <= share <= 1 for share in figures["data_wait"].values()) and figures["seconds_to_first_step"] > 0
    assert f"| bare step | {1000 * rows['bare step']['seconds']:.0f} | 1.000 |" in done.stdout.splitlines()
