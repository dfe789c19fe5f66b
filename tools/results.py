"""Tell what docs/results/ holds in README.md, weights/README.md, docs/distillation.md and a card
for each network: python -m tools.results.

`make results`, `make ledger`, `make ledger-perceptual` and `make ledger-published` measure first.
Only what stands between the markers of those files is replaced; the cards, weights/NAME.md, are
written anew.
"""

import json
import re
from pathlib import Path

import weights
from cli import app
from errors import UserError
from evaluation.report import markdown_lines
from records import sha256
from runs import read_config
from settings.fields import Command

ROOT = weights.FOLDER.parent
RESULTS = ROOT / "docs" / "results"
REPORT = RESULTS / "report.json"
DEGRADED = RESULTS / "degraded" / "report.json"
# The targets of the Makefile, and the folders under RESULTS.
LEDGERS = ("ledger", "ledger-perceptual", "ledger-published")

_PURPOSES = {
    "": "trained for fidelity: as close to the original as its size allows, a little soft",
    weights.PERCEPTUAL: "trained on for realism against a discriminator: sharper, and further from the original in dB",
    weights.PHOTO_SUFFIX: "trained for fidelity to what was there before blur, noise and JPEG: photographs from phones and the web",
}
# The rows of README.md: what a reader wants, and the network for it.
_CHOICES = {
    "compact_s.int8": "faithful, small and fast: an app, a machine without a GPU",
    "compact_s": "the same in floats; for clean images `upscale.py` takes it by itself",
    "compact_s_photo": "photographs with JPEG, noise, blur; for JPEG `upscale.py` takes it by itself",
    "compact_s_photo.int8": "the same for an app",
    "compact_xs.int8": "the smallest and fastest",
    "compact_s_perceptual": "sharper, of clean images only: texture is guessed",
    "bicubic": "no network, for comparison",
}
_CHOICES_DEGRADED = "jpeg:50"
_GUESSED = "Fine texture is guessed, text of a few pixels included: do not use it where a detail is evidence."
_LIMITS = {
    False: "Made for images that were reduced by bicubic interpolation and are otherwise clean; noise and JPEG blocks are enlarged with the rest.",
    True: "Made for blur, noise and JPEG as data/photo_degradation.py draws them. On clean images it is softer than the network without "
    "`_photo`; weak texture may go with the noise.",
}


def main(_: Command) -> None:
    """Write the tables and the cards. Raises UserError where nothing was measured."""
    for path in (REPORT, DEGRADED):
        if not path.is_file():
            raise UserError(f"{path}: measure first: make results")
    report = json.loads(REPORT.read_text())
    table = "\n".join(
        [
            *table_of(report),
            "",
            _measured(report),
        ]
    )
    replace(weights.FOLDER / "README.md", "results", table)
    degraded = json.loads(DEGRADED.read_text())
    replace(ROOT / "README.md", "results", "\n".join([*choices_of(report, degraded), "", _measured(report)]))
    lines = [*degraded_table_of(degraded), "", _cells_of_degraded(degraded)]
    replace(weights.FOLDER / "README.md", "results, degraded images", "\n".join(lines))
    for target in LEDGERS:
        if (ledger := RESULTS / target / "ledger.md").is_file():
            replace(ROOT / "docs" / "distillation.md", target, ledger.read_text().strip())
    for name in weights.names():
        (weights.FOLDER / f"{name}.md").write_text(card(name, report, degraded))


