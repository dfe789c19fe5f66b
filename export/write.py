"""Writes a TFLite file and what is known of it, or nothing."""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from absl import logging

from errors import UserError
from export.calibration import calibration, float_student, proof_pairs
from export.graph import with_metadata
from export.proof import Limits, prove
from export.tflite import convert, fused
from models import load_generator, read_facts
from records import sha256
from runs import CONFIG, SUFFIX, read_config, read_report
from settings.files import Export, ExportTflite
from weights import FOLDER, refuse_as_output

_FEW = 1000  # updates: after fewer a student is a trial


def export_student(settings: ExportTflite, weights: Path) -> None:
    """Write the student in that weight file as the TFLite file that the settings ask for.

    Raises UserError where the name of the file is none, or it is there already, or the proof fails.
    """
    export = settings.export
    suffix = "" if export.quantize == "none" else f".{export.quantize}"
    output = output_of(export, weights, name=f"{weights.name.removesuffix(SUFFIX)}{suffix}.tflite")
    model, facts = load_generator(weights), read_facts(weights)
    description = write_checked(
        model,
        output,
        pairs=proof_pairs(settings, weights.parent, scale=model.scale),
        limits=Limits.of(export.quantize, max_drop_db=export.max_drop_db),
        height=export.height,
        width=export.width,
        quantize=export.quantize,
        calibration=calibration(settings, model, weights.parent) if export.quantize == "int8" else (),
        float_student=float_student(model, weights),
        weights=str(weights),
        weights_sha256=sha256(weights),
        training=facts,
        licence=export.licence or facts.get("licence", "unknown"),
        command=" ".join(sys.argv),
    )
    _warn_of_few_updates(weights, facts)
    proof = description["proof"]
    logging.info(
        "%s: %s, %d parameters, %.0f kB, input of %s",
        *(output, description["network"], description["parameters"], description["bytes"] / 1000),
        f"{export.height}×{export.width}" if export.height else "any size",
    )
    logging.info(
        "differs from Keras by at most %.2g, loses %.3f dB on %d real pictures; %.0f %% of its operations run in XNNPACK; %.1f ms for %d×%d",
        *(proof["max_difference"], proof["psnr_drop_db"], proof["pictures"], 100 * proof["share_in_xnnpack"]),
        *(proof["milliseconds"], *proof["timed_input"]),
    )
    if "drop_from_float_db" in proof:
        logging.info("loses %.3f dB against the float student it was trained from", proof["drop_from_float_db"])


def output_of(export: Export, source: Path, *, name: str) -> Path:
    """Where the file goes: --output, or `name` beside what it is made of; of a shipped network into
    the current folder.

    Raises UserError for another kind of file, for weights/, and for what is there already.
    """
    shipped = source.resolve().parent == FOLDER.resolve()
    output = Path(export.output or (Path() if shipped else source.parent) / name)
    if output.suffix != ".tflite":
        raise UserError(f"--output={output}: the name has to end in .tflite")
    refuse_as_output(output, flag="output")
    there = [path for path in (output, output.with_suffix(".json")) if path.exists()]
    if there and not export.overwrite:
        raise UserError(f"{there[0]}: is there already; --overwrite replaces it, --output=FILE names another")
    return output


def _warn_of_few_updates(weights: Path, facts: dict[str, Any]) -> None:
    """Say so where the student is from before any training, or from a trial run that began from
    nothing.
    """
    try:
        config = read_config(weights.parent / CONFIG)
    except FileNotFoundError:
        config = {}
    if facts.get("step") == 0:
        why = (
            "no update has given better ones than those it began with"
            if "init" in config
            else "from before any training"
        )
        logging.warning("%s: weights of step 0, %s; let the training run on and export again", weights, why)
        return
    try:
        updates = sum(phase["steps"] for phase in read_report(weights.parent)["phases"])
    except FileNotFoundError:
        return  # no run, or one under way
    if "init" in config or config.get("qat") == "true":
        return
    if updates < _FEW:
        logging.warning(
            "%s: of a run of %d updates only, a trial; a good student takes 10,000 and more", weights, updates
        )


def write_checked(
    model: keras.Model,
    path: str | Path,
    *,
    pairs: list[tuple[np.ndarray, np.ndarray]],
    limits: Limits,
    height: int | None = None,
    width: int | None = None,
    quantize: str = "none",
    calibration: Iterable[np.ndarray] = (),
    float_student: keras.Model | None = None,
    timed: tuple[int, int] = (180, 320),
    **facts: Any,
) -> dict[str, Any]:
    """Write `model` as `path` (.tflite), described in its metadata and, with the proof, in a .json
    beside it.

    Neither file is kept where the proof breaks the limits. pairs, float_student: for the proof, see
    `export.prove`. height, width, quantize, calibration: see `export.convert`. timed: height and
    width of the input that is timed. facts: what else the description should say, JSON values.
    Returns the description. Raises UserError when the limits are broken or the target cannot be
    written.
    """
    model = fused(model)
    content = convert(model, height=height, width=width, quantize=quantize, calibration=calibration)
    description = _describe(model, height=height, width=width, quantize=quantize, **facts)

    def proof(file: Path) -> dict[str, Any]:
        return prove(file, model, pairs, float_student=float_student, height=timed[0], width=timed[1])

    return write_proven(Path(path), content, description, proof=proof, fault=limits.broken_by)


def write_proven(
    path: Path,
    content: bytes,
    description: dict[str, Any],
    *,
    proof: Callable[[Path], dict[str, Any]],
    fault: Callable[[dict[str, Any]], str | None],
) -> dict[str, Any]:
    """Write a file with the description in its metadata and, with `proof(file)`, in a .json beside
    it; neither where `fault(proof)` names one.

    Returns the whole description. Raises UserError where nothing is kept.
    """
    content = with_metadata(content, description)
    description = description | {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
            candidate = Path(folder) / path.name
            candidate.write_bytes(content)
            _write(candidate.with_suffix(".json"), description)
            description["proof"] = proof(candidate)
            if reason := fault(description["proof"]):
                raise UserError(f"{path}: not kept: {reason}")
            _write(candidate.with_suffix(".json"), description)
            for made in (candidate, candidate.with_suffix(".json")):
                os.replace(made, path.with_suffix(made.suffix))
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from error
    return description


def _describe(model, *, height, width, quantize, **facts):
    dtype, values = ("uint8", "[0, 255]") if quantize == "int8" else ("float32", "[0, 1]")
    sizes = [None if side is None else side * model.scale for side in (height, width)]
    return {
        "network": type(model).__name__,
        "config": model.get_config(),
        "parameters": model.count_params(),
        "scale": model.scale,
        "receptive_field": model.receptive_field,
        **({"alignment": model.alignment} if getattr(model, "alignment", 1) > 1 else {}),
        "quantize": quantize,
        "input": {"shape": [1, height, width, 3], "dtype": dtype, "values": f"RGB in {values}"},
        "output": {"shape": [1, *sizes, 3], "dtype": dtype, "values": f"RGB in {values}, clipped"},
        **facts,
    }


def _write(path, description):
    path.write_text(json.dumps(description, indent=2) + "\n")
