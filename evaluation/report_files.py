"""Results as files.

Of an `Evaluation`: report.json with everything, report.md, report.csv (a row a model), pictures.csv
(a row a figure).
"""

import csv
import io
import json
import math
import os
import platform
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import records
from errors import UserError, reason
from evaluation.report import Table, aligned_lines, latency_line, markdown_lines, markdown_table, protocol_line
from evaluation.results import Evaluation
from runs import REPORT, commit, is_run

_INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "VNNI",
    "amx_tile": "AMX",
    "asimddp": "dot product",
    "i8mm": "I8MM",
}


def as_dict(evaluation: Evaluation) -> dict[str, Any]:
    """Give all that was measured as JSON can hold it.

    An infinite PSNR (equal images) becomes null.
    """
    asked = {"tiles": evaluation.tiles, "left_out": evaluation.left_out, "original_seams": evaluation.original_seams}
    return {
        "protocol": protocol_line(evaluation),
        "latency_protocol": latency_line(evaluation),
        "scale": evaluation.scale,
        "border": evaluation.border,
        "channel": evaluation.channel,
        "baseline": evaluation.baseline,
        "models": {name: _model_dict(evaluation, name) for name in evaluation.models},
        "failures": list(evaluation.failures),
    } | {key: value for key, value in asked.items() if value}


def write_report(folder: str | Path, evaluation: Evaluation, **more: Any) -> list[Path]:
    """Write report.json, report.md, report.csv and pictures.csv into `folder`, which is made.

    more: what else report.json should say (see `origin`). Returns the paths. Raises UserError when
    a file cannot be written.
    """
    folder = Path(folder)
    contents = {
        "report.json": json.dumps(as_dict(evaluation) | more, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "report.md": markdown_table(evaluation) + "\n",
        "report.csv": csv_text(_model_rows(evaluation)),
        "pictures.csv": csv_text(_picture_rows(evaluation)),
    }
    return [write_text(folder / name, text) for name, text in contents.items()]


def write_table(stem: Path, table: Table, *, notes: Sequence[str], content: dict[str, Any], entries: str) -> list[Path]:
    """Print a table with its notes and write it as STEM.md, and `content` as STEM.json; its list of
    that name, `entries`, as STEM.csv.

    Returns the paths. Raises UserError when a file cannot be written.
    """
    print("\n".join([*aligned_lines(*table), "", *notes]))
    markdown = [*markdown_lines(*table), "", *(f"{note}  " for note in notes)]
    return [
        write_text(stem.with_suffix(".md"), "\n".join(markdown) + "\n"),
        write_text(stem.with_suffix(".csv"), csv_text(content[entries])),
        write_text(stem.with_suffix(".json"), json.dumps(content | origin(), indent=2) + "\n"),
    ]


def origin() -> dict[str, str | None]:
    """The command that runs, the commit of its source, the machine and the day, for a report."""
    day = datetime.now(timezone.utc).date().isoformat()
    return {"command": " ".join(sys.argv), "commit": commit(), "machine": _machine(), "day": day}


def _machine():
    """The processor, what of its instructions decides the speed of convolutions, and its cores."""
    with suppress(OSError):  # Linux
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        flags = facts.get("flags", facts.get("Features", "")).split()
        known = [name for flag, name in _INSTRUCTIONS.items() if flag in flags]
        name = facts.get("model name", platform.machine())
        return f"{name}, {os.cpu_count()} cores" + (f", {', '.join(known)}" if known else "")
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def check_writable(folder: str | Path) -> None:
    """Raise UserError where no file can be made in `folder`, or where it is a run, whose report
    would be lost: before the work, not after it.

    Leaves nothing behind.
    """
    folder = Path(folder)
    if is_run(folder):
        raise UserError(f"--output={folder}: a training run, which has a {REPORT} of its own; choose another folder")
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"--output={folder}: cannot be written: {reason(error)}; choose another folder") from error
    finally:
        for path in missing:
            with suppress(OSError):
                path.rmdir()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around what writes `path`, whose folder is made.

    Raises UserError where that is not possible.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {reason(error)}") from error


def write_text(path: str | Path, text: str) -> Path:
    """Write a text file whole or not at all, making its folder; returns the path.

    Raises UserError when it cannot be written.
    """
    path = Path(path)
    with writing(path):
        records.write_text(path, text)
    return path


def csv_text(rows: Iterable[dict[str, Any]]) -> str:
    """Dicts with the same keys as CSV, keys first; None becomes an empty cell."""
    rows = list(rows)
    file = io.StringIO()
    if rows:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return file.getvalue()


def finite(value: float | None) -> float | None:
    """The value, or None for None and for what JSON cannot hold."""
    return value if value is not None and math.isfinite(value) else None


def _model_dict(evaluation, name):
    result = evaluation.models[name]
    model, latency = result.candidate, result.latency
    differences = {
        benchmark: {measure: found._asdict() for measure, found in measures.items()}
        for benchmark, measures in evaluation.differences(name).items()
    }
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
        "benchmarks": {benchmark: _score_dict(evaluation, score) for benchmark, score in result.benchmarks.items()},
    } | ({"differences": differences} if differences else {})


def _score_dict(evaluation, score):
    kept = {"picture", "color_shift", *evaluation.figures}
    pictures = [
        {key: value for key, value in vars(picture).items() if key in kept} | _figures(evaluation, picture)
        for picture in score.pictures
    ]
    return {**_figures(evaluation, score), "color_shift": score.color_shift, "pictures": pictures}


def _figures(evaluation, score):
    return {key: finite(getattr(score, key)) for key in evaluation.figures}


def _model_rows(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    differences = {name: evaluation.differences(name) for name in evaluation.models}
    compared = dict.fromkeys(
        (benchmark, measure) for found in differences.values() for benchmark in found for measure in found[benchmark]
    )
    for name, result in evaluation.models.items():
        row = {"model": name, "path": result.candidate.path, **evaluation.costs(name)}
        row["p90_ms"] = result.latency.p90_ms if result.latency else None
        if evaluation.baseline:
            row |= {f"{key}_ratio": value for key, value in evaluation.ratios(name).items()}
        for benchmark in evaluation.benchmarks:
            score = result.benchmarks.get(benchmark)
            row |= {f"{benchmark}_{key}": finite(getattr(score, key)) if score else None for key in evaluation.figures}
            shift = score.color_shift if score else [None] * 3
            row |= {f"{benchmark}_shift_{channel}": value for channel, value in zip("rgb", shift, strict=True)}
        row |= {f"{colour}_error": (result.flat_errors or {}).get(colour) for colour in ("white", "grey", "black")}
        for benchmark, measure in compared:
            found = differences[name].get(benchmark, {}).get(measure)
            for key in ("mean", "low", "high"):
                row[f"{benchmark}_{measure}_difference_{key}"] = found and getattr(found, key)
        yield {**row, "failure": result.failure}


def _picture_rows(evaluation):
    for benchmark in evaluation.benchmarks:
        for name, result in evaluation.sound.items():
            for picture in result.benchmarks[benchmark].pictures:
                shift = {f"shift_{channel}": value for channel, value in zip("rgb", picture.color_shift, strict=True)}
                yield {
                    "benchmark": benchmark,
                    "picture": picture.picture,
                    "model": name,
                    **_figures(evaluation, picture),
                    **shift,
                }
