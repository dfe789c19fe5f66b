"""Imports point down only, and what the flags offer is what the code holds."""

import ast
from pathlib import Path

import pytest

from cli import flags as common
from cli import training_flags
from data import DATASETS, DEGRADATIONS
from export import QUANTIZATIONS
from losses.adversarial import ADVERSARIAL_LOSSES
from losses.perceptual import LAYERS
from losses.pixel import PIXEL_LOSSES
from models import DISCRIMINATORS, GENERATORS
from models.compact import TAILS
from training.distribution import STRATEGIES
from training.optimizers import OPTIMIZERS, SCHEDULES
from transfer.command import METHOD_NAMES
from transfer.methods import METHODS

ROOT = Path(__file__).parent.parent
COMMANDS = ["train_teacher", "train_student", "distill", "export_tflite", "evaluate", "upscale"]
MAY_IMPORT = {
    "models": set(),
    "losses": set(),
    "data": set(),
    "weights": set(),
    "training": {"losses"},
    "inference": {"models", "data", "weights"},
    "evaluation": {"models", "data", "inference"},
    "export": {"models", "data", "inference", "evaluation"},
    "web": {"inference", "cli"},
    "cli": {"models", "losses", "data", "weights", "training", "evaluation", "inference", "export"},
    "release": {"models", "weights", "data", "training", "evaluation", "inference", "cli", "export"},
    "transfer": {"models", "losses", "data", "weights", "training", "evaluation", "inference", "cli", "export"},
}
BENCH = ROOT / "training/bench.py"  # a command, beside what it measures


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def files_of(package):
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_down(package):
    ours = {*MAY_IMPORT, *COMMANDS}
    assert files_of(package)
    for path in files_of(package):
        for name in imported(path):
            top = name.partition(".")[0]
            allowed = MAY_IMPORT[package] | {package} if path != BENCH else set(MAY_IMPORT)
            assert top not in ours - allowed, f"{path} imports {name}"


@pytest.mark.parametrize("package", ["models", "losses"])
def test_networks_and_losses_import_keras_only(package):
    for path in files_of(package):
        if path.name != "quantized.py":  # fake quantisation is TensorFlow's own
            assert not [name for name in imported(path) if name.partition(".")[0] == "tensorflow"], path


def test_no_private_tensorflow():
    for path in (path for package in MAY_IMPORT for path in files_of(package)):
        assert not [name for name in imported(path) if name.startswith(("tensorflow.python", "keras.src"))], path


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_do_not_import_commands(command):
    assert not set(COMMANDS) & {name.partition(".")[0] for name in imported(ROOT / f"{command}.py")}


def test_flags_are_read_in_commands_and_cli_only():
    for package in set(MAY_IMPORT) - {"cli", "transfer", "release", "web"}:
        for path in set(files_of(package)) - {BENCH}:
            assert "absl.flags" not in path.read_text() and "import flags" not in path.read_text(), path


def test_flag_choices_are_what_the_code_holds():
    assert list(GENERATORS) == common.GENERATOR_NAMES
    assert list(DISCRIMINATORS) == training_flags.DISCRIMINATOR_NAMES
    assert list(DATASETS) == common.DATASET_NAMES == list(common.DATASET_FLAGS)
    assert list(DEGRADATIONS) == common.DEGRADATION_NAMES
    assert list(METHODS) == METHOD_NAMES
    assert list(PIXEL_LOSSES) == training_flags.PIXEL_LOSS_NAMES
    assert list(ADVERSARIAL_LOSSES) == training_flags.ADVERSARIAL_LOSS_NAMES
    assert list(TAILS) == common.TAIL_NAMES
    assert list(QUANTIZATIONS) == common.QUANTIZATION_NAMES
    assert list(STRATEGIES) == training_flags.STRATEGY_NAMES
    assert list(SCHEDULES) == training_flags.SCHEDULE_NAMES
    assert list(OPTIMIZERS) == training_flags.OPTIMIZER_NAMES


def test_vgg19_layers_are_all_sixteen():
    assert len(LAYERS) == 16
