"""Writes a TFLite file and what is known of it, or nothing."""

import hashlib
import json
import os
import tempfile
from pathlib import Path

from errors import UserError
from export.graph import with_metadata
from export.proof import prove
from export.tflite import convert, fused


def write_checked(
    model,
    path,
    *,
    pairs,
    limits,
    height=None,
    width=None,
    quantize="none",
    calibration=(),
    float_student=None,
    timed=(180, 320),
    **facts,
):
    """Write `model` as `path` (.tflite), described in its metadata and, with the proof, in a .json beside it; keep neither unless it holds.

    pairs, float_student: for the proof, see `export.prove`. limits: `export.Limits`. height, width, quantize, calibration: see `export.convert`.
    timed: height and width of the input that is timed. facts: what else the description should say, JSON values.
    Returns the description. Raises UserError when the limits are broken or the target cannot be written.
    """
    path, model = Path(path), fused(model)
    content = convert(model, height=height, width=width, quantize=quantize, calibration=calibration)
    description = _describe(model, height=height, width=width, quantize=quantize, **facts)
    content = with_metadata(content, description)
    description |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
            candidate = Path(folder) / path.name
            candidate.write_bytes(content)
            _write(candidate.with_suffix(".json"), description)
            description["proof"] = prove(
                candidate, model, pairs, float_student=float_student, height=timed[0], width=timed[1]
            )
            if reason := limits.broken_by(description["proof"]):
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
        "quantize": quantize,
        "input": {"shape": [1, height, width, 3], "dtype": dtype, "values": f"RGB in {values}"},
        "output": {"shape": [1, *sizes, 3], "dtype": dtype, "values": f"RGB in {values}, clipped"},
        **facts,
    }


def _write(path, description):
    path.write_text(json.dumps(description, indent=2) + "\n")
