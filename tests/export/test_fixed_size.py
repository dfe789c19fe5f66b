"""A finished file's copy for one size: the same numbers, nothing left open, everything else
refused.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

import models
import weights
from data.sample import sample
from errors import UserError
from export import Limits, write_checked
from export.fixed_size import export_fixed_size
from export.graph import read_metadata
from export_tflite import main
from inference.engines import TFLiteEngine
from settings.files import ExportTflite


def settings(source, **options):
    return replace(ExportTflite().with_values(student=str(source), **options), given=frozenset(options))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """An exported file that takes any size."""
    path = tmp_path_factory.mktemp("run") / "student.tflite"
    _, hr, lr = next(sample(split="validation").pairs())
    student = models.build_generator("compact_xs", depth=1, width=4)
    write_checked(student, path, pairs=[(lr, hr)], limits=Limits.of("none"), timed=(16, 16))
    return path


@pytest.mark.parametrize("name", ["compact_xs", "compact_xs.int8", "compact_s.int8"])
def test_a_shipped_file_of_one_size_gives_the_same_to_the_bit(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(settings(weights.FOLDER / f"{name}.tflite" if name == "compact_xs" else name, height=20, width=30))
    copy = tmp_path / f"{name}_30x20.tflite"
    lr = np.random.default_rng(0).random((1, 20, 30, 3), np.float32)
    np.testing.assert_array_equal(TFLiteEngine(copy)(lr), TFLiteEngine(weights.FOLDER / f"{name}.tflite")(lr))

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    tensors = Interpreter(model_path=str(copy), experimental_op_resolver_type=plain).get_tensor_details()
    assert all(-1 not in tensor["shape_signature"] for tensor in tensors)
    inner = [tensor["shape"].tolist() for tensor in tensors if len(tensor["shape"]) == 4 and tensor["shape"][1] == 20]
    assert len(inner) > 3 and all(shape[:3] == [1, 20, 30] for shape in inner)


def test_it_says_what_it_is(file):
    export_fixed_size(settings(file, height=20, width=30), file)
    copy = file.with_name("student_30x20.tflite")
    before, inside = read_metadata(file), read_metadata(copy)
    assert (inside["input"]["shape"], inside["output"]["shape"]) == ([1, 20, 30, 3], [1, 80, 120, 3])
    assert inside["made_from"] == "student.tflite"
    changed = {"input", "output", "command", "made_from"}
    assert {name: value for name, value in inside.items() if name not in changed} == {
        name: value for name, value in before.items() if name not in changed
    }
    beside = json.loads(copy.with_suffix(".json").read_text())
    assert beside["proof"]["max_difference_from_original"] == 0 and beside["bytes"] == copy.stat().st_size


def test_what_is_refused(file, tmp_path):
    fixed, foreign = tmp_path / "fixed.tflite", tmp_path / "foreign.tflite"
    size = {"height": 20, "width": 30}
    export_fixed_size(settings(file, output=str(fixed), **size), file)
    foreign.write_bytes(b"no flatbuffer")
    for source, options, words in (
        (file, {}, "a .tflite file already; --height and --width"),
        (fixed, size, "takes 20×30 only"),
        (foreign, size, "holds no description of ours"),
        (Path("gone.tflite"), size, r"gone.tflite: cannot be read \(No such file"),
        (file, {**size, "quantize": "int8"}, r"--quantize: .* is finished \(none\)"),
        (file, {**size, "licence": "MIT"}, "--licence: .* is finished"),
        (file, {**size, "output": str(fixed)}, "fixed.tflite: is there already; --overwrite"),
        (file, {**size, "output": str(weights.FOLDER / "x.tflite")}, "the folder of the shipped networks stays"),
    ):
        with pytest.raises(UserError, match=words):
            main(settings(source, **options))
