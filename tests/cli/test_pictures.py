"""From the flags about pictures to a data source; in one process of its own for all cases, as flags are global."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent.parent
PROGRAM = """
import json, sys
from pathlib import Path
from absl import flags
from cli import flags as common
from cli.pictures import adopt, open_source
from errors import UserError
common.define_pictures()
answers = []
for words in json.load(sys.stdin):
    flags.FLAGS.unparse_flags()
    run = [word.removeprefix("run=") for word in words if word.startswith("run=")]
    flags.FLAGS(["test", *(word for word in words if not word.startswith("run="))])
    try:
        if run:
            adopt(Path(run[0]))
        answers.append(open_source("validation").description)
    except UserError as error:
        answers.append(f"refused: {error}")
print(json.dumps(answers))
"""
CASES = {
    "folder": ["--dataset=folder", "--hr_dir=hr", "--degradation=real", "--degradation_seed=7"],
    "paired": ["--dataset=paired", "--hr_dir=hr", "--lr_dir=lr", "--scale=2"],
    "run": ["run=run"],
    "run, other pictures": ["run=run", "--dataset=sample", "--degradation=blur"],
    "no config": ["run=lr"],
    "no config, other pictures": ["run=lr", "--dataset=sample"],
    "sample x1": ["--dataset=sample", "--scale=1"],
    "faces x1": ["--dataset=celeb_a", "--scale=1", "--degradation=bicubic"],
    "blur x1": ["--dataset=sample", "--scale=1", "--degradation=blur"],
}


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """{case: what the flags open, or why they do not}."""
    root = tmp_path_factory.mktemp("pictures")
    for folder, side in (("hr", 128), ("lr", 64)):
        (root / folder).mkdir()
        for name in ("a", "b"):
            Image.new("RGB", (side, side)).save(root / folder / f"{name}.png")
    (root / "run").mkdir()
    config = "--dataset=paired\n--hr_dir=hr\n--lr_dir=lr\n--scale=2\n--degradation_seed=0\n--batch_size=3\n"
    (root / "run/config.txt").write_text(config)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(list(CASES.values())),
        cwd=root,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(CASES, json.loads(done.stdout), strict=True))


def test_flags_reach_the_data_set(described):
    assert described["folder"] == "folder hr/ (1 pictures for validation, LR: second-order x4, seed 7)"
    assert described["paired"] == "paired hr/ and lr/ (1 pairs for validation, x2)"


def test_a_run_says_which_pictures_unless_the_command_does(described):
    assert described["run"] == described["paired"]
    # A data set of this command's own leaves the run's folders alone, but keeps its scale.
    assert "LR: Gaussian blur 0.8 px, bicubic x2" in described["run, other pictures"]
    assert described["no config"].startswith("refused: lr/config.txt: no such file")
    assert "MATLAB bicubic x4" in described["no config, other pictures"]


def test_scale_1_asks_for_something_to_learn(described):
    assert described["sample x1"].startswith("refused: --scale=1: bicubic")
    assert described["faces x1"].startswith("refused: --scale=1: bicubic")
    assert "LR: Gaussian blur 0.4 px" in described["blur x1"]
