"""evaluate.py --interpolate: what lies between two weight files of one network (ESRGAN,
arXiv:1809.00219, section 3.4).
"""

import math
from pathlib import Path

from errors import UserError
from evaluation.benchmark import evaluate_models, protocol
from evaluation.candidates import Candidate, use_threads
from evaluation.charts import write_sweep
from evaluation.degrading import degraded
from evaluation.pairs import flagged_benchmarks
from evaluation.report import notes_of_means, protocol_line
from evaluation.report_files import check_writable, finite, write_table
from evaluation.results import FAILED, Evaluation, leave_out_exact
from inference.engines import KerasEngine
from models import clone
from models.interpolation import blend, load_both
from runs import find_weights
from settings.evaluation import Evaluate


def sweep(settings: Evaluate) -> int:
    """Measure (1 - alpha) * first + alpha * second for all --alphas; write interpolation.md, .csv,
    .json, .png, .svg. Returns the exit status.
    """
    output = Path(settings.comparison.output or "runs/interpolation")
    check_writable(output)
    use_threads(settings.speed.threads)
    how = protocol(settings)
    first, second = _networks(settings)
    alphas = _alphas(settings.tables.alphas)
    benchmarks, failures = flagged_benchmarks(settings)
    benchmarks = degraded(benchmarks, settings)
    model = clone(first)
    engine = KerasEngine(model)
    ends = first.get_weights(), second.get_weights()
    evaluations = []
    for alpha in alphas:
        model.set_weights(blend(*ends, alpha=alpha))
        name = f"alpha {alpha:g}"
        evaluations.append(evaluate_models({name: Candidate(name, engine)}, benchmarks, **how))
        failures += [line for line in evaluations[-1].failures if line not in failures]
    results = [result.benchmarks for evaluation in evaluations for result in evaluation.models.values()]
    found = evaluations[0]
    found.benchmarks = [name for name in benchmarks if all(name in scores for scores in results)]
    if not found.benchmarks:
        raise UserError(f"--interpolate: nothing could be measured: {'; '.join(failures)}")
    for name in found.benchmarks:
        leave_out_exact(scores[name] for scores in results)
    found.failures = failures
    _report(settings, output, found, list(zip(alphas, results, strict=True)))
    return FAILED if failures else 0


def _networks(settings):
    words = settings.tables.interpolate
    if len(words) != 2:
        raise UserError(f"--interpolate={','.join(words)}: takes two weight files or run folders, with a comma")
    first, second = load_both(*(find_weights(word) for word in words))
    if first.scale != settings.pictures.scale:
        raise UserError(
            f"--interpolate: the networks upscale by {first.scale}, but --scale is {settings.pictures.scale}"
        )
    return first, second


def _alphas(words):
    try:
        alphas = [float(word) for word in words] or [step / 10 for step in range(11)]
    except ValueError as error:
        raise UserError(f"--alphas={','.join(words)}: {error}") from error
    if not all(map(math.isfinite, alphas)):
        raise UserError(f"--alphas={','.join(words)}: wants finite numbers")
    return alphas


def _report(settings, output, found: Evaluation, rows):
    figures = [figure for figure in found.figures if figure != "lr_psnr"]
    entries = [
        {"alpha": alpha}
        | {f"{name}_{figure}": finite(getattr(scores[name], figure)) for name in found.benchmarks for figure in figures}
        for alpha, scores in rows
    ]
    measured = [key for key in entries[0] if any(entry[key] is not None for entry in entries)]
    entries = [{key: entry[key] for key in measured} for entry in entries]
    header = [key.replace("_", " ") for key in measured]
    cells = [[_cell(key, value) for key, value in entry.items()] for entry in entries]
    words = list(settings.tables.interpolate)
    said = protocol_line(found)
    notes = [said, *notes_of_means(found), f"(1 - alpha) * {words[0]} + alpha * {words[1]}"]
    notes += [f"failed: {line}" for line in found.failures]
    content = {"protocol": said, "networks": words, "rows": entries}
    written = write_table(output / "interpolation", (header, cells), notes=notes, content=content, entries="rows")
    measure = "lpips" if settings.measures.lpips_weights else "ssim"
    written += write_sweep(output / "interpolation", rows, benchmarks=found.benchmarks, measure=measure, protocol=said)
    print(f"\nwritten: {', '.join(str(path) for path in written)}")


def _cell(key, value):
    if value is None:
        return "-"
    return f"{value:.4g}" if key == "alpha" else f"{value:.4f}"
