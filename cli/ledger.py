"""evaluate.py --ledger: runs read, checked to be equal, measured, and their gains reported."""

import json
import sys
from pathlib import Path

import numpy as np
from absl import flags, logging

from cli.candidates import open_candidate
from cli.evaluation import FAILED, flagged_benchmarks, protocol, use_threads
from cli.networks import commit, find_weights
from errors import UserError
from evaluation.benchmark import evaluate_models
from evaluation.ledger import ALONE, Run, differences, gains, table
from evaluation.report import aligned_lines, markdown_lines, protocol_line
from evaluation.report_files import csv_text, write_report, write_text
from training.run_folder import read_config

FLAGS = flags.FLAGS

# What a student is and how long and on what it was trained: has to be equal, or a gain is no gain of the method.
_EQUAL = (
    *(
        "student",
        "depth",
        "width",
        "scale",
        "init",
        "dataset",
        "hr_dir",
        "lr_dir",
        "valid_dir",
        "degradation",
        "degradation_seed",
    ),
    *(
        "batch_size",
        "patch_size",
        "detail",
        "optimizer",
        "learning_rate",
        "schedule",
        "decay_steps",
        "warmup_steps",
        "clip_norm",
        "ema_decay",
    ),
    *("expansion", "tail", "residual", "precision"),
)
_TEACHER = "teacher"


def write_ledger(words):
    """Compare the runs of `words` and write ledger.md, .csv and .json into --output. Returns the exit status."""
    runs = [read_run(Path(word)) for word in words]
    unequal = differences(runs)
    if unequal:
        raise UserError(f"--ledger: the runs cannot be compared: {'; '.join(unequal)}")
    threads = use_threads()
    benchmarks, failures = flagged_benchmarks()
    for failure in failures:
        logging.error("%s", failure)
    candidates = {run.path: open_candidate(run.path, run.path, scale=FLAGS.scale, threads=threads) for run in runs}
    teacher = _teacher(runs)
    if teacher:
        candidates[_TEACHER] = open_candidate(_TEACHER, str(teacher), scale=FLAGS.scale, threads=threads)
    evaluation = evaluate_models(candidates, benchmarks, **protocol())
    broken = [run.path for run in runs if run.path not in evaluation.sound]
    if broken or not evaluation.benchmarks:
        raise UserError(f"--ledger: cannot be measured: {'; '.join(evaluation.failures)}")
    evaluation.failures += failures
    measured = _TEACHER in evaluation.sound
    found = gains(_scores(runs, evaluation), teacher=_pictures(evaluation, _TEACHER) if measured else None)
    _report(Path(FLAGS.output or "runs/ledger"), found, evaluation, teacher if measured else None)
    return FAILED if evaluation.failures else 0


def read_run(folder):
    """A Run from its config.txt and report.json. Raises UserError when it is no finished run of a student."""
    try:
        config = read_config(folder / "config.txt")
        report = json.loads((folder / "report.json").read_text())
        updates = sum(phase["steps"] for phase in report["phases"])
        method, seed = method_name(report["method"], config), int(report["seed"])
    except FileNotFoundError as error:
        raise UserError(f"--ledger={folder}: no finished run: {Path(error.filename).name} is missing") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"--ledger={folder}: its report.json does not describe a student's run ({error!r})") from error
    equal = {name: config[name] for name in _EQUAL if name in config}
    equal |= {"updates in all phases": updates, "parameters": report.get("parameters")}
    equal["training pictures"] = json.dumps(report.get("training_pictures"), sort_keys=True)
    return Run(str(folder), method, seed, equal, report.get("teacher"))


def method_name(method, config):
    """A run's method with the switches that make another method of it: "g2g, cached ensemble", "g2g_al, jointly"."""
    switches = []
    if config.get("teacher_images"):
        switches.append("given pictures")
    elif config.get("cache_teacher") == "true":
        switches.append("cached ensemble" if config.get("self_ensemble") == "true" else "cached")
    if config.get("al") == "jointly" and method.endswith(("_al", "gan2gan")):
        switches.append("jointly")
    return ", ".join([method, *switches])


def _teacher(runs):
    """The weight file the gap is measured to: --teacher where given, else the one that all runs had; None where there is none."""
    if FLAGS["teacher"].present:
        return find_weights(FLAGS.teacher)
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
    """{(benchmark, measure): array (pictures,)}, measure "psnr" and, where it was measured, "lpips"."""
    return {
        (benchmark, measure): np.array([getattr(picture, measure) for picture in score.pictures])
        for benchmark, score in evaluation.models[name].benchmarks.items()
        for measure in ("psnr", "lpips")
        if getattr(score, measure) is not None
    }


def _scores(runs, evaluation):
    """{method: {(benchmark, measure): (seeds, pictures)}}, alone first, seeds in order."""
    scores = {}
    for run in sorted(runs, key=lambda run: (run.method != ALONE, run.method, run.seed)):
        for key, values in _pictures(evaluation, run.path).items():
            scores.setdefault(run.method, {}).setdefault(key, []).append(values)
    return {method: {name: np.stack(rows) for name, rows in found.items()} for method, found in scores.items()}


def _report(output, found, evaluation, teacher):
    header, rows = table(found)
    notes = [
        protocol_line(evaluation),
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
    print("\n".join([*aligned_lines(header, rows), "", *notes]))
    entries = [vars(gain) for gain in found]
    content = {"protocol": notes[0], "teacher": teacher and str(teacher), "gains": entries}
    content |= {"command": " ".join(sys.argv), "commit": commit()}
    write_text(output / "ledger.json", json.dumps(content, indent=2) + "\n")
    write_text(output / "ledger.csv", csv_text(entries))
    write_text(
        output / "ledger.md", "\n".join([*markdown_lines(header, rows), "", *(f"{note}  " for note in notes)]) + "\n"
    )
    write_report(output, evaluation)  # the figures behind it, picture by picture
    print(f"\nwritten: {output}/ledger.md, ledger.csv, ledger.json; the pictures' figures: report.json, pictures.csv")