def table_of(report: dict) -> list[str]:
    """The models of a report.json as lines of Markdown: size, quality on each benchmark, speed, and
    ratio to the report's baseline.
    """
    models = report["models"]
    benchmarks = list(next(iter(models.values()))["benchmarks"])
    base = report["baseline"]
    header = [
        "network",
        "parameters",
        "file",
        *(f"{name}: PSNR / SSIM / LPIPS" for name in benchmarks),
        "ms",
        f"faster than {base}",
    ]
    rows = []
    for name, model in models.items():
        ratio = model["ratios"].get("median_ms")
        rows.append(
            [
                name,
                f"{model['parameters']:,}" if model["parameters"] else "",
                f"{model['file_size'] / 1000:.0f} kB" if model["file_size"] else "",
                *(quality(model["benchmarks"][benchmark]) for benchmark in benchmarks),
                f"{model['latency']['median_ms']:.1f}" if model["latency"] else "",
                f"{1 / ratio:.3g}×" if ratio and name != base else "",
            ]
        )
    return markdown_lines(header, rows)


def degraded_table_of(report: dict) -> list[str]:
    """The models of docs/results/degraded as lines of Markdown: a column for each degradation."""
    benchmarks = _degraded(report)
    rows = [
        [name, *(_degraded_quality(model["benchmarks"][benchmark]) for benchmark in benchmarks.values())]
        for name, model in report["models"].items()
    ]
    return markdown_lines(["network", *benchmarks], rows)


def _cells_of_degraded(report):
    seams = report["original_seams"][_degraded(report)["clean"]]
    return (
        f"{_degraded(report)['clean']}: PSNR in dB / LPIPS / block seams, {seams:.2f} in the originals; "
        f"`evaluate.py --degrade`, docs/evaluation.md; {report['day']}."
    )


def _degraded(report):
    """{what --degrade says: name of the benchmark}: {"clean": "Set14", "jpeg:30": "Set14
    jpeg:30"}.
    """
    names = list(next(iter(report["models"].values()))["benchmarks"])
    return {name.partition(" ")[2] or "clean": name for name in names}


def _degraded_quality(score):
    return f"{score['psnr']:.2f} / {score['lpips']:.3f} / {score['seams']:.2f}"


def choices_of(report: dict, degraded: dict) -> list[str]:
    """What to take for what, as lines of Markdown. degraded: docs/results/degraded.

    Raises UserError where a network of the table was not measured.
    """
    models = report["models"]
    for path, measured in ((REPORT, models), (DEGRADED, degraded["models"])):
        if missing := [name for name in _CHOICES if name not in measured]:
            raise UserError(f"{path}: lacks {', '.join(missing)}")
    benchmarks = list(next(iter(models.values()))["benchmarks"])
    lossy = _degraded(degraded)[_CHOICES_DEGRADED]
    header = [
        "you want",
        "network",
        " / ".join(benchmarks),
        f"{benchmarks[-1]} as JPEG {_CHOICES_DEGRADED.partition(':')[2]}",
    ]
    header += [f"LPIPS, {benchmarks[-1]}", "file", "ms"]
    rows = []
    for name, purpose in _CHOICES.items():
        model, scores = models[name], models[name]["benchmarks"]
        rows.append(
            [
                purpose,
                f"`{name}`",
                " / ".join(f"{scores[benchmark]['psnr']:.2f}" for benchmark in benchmarks) + " dB",
                f"{degraded['models'][name]['benchmarks'][lossy]['psnr']:.2f} dB",
                f"{scores[benchmarks[-1]]['lpips']:.3f}",
                f"{model['file_size'] / 1000:.0f} kB" if model["file_size"] else "",
                f"{model['latency']['median_ms']:.0f}",
            ]
        )
    return markdown_lines(header, rows)


def _measured(report):
    return f"{report['protocol']}; LPIPS v0.1, SqueezeNet 1.1, lower is better. {_latency(report)}; {report['machine']}; {report['day']}."


def _latency(report):
    return report["latency_protocol"].replace("median and 90th percentile", "median")  # the tables show no other


def quality(score: dict) -> str:
    """PSNR in dB, SSIM and, where it was measured, LPIPS."""
    return f"{score['psnr']:.2f} / {score['ssim']:.4f}" + (f" / {score['lpips']:.3f}" if score["lpips"] else "")


