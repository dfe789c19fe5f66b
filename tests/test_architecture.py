"""Imports point down only, and what the flags offer is what the code holds."""

import ast
import graphlib
import sys
from functools import cache
from pathlib import Path

import pytest

from data import DATASETS
from losses.adversarial import ADVERSARIAL_LOSSES
from losses.pixel import PIXEL_LOSSES
from models import DISCRIMINATORS, GENERATORS
from models.compact import TAILS
from settings import losses, network, pictures, transfer
from transfer.methods import METHODS

ROOT = Path(__file__).parent.parent
COMMANDS = ("train_teacher", "train_student", "distill", "export_tflite", "evaluate", "upscale", "import_weights")
# From above to below: each imports what stands below it, nothing beside it.
LAYERS_OF_PACKAGES = [
    {"tools"},
    {"transfer", "web"},
    {"training"},
    {"export"},
    {"evaluation"},
    {"inference", "published"},
    {"models", "losses", "data", "weights"},
]
BELOW_ALL = {
    "errors": set(),
    "settings": set(),
    "records": {"errors"},
    "runs": {"errors", "records", "settings", "weights"},
    "cli": {"errors", "settings"},
}
PACKAGES = set().union(*LAYERS_OF_PACKAGES)
# Modules that `python -m` starts, and what it imports before them: these may import cli.
STARTED = {"transfer/__init__.py", "transfer/command.py", "web/build.py"} | {
    f"tools/{name}.py" for name in ("bench", "ledger", "results", "ship")
}
# Slow to load, or not on every machine: worth an import where it is used.
LATE = {
    "tensorflow",
    "tensorflow_datasets",
    "keras",
    "ai_edge_litert",
    "matplotlib",
    "tifffile",
    "imagecodecs",
    "av",
    "resource",
}


@cache
def tree(path):
    return ast.parse(path.read_text())


def imported(node, *, inside=True):
    """Modules that are imported anywhere below `node`; or, not `inside`, when the module is:
    outside of functions and TYPE_CHECKING.
    """
    for child in ast.iter_child_nodes(node):
        if not inside and isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield child.module
            yield from (name for alias in child.names if module_file(name := f"{child.module}.{alias.name}"))
        elif inside or not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from imported(child, inside=inside)


def module_file(name):
    """The file of a module of ours; None for another's."""
    path = ROOT / name.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def package_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def files_of(package):
    return sorted((ROOT / package).rglob("*.py")) or [ROOT / f"{package}.py"]


def sources():
    return [path for package in sorted({*PACKAGES, *BELOW_ALL, *COMMANDS}) for path in files_of(package)]


def ours(path):
    """The packages of ours that a file imports, its own left out."""
    known = {*PACKAGES, *BELOW_ALL, *COMMANDS}
    return {name.partition(".")[0] for name in imported(tree(path))} & known - {package_of(path)}


def may_import(package):
    if package in COMMANDS:
        return PACKAGES | set(BELOW_ALL)
    if package in BELOW_ALL:
        return BELOW_ALL[package]
    layer = next(i for i, packages in enumerate(LAYERS_OF_PACKAGES) if package in packages)
    below = set().union(*LAYERS_OF_PACKAGES[layer + 1 :], {"errors", "records", "settings"})
    return below | ({"runs"} if package not in LAYERS_OF_PACKAGES[-1] else set())


@pytest.mark.parametrize("package", sorted({*PACKAGES, *BELOW_ALL, *COMMANDS}))
def test_imports_point_down(package):
    for path in files_of(package):
        started = {"cli"} if str(path.relative_to(ROOT)) in STARTED else set()
        assert ours(path) <= may_import(package) | started, path


def test_every_package_has_its_place():
    packages = {path.parent.name for path in ROOT.glob("*/*.py")} - {"tests", "examples"}
    assert packages == PACKAGES | {"cli", "settings"}


def test_every_import_of_ours_leads_somewhere():
    for path in sources():
        names = {name for name in imported(tree(path)) if name.partition(".")[0] in PACKAGES | {"cli", "settings"}}
        assert [name for name in names if name != "web" and module_file(name) is None] == [], path


def test_no_circle_between_packages():
    graph = {package: set().union(*map(ours, files_of(package))) for package in {*PACKAGES, *BELOW_ALL, *COMMANDS}}
    assert list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError


def test_settings_import_the_standard_library_only():
    for path in files_of("settings"):
        names = {name.partition(".")[0] for name in imported(tree(path))}
        assert names - {"settings"} <= sys.stdlib_module_names, path


@pytest.mark.parametrize("package", ["models", "losses"])
def test_networks_and_losses_import_keras_only(package):
    for path in files_of(package):
        if path.name != "quantized.py":  # fake quantisation is TensorFlow's own
            assert not [name for name in imported(tree(path)) if name.partition(".")[0] == "tensorflow"], path


def test_no_private_tensorflow():
    for path in sources():
        assert not [name for name in imported(tree(path)) if name.startswith(("tensorflow.python", "keras.src"))], path


def test_flags_are_cli_s_alone():
    for path in set(sources()) - set(files_of("cli")):
        assert "absl.flags" not in set(imported(tree(path))) | {f"absl.{name}" for name in absl_names(path)}, path


def absl_names(path):
    froms = (node for node in ast.walk(tree(path)) if isinstance(node, ast.ImportFrom) and node.module == "absl")
    return {alias.name for node in froms for alias in node.names}


def late_libraries(names, seen=None):
    """The LATE libraries that an import of these modules brings, whatever module of ours it leads
    over.
    """
    seen = set() if seen is None else seen
    found = {name.partition(".")[0] for name in names} & LATE
    for name in names:
        parts = name.split(".")
        for parent in (".".join(parts[: i + 1]) for i in range(len(parts))):  # models.catalog imports models first
            if (file := module_file(parent)) and file not in seen:
                seen.add(file)
                found |= late_libraries(list(imported(tree(file), inside=False)), seen)
    return found


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_an_import_inside_a_function_brings_what_can_wait(path):
    """It brings a slow or an optional library that its module does without otherwise: what keeps
    --help fast.
    """
    module = str(path.relative_to(ROOT).with_suffix("")).replace("/", ".").removesuffix(".__init__")
    at_once = late_libraries([module])
    for function in ast.walk(tree(path)):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for node in ast.walk(function):
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    names = list(imported(ast.Module([node], [])))
                    assert late_libraries(names) - at_once, f"{path}:{node.lineno} imports {names[0]} in a function"


def test_choices_of_the_flags_are_what_the_code_holds():
    assert tuple(GENERATORS) == network.GENERATORS
    assert tuple(DISCRIMINATORS) == losses.DISCRIMINATORS
    assert tuple(TAILS) == network.TAILS
    assert tuple(DATASETS) == pictures.DATASETS
    assert tuple(METHODS) == transfer.METHODS
    assert tuple(PIXEL_LOSSES) == losses.PIXEL_LOSSES
    assert tuple(ADVERSARIAL_LOSSES) == losses.ADVERSARIAL_LOSSES
    assert len(losses.VGG19_LAYERS) == 16


def public_functions(body):
    """Functions and methods without an underscore, and constructors of such classes."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body)
        elif isinstance(node, ast.FunctionDef) and (not node.name.startswith("_") or node.name == "__init__"):
            yield node


def test_public_functions_are_typed():
    for path in sources():
        for function in public_functions(tree(path).body):
            arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
            untyped = [each.arg for each in arguments if each.annotation is None and each.arg not in ("self", "cls")]
            assert not untyped and (function.returns or function.name == "__init__"), f"{path}: {function.name}"
