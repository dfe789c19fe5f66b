"""evaluate.py's comparison: models opened, measured, timed, and reported, on the screen, as files
and in the TensorBoard of their runs.
"""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging
from PIL import Image

from data import open_pictures
from errors import UserError
from evaluation.benchmark import evaluate_models, protocol
from evaluation.candidates import Candidate, default_models, named, open_candidate, use_threads
from evaluation.charts import write_scatter
from evaluation.crops import CropChooser, write_sheet
from evaluation.degrading import degraded
from evaluation.gates import asked_gates, missed
from evaluation.latency import measure
from evaluation.pairs import Pair, StorePairs, flagged_benchmarks
from evaluation.peak_memory import peak_memory
from evaluation.report import markdown_table, text_table
from evaluation.report_files import check_writable, origin, write_report
from evaluation.results import FAILED, GATE_MISSED, Evaluation
from runs import RUNS, is_run, newest_student_or_none, read_report, with_pictures_of
from settings.evaluation import CLEAN, Evaluate


def compare(settings: Evaluate) -> int:
    """Measure what the settings name, print the table, write the files. Returns the exit status."""
    threads = use_threads(settings.speed.threads)
    student = _student(settings)
    words = named(settings.comparison.models) or default_models(
        student, settings.comparison.teacher, asked="teacher" in settings.given
    )
    if student and not settings.comparison.benchmarks:
        settings = with_pictures_of(student, settings)
    output = Path(settings.comparison.output or (student or RUNS) / "evaluation")
    check_writable(output)
    how = protocol(settings)
    benchmarks, failures = _benchmarks(settings, student)
    benchmarks = degraded(benchmarks, settings)
    gates = asked_gates(settings, [name for name, _ in words], benchmarks)
    candidates, unopened = _open_all(
        words, scale=how["scale"], threads=threads, model_range=settings.comparison.model_range
    )
    _refuse_ready_images(candidates, settings.measures.degrade)
    chooser = CropChooser(candidates, rows=settings.measures.crops)
    first = next(iter(benchmarks))

    def watch(benchmark, pair, results):
        if benchmark == first:
            chooser.add(pair, results)

    evaluation = evaluate_models(candidates, benchmarks, watch=watch, **how)
    evaluation.failures[:0] = unopened + failures
    evaluation.baseline = settings.comparison.baseline
    if settings.speed.repetitions:
        _measure_speed(settings, evaluation, threads)
    print(text_table(evaluation))
    images = _write(output, evaluation, chooser, first)
    for name, word in words:
        if name in evaluation.sound and Path(word).is_dir() and is_run(word):
            write_to_tensorboard(Path(word) / "logs", evaluation, name, step=trained_steps(word), images=images)
    lines = missed(evaluation, **gates)
    for line in lines:
        logging.error("gate missed: %s", line)
    return FAILED if evaluation.failures else GATE_MISSED if lines else 0


def _student(settings):
    """The student's run folder, where the settings do not say all that it would be asked for; None
    where nothing was trained.
    """
    asked = settings.comparison
    if asked.models and asked.benchmarks and asked.output:
        return None
    student = Path(asked.student) if asked.student else newest_student_or_none()
    if not (student or asked.models):
        logging.info("nothing was trained here: the shipped networks are compared")
    return student


def _benchmarks(settings, student) -> tuple[dict[str, Iterable[Pair]], list[str]]:
    if settings.comparison.benchmarks:
        return flagged_benchmarks(settings)
    if not student and "dataset" not in settings.given:
        settings = settings.with_values(dataset="sample")
    store = open_pictures(settings.pictures, "validation")
    pairs = StorePairs(store, most=settings.pictures.validation_pictures, tiles=settings.measures.tiles)
    return {"validation": pairs}, []


def _open_all(words, *, scale, threads, model_range) -> tuple[dict[str, Candidate], list[str]]:
    candidates, failures = {}, []
    for name, word in words:
        try:
            candidates[name] = open_candidate(name, word, scale=scale, threads=threads, model_range=model_range)
        except UserError as error:
            failures.append(str(error))
            logging.error("%s", error)
    if not candidates:
        raise UserError("--models: none of them can be opened")
    return candidates, failures


def _refuse_ready_images(candidates, words):
    """Raise UserError where images that another upscaler made of clean ones would stand beside
    results of degraded ones.
    """
    ready = [name for name, candidate in candidates.items() if candidate.pictures]
    if ready and set(words) - {CLEAN}:
        raise UserError(
            f"--degrade={','.join(words)}: {ready[0]} is a folder of images, and what another upscaler made of clean images cannot be degraded; "
            "leave it out of --models, or give its network"
        )


def _measure_speed(settings, evaluation, threads):
    speed = settings.speed
    size = {"height": speed.height, "width": speed.width, "threads": threads}
    engines = {name: result.candidate.engine for name, result in evaluation.sound.items() if result.candidate.engine}
    failures = {}
    times = measure(engines, repetitions=speed.repetitions, warmup=2, failures=failures, **size)
    for name, latency in times.items():
        evaluation.models[name].latency = latency
        if speed.memory:
            try:
                path = evaluation.models[name].candidate.path
                evaluation.models[name].peak_memory = peak_memory(path, scale=evaluation.scale, **size)
            except UserError as error:
                failures[name] = str(error)
    for name, reason in failures.items():
        evaluation.failures.append(f"{name}: speed: {reason}")
        logging.error("%s", evaluation.failures[-1])


def _write(output, evaluation, chooser, benchmark):
    """Write the reports and the images; returns the paths of the PNG files."""
    written = write_report(output, evaluation, **origin())
    written += write_scatter(output / "quality_vs_latency", evaluation)
    if benchmark in evaluation.benchmarks:
        write_sheet(output / "comparison.png", chooser.crops(evaluation.sound))
        written.append(output / "comparison.png")
    for name in ("quality_vs_latency.png", "quality_vs_latency.svg", "comparison.png"):
        if (older := output / name).is_file() and older not in written:  # it would be taken for this report's
            older.unlink()
            logging.info("%s: of an earlier evaluation, removed", older)
    print(f"\nwritten: {', '.join(str(path) for path in written)}")
    return [path for path in written if path.suffix == ".png"]


def trained_steps(run: str | Path) -> int:
    """Updates of a run over all its phases, 0 where its report.json does not (yet) say."""
    try:
        return sum(phase["steps"] for phase in read_report(run)["phases"])
    except (FileNotFoundError, UserError):
        return 0


def write_to_tensorboard(logs: Path, evaluation: Evaluation, name: str, *, step: int, images: Iterable[Path]) -> None:
    """Write the figures of model `name` as evaluation/<benchmark>/<measure>, the whole table as
    text, and PNG files.

    logs: TensorBoard folder. step: where on the axis of the run's curves.
    """
    result = evaluation.models[name]
    writer = tf.summary.create_file_writer(str(logs))
    with writer.as_default(step=step):
        for benchmark, score in result.benchmarks.items():
            for figure in evaluation.figures:
                value = getattr(score, figure)
                if value is not None and math.isfinite(value):
                    tf.summary.scalar(f"evaluation/{benchmark}/{figure}", value)
        if result.latency:
            tf.summary.scalar("evaluation/median_ms", result.latency.median_ms)
        tf.summary.text("evaluation", markdown_table(evaluation))
        for path in images:
            with Image.open(path) as image:
                tf.summary.image(f"evaluation/{path.stem}", np.asarray(image.convert("RGB"))[None])
    writer.close()
