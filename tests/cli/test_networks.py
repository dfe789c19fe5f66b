"""From the flags to the network that is trained; in one process for all cases, as flags are global."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import models

ROOT = Path(__file__).parent.parent.parent
PROGRAM = """
import json, sys
import numpy as np
from absl import flags
from cli import flags as ours, training
from errors import UserError
ours.define_network("student", default="compact_s")
flags.DEFINE_integer("scale", 4, "")
image = np.random.default_rng(0).random((1, 5, 6, 3), np.float32)
answers = []
for words in json.load(sys.stdin):
    flags.FLAGS.unparse_flags()
    flags.FLAGS(["test", *words])
    try:
        model = training.new_generator(flags.FLAGS.student)
        answers.append([model.get_config(), np.asarray(model(image)).tolist()])
    except UserError as error:
        answers.append(str(error))
print(json.dumps(answers))
"""
SIZES = ["--width=8", "--scale=2", "--tail=luma"]


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A trained student, as far as anyone can tell, and its file."""
    model = models.build_generator("compact_s", depth=3, width=8, scale=2, tail="luma")
    chance = np.random.default_rng(1)
    model.set_weights([weight + chance.normal(0, 0.1, weight.shape) for weight in model.get_weights()])
    path = tmp_path_factory.mktemp("begun") / "student.weights.h5"
    models.save_weights(model, path)
    return model, path


@pytest.fixture(scope="module")
def answers(begun):
    cases = [
        [*SIZES, "--depth=6", "--residual=2"],
        [*SIZES, "--depth=7", "--residual=2", f"--init={begun[1]}"],
        [*SIZES, "--depth=3", "--residual=2"],
        ["--student=edsr_8x64", "--residual=2"],
    ]
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        command, input=json.dumps(cases), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_form_is_what_the_flags_say(answers):
    sizes = {"depth": 6, "width": 8, "scale": 2, "expansion": 0, "tail": "luma", "residual": 2}
    assert answers[0][0] == sizes


def test_a_student_with_blocks_begins_where_a_plain_one_stands(answers, begun):
    image = np.random.default_rng(0).random((1, 5, 6, 3), np.float32)
    assert answers[1][0]["residual"] == 2
    np.testing.assert_allclose(answers[1][1], begun[0](image), atol=1e-5)


def test_a_form_that_there_is_not_is_refused(answers):
    assert "a depth of 3 has room for 0 to 1 residual blocks" in answers[2]
    assert "generator edsr_8x64" in answers[3] and "residual" in answers[3]