def replace(path: Path, target: str, table: str) -> None:
    """Write `table` between the markers of that Makefile target in a Markdown file.

    Raises UserError naming the file where it has none.
    """
    text = path.read_text()
    begin, end = f"<!-- make {target}: begin -->", f"<!-- make {target}: end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise UserError(f"{path}: has no line {begin!r}, the place of the table")
    path.write_text(pattern.sub(lambda _: f"{begin}\n{table}\n{end}", text))


def card(name: str, report: dict, degraded: dict) -> str:
    """The model card of a shipped network, Markdown. degraded: docs/results/degraded."""
    suffix = next((word for word in _PURPOSES if word and name.endswith(word)), "")
    description = json.loads((weights.FOLDER / f"{name}.json").read_text())
    files = sorted(path for path in weights.FOLDER.glob(f"{name}.*") if path.suffix in (".h5", ".tflite"))
    lines = [f"# {name}", "", f"{description['network']} {description['config']}: {description['parameters']:,} parameters, ×{description['scale']}, "
             f"{_PURPOSES[suffix]}.", ""]  # fmt: skip
    lines += ["## Training", "", *_training(name)]
    int8 = weights.FOLDER / f"{name}.int8.json"
    if int8.is_file():
        lines += [
            "",
            "The integer file comes from quantisation-aware distillation:",
            "",
            *_training(f"{name}.int8"),
        ]
    lines += [
        "",
        "## Figures",
        "",
        *_figures(name, report),
        *_degraded_figures(name, degraded),
        "",
        f"{report['protocol']}.",
        "",
    ]
    lines += ["## Limits", "", f"{_LIMITS[suffix == weights.PHOTO_SUFFIX]} {_GUESSED}", "", "## Files", ""]
    lines += [f"- `{path.name}`: {path.stat().st_size:,} bytes, sha-256 `{sha256(path)}`" for path in files]
    return "\n".join(lines) + "\n"


def _training(file):
    origin = json.loads((weights.FOLDER / f"{file}.json").read_text())["origin"]
    others = read_config(weights.FOLDER / f"{file}.flags.txt")["validation_pictures"]
    steps = ", ".join(f"{count:,} ({phase})" for phase, count in origin["steps"].items())
    validation = "; ".join(
        f"{phase} " + ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        for phase, metrics in origin["validation"].items()
    )
    began = []
    if start := origin.get("began_from"):
        began = [
            f"- began from the `{start}` that was shipped at that commit; its card there tells of the run before this one"
        ]
    return [
        f"`{origin['command']} --hr_dir=PHOTOGRAPHS --valid_dir=OTHERS`, with the code of commit {origin['commit']} and the flag file of today.",
        "",
        *began,
        *(f"- {change}" for change in origin.get("history", ())),
        f"- steps: {steps}; seed {origin['seed']}; {origin['hours']} hours on one or two server cores; finished {origin['finished'][:10]}",
        "- pictures: the 511 photographs that weights/README.md describes, with their licences",
        f"- validation on {others} others: {validation} ({origin['protocol']})",
    ]


def _figures(name, report):
    for row, model in report["models"].items():
        if row.split(".")[0] == name:
            scores = "; ".join(f"{benchmark} {quality(score)}" for benchmark, score in model["benchmarks"].items())
            speed = f"; {model['latency']['median_ms']:.1f} ms" if model["latency"] else ""
            yield f"- `{row}`: {scores}{speed}"


def _degraded_figures(name, report):
    for row, model in report["models"].items():
        if row.split(".")[0] == name:
            scores = model["benchmarks"]
            words = (f"{word} {scores[key]['psnr']:.2f}" for word, key in _degraded(report).items() if word != "clean")
            yield f"- `{row}`, {_degraded(report)['clean']} degraded, PSNR: {'; '.join(words)}"


if __name__ == "__main__":
    app.run(main, Command(), description=__doc__)
