"""Gates for continuous integration: is a model good enough, and no worse or slower than the one
before?
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from errors import UserError
from evaluation.results import Evaluation
from settings.evaluation import Evaluate


def asked_gates(settings: Evaluate, names: Sequence[str], benchmarks: Iterable[str]) -> dict[str, Any]:
    """The arguments of `missed` that the settings ask for.

    Raises UserError for what cannot be met or means nothing, before anything is measured.

    names: the rows of the table. benchmarks: their names.
    """
    gates, baseline = settings.gates, settings.comparison.baseline
    if baseline is not None and baseline not in names:
        raise UserError(f"--baseline={baseline}: is no row of the table; its rows are {', '.join(names)}")
    for flag in ("max_drop", "max_ms_ratio"):
        if getattr(gates, flag) is not None and baseline is None:
            raise UserError(f"--{flag}: compared with what? Name the row: --baseline={names[0]}")
    if gates.max_ms_ratio is not None and not settings.speed.repetitions:
        raise UserError("--max_ms_ratio: needs times; --repetitions must be above 0")
    least = {}
    for word in gates.min_psnr:
        benchmark, colon, number = word.rpartition(":")
        if colon and benchmark not in benchmarks:
            raise UserError(f"--min_psnr={word}: no benchmark is called {benchmark}; there is {', '.join(benchmarks)}")
        try:
            decibels = float(number)
        except ValueError:
            decibels = math.nan
        if not math.isfinite(decibels):
            raise UserError(f"--min_psnr={word}: {number!r} is no number of dB")
        least |= dict.fromkeys([benchmark] if colon else benchmarks, decibels)
    return {"min_psnr": least, "max_drop": gates.max_drop, "max_ms_ratio": gates.max_ms_ratio}


def missed(
    evaluation: Evaluation,
    *,
    min_psnr: dict[str, float] | None = None,
    max_drop: float | None = None,
    max_ms_ratio: float | None = None,
) -> list[str]:
    """The gates that were not met, a line each; an empty list when all were.

    Every sound model is held to them, but bicubic and the baseline. min_psnr: {benchmark: dB}.
    max_drop: most dB of PSNR below the baseline, on each benchmark. max_ms_ratio: most median
    milliseconds, over the baseline's. A figure that is missing or nan misses its gate, and so does
    everything where the gate itself is nan.
    """
    lines = []
    for name, result in evaluation.sound.items():
        if result.candidate.is_bicubic or name == evaluation.baseline:
            continue
        for benchmark, least in (min_psnr or {}).items():
            score = result.benchmarks.get(benchmark)
            if score is None or not score.psnr >= least:
                found = f"{score.psnr:.2f} dB" if score else "no figure"
                lines.append(f"{name}: {found} on {benchmark}, --min_psnr is {least:g}")
        if max_drop is not None:
            lines += _dropped(evaluation, name, max_drop)
        if max_ms_ratio is not None:
            ratio = evaluation.ratios(name).get("median_ms")
            if ratio is None or not ratio <= max_ms_ratio:
                found = "no time" if ratio is None else f"{ratio:.2f} times the time of {evaluation.baseline}"
                lines.append(f"{name}: {found}, --max_ms_ratio is {max_ms_ratio:g}")
    return lines


def _dropped(evaluation, name, max_drop):
    reference = evaluation.models[evaluation.baseline].benchmarks
    if not reference:
        return [f"{name}: {evaluation.baseline} has no figures to compare with, --max_drop is {max_drop:g}"]
    lines = []
    for benchmark, score in reference.items():
        ours = evaluation.models[name].benchmarks[benchmark].psnr
        drop = 0.0 if ours == score.psnr == math.inf else score.psnr - ours  # both exact
        if not drop <= max_drop:
            lines.append(
                f"{name}: {drop:.2f} dB below {evaluation.baseline} on {benchmark}, --max_drop is {max_drop:g}"
            )
    return lines
