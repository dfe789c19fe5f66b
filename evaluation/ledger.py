"""The distillation ledger: what each transfer method gains over the same student trained alone, and
how sure that is.

A gain is a mean difference of PSNR or LPIPS, image by image and seed by seed; it is positive where
the method is better. Its interval comes from a paired bootstrap over both,
`results.paired_interval`, because a claim is about new seeds *and* new images.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from absl import logging

from errors import UserError
from evaluation.benchmark import evaluate_models, protocol
from evaluation.candidates import open_candidate, use_threads
from evaluation.degrading import degraded
from evaluation.pairs import flagged_benchmarks
from evaluation.report import Table, notes_of_means, protocol_line
from evaluation.report_files import check_writable, write_report, write_table
from evaluation.results import DRAWS, FAILED, paired_interval
from runs import CONFIG, find_weights, read_config, read_report
from settings.evaluation import Evaluate
from settings.fields import names_where
from settings.transfer import TRAINING_GROUPS

ALONE = "alone"
Scores = dict[tuple[str, str], np.ndarray]  # {(benchmark, measure): figures of seeds or images}

_TEACHER = "teacher"
_BETTER = {"psnr": 1, "lpips": -1}  # the direction
_DIGITS = {"psnr": 3, "lpips": 4}


@dataclass
class Run:
    """One training run of a student. equal: what has to be equal in all runs of a ledger, {name:
    value}.
    """

    path: str
    method: str
    seed: int
    equal: dict
    teacher: str | None = None


@dataclass
class Gain:
    """What a method gained on a benchmark; low, high: the 95 % interval. share: of the gap between
    alone and teacher, None without one.

    measure: "psnr" in dB or "lpips". value: its mean. gain is above 0 where the method is better:
    more dB, less LPIPS.
    """

    method: str
    benchmark: str
    measure: str
    seeds: int
    pictures: int
    value: float
    gain: float
    low: float
    high: float
    share: float | None = None


def differences(runs: Iterable[Run]) -> list[str]:
    """What keeps `runs` from being compared, a line each: settings and seeds that are not equal,
    and methods that are missing.

    An empty list says that they form a ledger: one method is "alone", and every method has the same
    seeds.
    """
    lines = []
    for name in sorted({name for run in runs for name in run.equal}):
        values = {}
        for run in runs:
            values.setdefault(str(run.equal.get(name)), run.path)
        if len(values) > 1:
            lines.append(f"{name} differs: " + ", ".join(f"{value} in {path}" for value, path in values.items()))
    seeds = {}
    for run in runs:
        if run.seed in seeds.setdefault(run.method, []):
            lines.append(f"two runs of {run.method} have seed {run.seed}; {run.path} is one of them")
        seeds[run.method].append(run.seed)
    if ALONE not in seeds:
        lines.append(
            f"no run was trained without a teacher ({', '.join(seeds) or 'no runs'}); train_student.py makes one"
        )
    elif len(seeds) == 1:
        lines.append("all runs were trained without a teacher; distill.py makes the others")
    else:
        lines += [
            f"seeds differ: {_listed(seeds[ALONE])} of {ALONE}, {_listed(found)} of {method}"
            for method, found in seeds.items()
            if set(found) != set(seeds[ALONE])
        ]
    return lines


def gains(scores: dict[str, Scores], *, teacher: Scores | None = None, draws: int = DRAWS) -> list[Gain]:
    """Gain of every method over "alone".

    scores: {method: {(benchmark, measure): array (seeds, images)}}, seeds and images in the same
    order for all methods. measure: "psnr" in dB or "lpips". teacher: {(benchmark, measure): array
    (images,)}, or None. Methods come in their order, benchmarks within.
    """
    found = []
    for method, benchmarks in scores.items():
        for (benchmark, measure), values in benchmarks.items():
            better = _BETTER[measure]
            alone = scores[ALONE][benchmark, measure]
            difference = better * (values - alone)
            gain = float(difference.mean())
            low, high = paired_interval(difference, draws=draws)
            gap = None if teacher is None else better * float(teacher[benchmark, measure].mean() - alone.mean())
            share = gain / gap if gap and gap > 0 and method != ALONE else None
            found.append(Gain(method, benchmark, measure, *values.shape, float(values.mean()), gain, low, high, share))
    return found


def table(found: Sequence[Gain]) -> Table:
    """Header and rows of strings for a list of Gain."""
    header = [
        "method",
        "benchmark",
        "seeds",
        "pictures",
        "measure",
        "mean",
        "gain",
        "95 % interval",
        "share of the gap",
    ]
    return header, [_row(gain, _DIGITS[gain.measure]) for gain in found]


def _row(gain, digits):
    change = [f"{gain.gain:+.{digits}f}", f"{gain.low:+.{digits}f} to {gain.high:+.{digits}f}"]
    return [
        gain.method,
        gain.benchmark,
        str(gain.seeds),
        str(gain.pictures),
        gain.measure.upper(),
        f"{gain.value:.{digits}f}",
        *(["-", "-"] if gain.method == ALONE else change),
        "-" if gain.share is None else f"{gain.share:.0%}",
    ]


def _listed(values):
    return ", ".join(str(value) for value in sorted(values))


def write_ledger(settings: Evaluate, words: Sequence[str]) -> int:
    """Compare the runs of `words` and write ledger.md, .csv and .json into --output.

    Returns the exit status.
    """
    runs = [read_run(Path(word)) for word in words]
    unequal = differences(runs)
    if unequal:
        raise UserError(f"--ledger: the runs cannot be compared: {'; '.join(unequal)}")
    output = Path(settings.comparison.output or "runs/ledger")
    check_writable(output)
    threads, how = use_threads(settings.speed.threads), protocol(settings)
    benchmarks, failures = flagged_benchmarks(settings)
    benchmarks = degraded(benchmarks, settings)
    opened = {run.path: run.path for run in runs}
    teacher = _teacher(settings, runs)
    if teacher:
        opened[_TEACHER] = str(teacher)
    candidates = {
        name: open_candidate(name, word, scale=how["scale"], threads=threads) for name, word in opened.items()
    }
    evaluation = evaluate_models(candidates, benchmarks, **how)
    broken = [run.path for run in runs if run.path not in evaluation.sound]
    if broken or not evaluation.benchmarks:
        raise UserError(f"--ledger: cannot be measured: {'; '.join(evaluation.failures)}")
    evaluation.failures += failures
    measured = _TEACHER in evaluation.sound
    found = gains(_scores(runs, evaluation), teacher=_pictures(evaluation, _TEACHER) if measured else None)
    _report(output, found, evaluation, teacher if measured else None)
    return FAILED if evaluation.failures else 0


def read_run(folder: Path) -> Run:
    """A Run from its config.txt and report.json.

    Raises UserError when it is no finished run of a student.
    """
    try:
        config = read_config(folder / CONFIG)
        report = read_report(folder)
        updates = sum(phase["steps"] for phase in report["phases"])
        method, seed = method_name(report["method"], config), int(report["seed"])
    except FileNotFoundError as error:
        raise UserError(f"--ledger={folder}: no finished run: {Path(error.filename).name} is missing") from error
    except (KeyError, TypeError, ValueError, AttributeError, UserError) as error:
        raise UserError(f"--ledger={folder}: its report.json does not describe a student's run ({error!r})") from error
    equal = {name: config[name] for name in names_where(*TRAINING_GROUPS, equal=True) if name in config}
    equal |= {"updates in all phases": updates, "parameters": report.get("parameters")}
    equal["training pictures"] = json.dumps(report.get("training_pictures"), sort_keys=True)
    return Run(str(folder), method, seed, equal, report.get("teacher"))


def method_name(method: str, config: dict[str, str]) -> str:
    """A run's method with the switches that make another method of it: "g2g, cached ensemble",
    "g2g_al, jointly".
    """
    switches = []
    if config.get("teacher_images"):
        switches.append("given pictures")
    elif config.get("cache_teacher") == "true":
        switches.append("cached ensemble" if config.get("self_ensemble") == "true" else "cached")
    if config.get("al") == "jointly" and method.endswith(("_al", "gan2gan")):
        switches.append("jointly")
    return ", ".join([method, *switches])


def _teacher(settings, runs):
    """The weight file the gap is measured to: --teacher where given, else the one that all runs
    had; None where there is none.
    """
    if "teacher" in settings.given:
        return find_weights(settings.comparison.teacher)
    named = {run.teacher for run in runs if run.method != ALONE}
    if len(named) > 1:
        logging.info("the runs had different teachers, so no share of the gap is given; --teacher=FILE names one")
        return None
    path = Path(named.pop() or "")
    if not path.is_file():
        logging.info(
            "%s: the runs' teacher is not there, so no share of the gap is given; --teacher=FILE names it", path
        )
        return None
    return path


def _pictures(evaluation, name):
    """{(benchmark, measure): array (images,)}, measure "psnr" and, where it was measured,
    "lpips".
    """
    return {
        (benchmark, measure): values
        for benchmark, score in evaluation.models[name].benchmarks.items()
        for measure in _BETTER
        if (values := score.values(measure)) is not None
    }


def _scores(runs, evaluation):
    """{method: {(benchmark, measure): (seeds, images)}}, alone first, seeds in order."""
    scores = {}
    for run in sorted(runs, key=lambda run: (run.method != ALONE, run.method, run.seed)):
        for key, values in _pictures(evaluation, run.path).items():
            scores.setdefault(run.method, {}).setdefault(key, []).append(values)
    return {method: {name: np.stack(rows) for name, rows in found.items()} for method, found in scores.items()}


def _report(output, found, evaluation, teacher):
    notes = [
        protocol_line(evaluation),
        *notes_of_means(evaluation),
        "gain: over the student trained alone, above 0 where it is better (more dB, less LPIPS); interval: paired bootstrap over pictures and seeds",
        f"share of the gap: gain over the distance from alone to {teacher}"
        if teacher
        else "no teacher, no share of the gap",
    ]
    if found[0].seeds < 3:
        notes.append(
            f"{found[0].seeds} seed(s): a claim needs three or more; the interval knows little of what other seeds would give"
        )
    notes += [f"failed: {line}" for line in evaluation.failures]
    content = {"protocol": notes[0], "teacher": teacher and str(teacher), "gains": [vars(gain) for gain in found]}
    write_table(output / "ledger", table(found), notes=notes, content=content, entries="gains")
    write_report(output, evaluation)  # the figures behind it, image by image
    print(f"\nwritten: {output}/ledger.md, ledger.csv, ledger.json; the pictures' figures: report.json, pictures.csv")
