"""evaluate.py's comparison: models opened, measured, timed, and reported."""

import os
import sys
from pathlib import Path

from absl import flags, logging

from cli.candidates import StorePairs, default_models, folder_benchmarks, is_run, named, open_candidate
from cli.networks import RUNS, commit, newest_student_or_none
from cli.pictures import adopt, open_store
from errors import UserError
from evaluation.benchmark import evaluate_models
from evaluation.charts import write_scatter
from evaluation.comparison import CropChooser, write_sheet
from evaluation.gates import missed
from evaluation.latency import measure
from evaluation.lpips import LPIPS
from evaluation.memory import peak_memory
from evaluation.report import text_table
from evaluation.report_files import write_report
from evaluation.tensorboard import write_to_tensorboard
from inference.engines import use_tensorflow_threads
from runs import read_report

FLAGS = flags.FLAGS

FAILED, GATE_MISSED = 1, 3


def compare():
    """Measure what the flags name, print the table, write the files. Returns the exit status."""
    threads = use_threads()
    words, benchmarks, failures, output = _what_to_compare()
    gates = _gates(words, benchmarks)
    candidates, unopened = _open_all(words, threads)
    chooser = CropChooser(candidates, rows=FLAGS.crops)
    first = next(iter(benchmarks))

    def watch(benchmark, pair, results):
        if benchmark == first:
            chooser.add(pair, results)

    evaluation = evaluate_models(candidates, benchmarks, watch=watch, **protocol())
    evaluation.failures[:0] = unopened + failures
    evaluation.baseline = FLAGS.baseline
    if FLAGS.repetitions:
        _measure_speed(evaluation, threads)
    print(text_table(evaluation))
    pictures = _write(output, evaluation, chooser, first)
    _write_to_runs(words, evaluation, pictures)
    lines = missed(evaluation, **gates)
    for line in lines:
        logging.error("gate missed: %s", line)
    return FAILED if evaluation.failures else GATE_MISSED if lines else 0


def protocol():
    """How the flags say that quality is measured: keyword arguments of evaluate_models."""
    lpips = LPIPS(FLAGS.lpips_weights) if FLAGS.lpips_weights else None
    return {"scale": FLAGS.scale, "border": FLAGS.border, "channel": FLAGS.channel, "lpips": lpips}


def use_threads():
    """Hold TensorFlow to --threads, before it has started its own, and return how many a model may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = FLAGS.threads or cores
    use_tensorflow_threads(threads)
    return threads


def flagged_benchmarks():
    """({name: pairs}, failures) of --benchmarks. Raises UserError when there is none."""
    if not FLAGS.benchmarks:
        raise UserError("--benchmarks: which pictures? Write NAME:FOLDER, such as Set5:pictures/Set5")
    return folder_benchmarks(FLAGS.benchmarks, scale=FLAGS.scale, data_root=FLAGS.data_root)


def _what_to_compare():
    """([(name, word)], {benchmark: pairs}, failures, output folder), from the newest student where the flags are silent."""
    student = None
    if not (FLAGS.models and FLAGS.benchmarks and FLAGS.output):
        student = Path(FLAGS.student) if FLAGS.student else newest_student_or_none()
    if not (student or FLAGS.models):
        logging.info("nothing was trained here: the shipped networks are compared")
    words = named(FLAGS.models) if FLAGS.models else default_models(student, FLAGS.teacher)
    failures = []
    if FLAGS.benchmarks:
        benchmarks, failures = flagged_benchmarks()
    else:
        if student:
            adopt(student)
        elif not FLAGS["dataset"].present:
            FLAGS.dataset = "sample"
        benchmarks = {"validation": StorePairs(open_store("validation"), most=FLAGS.validation_pictures)}
    for failure in failures:
        logging.error("%s", failure)
    return words, benchmarks, failures, Path(FLAGS.output or (student or RUNS) / "evaluation")


def _gates(words, benchmarks):
    """The arguments of gates.missed from the flags. Raises UserError before anything is measured."""
    names = [name for name, _ in words]
    if FLAGS.baseline is not None and FLAGS.baseline not in names:
        raise UserError(f"--baseline={FLAGS.baseline}: is no row of the table; its rows are {', '.join(names)}")
    for flag in ("max_drop", "max_ms_ratio"):
        if FLAGS[flag].value is not None and FLAGS.baseline is None:
            raise UserError(f"--{flag}: compared with what? Name the row: --baseline={names[0]}")
    if FLAGS.max_ms_ratio is not None and not FLAGS.repetitions:
        raise UserError("--max_ms_ratio: needs times; --repetitions must be above 0")
    least = {}
    for word in FLAGS.min_psnr or []:
        benchmark, colon, number = word.rpartition(":")
        if colon and benchmark not in benchmarks:
            raise UserError(f"--min_psnr={word}: no benchmark is called {benchmark}; there is {', '.join(benchmarks)}")
        try:
            least |= dict.fromkeys([benchmark] if colon else benchmarks, float(number))
        except ValueError as error:
            raise UserError(f"--min_psnr={word}: {number!r} is no number of dB") from error
    return {"min_psnr": least, "max_drop": FLAGS.max_drop, "max_ms_ratio": FLAGS.max_ms_ratio}


def _open_all(words, threads):
    candidates, failures = {}, []
    for name, word in words:
        try:
            candidates[name] = open_candidate(name, word, scale=FLAGS.scale, threads=threads)
        except UserError as error:
            failures.append(str(error))
            logging.error("%s", error)
    if not candidates:
        raise UserError("--models: none of them can be opened")
    return candidates, failures


def _measure_speed(evaluation, threads):
    size = {"height": FLAGS.height, "width": FLAGS.width, "threads": threads}
    engines = {name: result.candidate.engine for name, result in evaluation.sound.items() if result.candidate.engine}
    failures = {}
    times = measure(engines, repetitions=FLAGS.repetitions, warmup=2, failures=failures, **size)
    for name, latency in times.items():
        evaluation.models[name].latency = latency
        if FLAGS.memory:
            try:
                path = evaluation.models[name].candidate.path
                evaluation.models[name].peak_memory = peak_memory(path, scale=FLAGS.scale, **size)
            except UserError as error:
                failures[name] = str(error)
    for name, reason in failures.items():
        evaluation.failures.append(f"{name}: speed: {reason}")
        logging.error("%s", evaluation.failures[-1])


def _write(output, evaluation, chooser, benchmark):
    """Write the reports and the pictures; returns the paths of the PNG files."""
    written = write_report(output, evaluation, command=" ".join(sys.argv), commit=commit())
    written += write_scatter(output / "quality_vs_latency", evaluation)
    if benchmark in evaluation.benchmarks:
        write_sheet(output / "comparison.png", chooser.crops(evaluation.sound))
        written.append(output / "comparison.png")
    print(f"\nwritten: {', '.join(str(path) for path in written)}")
    return [path for path in written if path.suffix == ".png"]


def _write_to_runs(words, evaluation, pictures):
    """The same into the TensorBoard folder of every run that was compared."""
    for name, word in words:
        if name in evaluation.sound and Path(word).is_dir() and is_run(word):
            write_to_tensorboard(Path(word) / "logs", evaluation, name, step=trained_steps(word), pictures=pictures)


def trained_steps(run):
    """Updates of a run over all its phases, 0 where its report.json does not (yet) say."""
    try:
        return sum(phase["steps"] for phase in read_report(run)["phases"])
    except (FileNotFoundError, UserError):
        return 0
