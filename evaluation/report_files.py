"""An `Evaluation` as files: report.json with everything, report.md, report.csv (a row a model), pictures.csv (a row a figure)."""

import csv
import io
import json
import math
from pathlib import Path

from errors import UserError
from evaluation.report import latency_line, markdown_table, protocol_line

_FIGURES = ("psnr", "ssim", "lpips", "lr_psnr")


def as_dict(evaluation):
    """Give all that was measured as JSON can hold it. An infinite PSNR (equal pictures) becomes null."""
    return {
        "protocol": protocol_line(evaluation),
        "latency_protocol": latency_line(evaluation),
        "scale": evaluation.scale,
        "border": evaluation.border,
        "channel": evaluation.channel,
        "baseline": evaluation.baseline,
        "models": {name: _model_dict(evaluation, name) for name in evaluation.models},
        "failures": list(evaluation.failures),
    }


def write_report(folder, evaluation, **more):
    """Write report.json, report.md, report.csv and pictures.csv into `folder`, which is made.

    more: what else report.json should say (command, commit...). Returns the paths. Raises UserError when a file cannot be written.
    """
    folder = Path(folder)
    contents = {
        "report.json": json.dumps(as_dict(evaluation) | more, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "report.md": markdown_table(evaluation) + "\n",
        "report.csv": csv_text(_model_rows(evaluation)),
        "pictures.csv": csv_text(_picture_rows(evaluation)),
    }
    return [write_text(folder / name, text) for name, text in contents.items()]


def write_text(path, text):
    """Write a text file, making its folder; returns the path. Raises UserError when it cannot be written."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {(error.strerror or str(error)).lower()}") from error
    return path


def csv_text(rows):
    """Dicts with the same keys as CSV, keys first; None becomes an empty cell."""
    rows = list(rows)
    file = io.StringIO()
    if rows:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return file.getvalue()


def finite(value):
    """The value, or None for None and for what JSON cannot hold."""
    return value if value is not None and math.isfinite(value) else None


def _model_dict(evaluation, name):
    result = evaluation.models[name]
    model, latency = result.candidate, result.latency
    return {
        "path": None if model.path is None else str(model.path),
        "parameters": model.parameters,
        "multiply_adds": model.multiply_adds,
        "file_size": model.file_size,
        "peak_memory": result.peak_memory,
        "failure": result.failure,
        "latency": dict(vars(latency)) if latency else None,
        "ratios": evaluation.ratios(name),
        "flat_errors": result.flat_errors,
        "benchmarks": {benchmark: _score_dict(score) for benchmark, score in result.benchmarks.items()},
    }


def _score_dict(score):
    pictures = [{**vars(picture), **_figures(picture)} for picture in score.pictures]
    return {**_figures(score), "color_shift": score.color_shift, "pictures": pictures}


def _figures(score):
    return {key: finite(getattr(score, key)) for key in _FIGURES}


def _model_rows(evaluation):
    for name, result in evaluation.models.items():
        row = {"model": name, "path": result.candidate.path, **evaluation.costs(name)}
        row["p90_ms"] = result.latency.p90_ms if result.latency else None
        if evaluation.baseline:
            row |= {f"{key}_ratio": value for key, value in evaluation.ratios(name).items()}
        for benchmark in evaluation.benchmarks:
            score = result.benchmarks.get(benchmark)
            row |= {f"{benchmark}_{key}": finite(getattr(score, key)) if score else None for key in _FIGURES}
            shift = score.color_shift if score else [None] * 3
            row |= {f"{benchmark}_shift_{channel}": value for channel, value in zip("rgb", shift, strict=True)}
        row |= {f"{colour}_error": (result.flat_errors or {}).get(colour) for colour in ("white", "grey", "black")}
        yield {**row, "failure": result.failure}


def _picture_rows(evaluation):
    for benchmark in evaluation.benchmarks:
        for name, result in evaluation.sound.items():
            for picture in result.benchmarks[benchmark].pictures:
                shift = {f"shift_{channel}": value for channel, value in zip("rgb", picture.color_shift, strict=True)}
                yield {"benchmark": benchmark, "picture": picture.picture, "model": name, **_figures(picture), **shift}
