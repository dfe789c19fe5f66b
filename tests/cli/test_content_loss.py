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
training_flags.define_losses(adversarial_steps=0)
flags.DEFINE_integer("scale", 4, "")
hr = np.zeros((1, 32, 32, 3), "float32")
striped = hr + np.float32([[0.5], [0.25]] * 16)
from cli import flags as ours
answers = [[ours.defaults() == ours.config(), ours.defaults()["grid_weight"]]]
for words in json.load(sys.stdin):
    flags.FLAGS.unparse_flags()
    flags.FLAGS(["test", "--content_loss=pixel", *words])
    answers.append(float(training.content_loss()(hr, striped)))
print(json.dumps(answers))
"""
CASES = [[], ["--grid_weight=2"]]


@pytest.fixture(scope="module")
def answers():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(CASES), cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_defaults_are_written_as_config_writes_values(answers):
    assert answers[0] == [True, "0.0"]


def test_the_grid_adds_to_the_content_term(answers):
    assert answers[1] == pytest.approx(0.375)
    assert answers[2] == pytest.approx(0.375 + 2 * 0.125)  # the stripes lie 0.125 from their mean
