"""From the flags to the content term; in one process for all cases, as flags are global."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PROGRAM = """
import json, sys
import numpy as np
from absl import flags
from cli import training, training_flags
from errors import UserError
training_flags.define_losses(adversarial_steps=0)
flags.DEFINE_integer("patch_size", 8, "")
flags.DEFINE_integer("scale", 4, "")
hr = np.zeros((1, 32, 32, 3), "float32")
striped = hr + np.float32([[0.5], [0.25]] * 16)
answers = []
for words in json.load(sys.stdin):
    flags.FLAGS.unparse_flags()
    flags.FLAGS(["test", "--content_loss=pixel", *words])
    try:
        answers.append(float(training.content_loss()(hr, striped)))
    except UserError as error:
        answers.append(str(error))
print(json.dumps(answers))
"""
CASES = [[], ["--grid_weight=2"], ["--grid_weight=2", "--patch_size=5"]]


@pytest.fixture(scope="module")
def answers():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(CASES), cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_grid_adds_to_the_content_term(answers):
    assert answers[0] == pytest.approx(0.375)
    assert answers[1] == pytest.approx(0.375 + 2 * 0.125)  # the stripes lie 0.125 from their mean


def test_crops_smaller_than_a_place_are_refused(answers):
    assert answers[2] == "--patch_size=5: --grid_weight needs crops of 6 pixels or more"
