"""evaluate.py --interpolate: what lies between two weight files of one network."""

import json
import sys
from pathlib import Path

from absl import flags

from cli.evaluation import FAILED, flagged_benchmarks, protocol, use_threads
from cli.networks import commit, find_weights
from errors import UserError
from evaluation.benchmark import evaluate_models
from evaluation.candidates import Candidate
from evaluation.charts import write_sweep
from evaluation.report import aligned_lines, markdown_lines, protocol_line
from evaluation.report_files import csv_text, finite, write_text
from inference.engines import KerasEngine
from models import clone, load_generator
from models.interpolation import blend

FLAGS = flags.FLAGS

_FIGURES = ("psnr", "ssim", "lpips")


def sweep():
    """Measure (1 - alpha) * first + alpha * second for all --alphas; write interpolation.md, .csv, .json, .png, .svg.

    Source: ESRGAN, arXiv:1809.00219, section 3.4, network interpolation. Returns the exit status.
    """
    use_threads()
    first, second = _networks()
    alphas = _alphas()
    benchmarks, failures = flagged_benchmarks()
    how = protocol()
    model = clone(first)
    engine = KerasEngine(model)
    ends = first.get_weights(), second.get_weights()
    rows = []
    for alpha in alphas:
        model.set_weights(blend(*ends, alpha=alpha))
        name = f"alpha {alpha:g}"
        evaluation = evaluate_models({name: Candidate(name, engine)}, benchmarks, **how)
        failures += [line for line in evaluation.failures if line not in failures]
        rows.append((alpha, evaluation.models[name].benchmarks))
    names = [name for name in benchmarks if all(name in scores for _, scores in rows)]
    if not names:
        raise UserError(f"--interpolate: nothing could be measured: {'; '.join(failures)}")
    _report(Path(FLAGS.output or "runs/interpolation"), rows, names, protocol_line(evaluation), failures)
    return FAILED if failures else 0


def _networks():
    if len(FLAGS.interpolate) != 2:
        raise UserError(
            f"--interpolate={','.join(FLAGS.interpolate)}: takes two weight files or run folders, with a comma"
        )
    first, second = (load_generator(find_weights(word)) for word in FLAGS.interpolate)
    forms = [(type(model).__name__, model.get_config()) for model in (first, second)]
    if forms[0] != forms[1]:
        described = (f"{name} {json.dumps(config)}" for name, config in forms)
        raise UserError(f"--interpolate: the two files hold different networks: {' and '.join(described)}")
    if first.scale != FLAGS.scale:
        raise UserError(f"--interpolate: the networks upscale by {first.scale}, but --scale is {FLAGS.scale}")
    return first, second


def _alphas():
    if not FLAGS.alphas:
        return [step / 10 for step in range(11)]
    try:
        return [float(word) for word in FLAGS.alphas]
    except ValueError as error:
        raise UserError(f"--alphas={','.join(FLAGS.alphas)}: {error}") from error


def _report(output, rows, names, protocol_text, failures):
    entries = [
        {"alpha": alpha}
        | {f"{name}_{figure}": finite(getattr(scores[name], figure)) for name in names for figure in _FIGURES}
        for alpha, scores in rows
    ]
    entries = [{key: value for key, value in entry.items() if value is not None} for entry in entries]
    header = [key.replace("_", " ") for key in entries[0]]
    cells = [
        [f"{value:.4g}" if key == "alpha" else f"{value:.4f}" for key, value in entry.items()] for entry in entries
    ]
    notes = [protocol_text, f"(1 - alpha) * {FLAGS.interpolate[0]} + alpha * {FLAGS.interpolate[1]}"]
    notes += [f"failed: {line}" for line in failures]
    print("\n".join([*aligned_lines(header, cells), "", *notes]))
    measure = "lpips" if FLAGS.lpips_weights else "ssim"
    content = {"protocol": protocol_text, "networks": FLAGS.interpolate, "rows": entries}
    content |= {"command": " ".join(sys.argv), "commit": commit()}
    lines = [*markdown_lines(header, cells), "", *(f"{note}  " for note in notes)]
    written = [
        write_text(output / "interpolation.md", "\n".join(lines) + "\n"),
        write_text(output / "interpolation.csv", csv_text(entries)),
        write_text(output / "interpolation.json", json.dumps(content, indent=2) + "\n"),
        *write_sweep(output / "interpolation", rows, benchmarks=names, measure=measure, protocol=protocol_text),
    ]
    print(f"\nwritten: {', '.join(str(path) for path in written)}")
