"""An `Evaluation` as a table: on the screen and in Markdown.

Every table carries the protocol its figures were made by.
"""

from collections.abc import Iterable, Sequence

from evaluation.multiply_adds import OUTPUT
from evaluation.results import Evaluation

Table = tuple[list[str], list[list[str]]]  # header and rows

_CHANNELS = {"y": "Y (BT.601, 16-235)", "y8": "Y (BT.601, 16-235, rounded to 8 bits)", "rgb": "RGB"}
_DIFFERENCES = {
    "psnr": ("PSNR", 3),
    "psnr_rgb": ("PSNR on RGB", 3),
    "grid": ("grid", 3),
    "lpips": ("LPIPS", 4),
    "seams": ("block seams", 3),
}
_MEANS = {"psnr": "all means", "psnr_rgb": "the mean of PSNR on RGB", "lr_psnr": "the mean of LR-PSNR"}


def protocol_line(evaluation: Evaluation) -> str:
    """Say how the figures were made: "PSNR/SSIM on Y (BT.601, 16-235), 4 px border, MATLAB bicubic
    x4, ...".
    """
    degradation = evaluation.degradation or f"MATLAB bicubic x{evaluation.scale}"
    tiles = f", tiles of {evaluation.tiles}x{evaluation.tiles}" if evaluation.tiles else ""
    how = f"{evaluation.border} px border, {degradation}, 8-bit output{tiles}"
    return f"PSNR/SSIM on {_CHANNELS[evaluation.channel]}, {how}"


def latency_line(evaluation: Evaluation) -> str | None:
    """Say how the times were made, in one line; None when nothing was timed."""
    timed = [result.latency for result in evaluation.models.values() if result.latency]
    if not timed:
        return None
    height, width, scale = timed[0].height, timed[0].width, evaluation.scale
    threads = f", {timed[0].threads} thread{'s'[: timed[0].threads > 1]}" if timed[0].threads else ""
    return (
        f"ms: {width}x{height} to {scale * width}x{scale * height}{threads}, "
        f"median and 90th percentile of {timed[0].repetitions} interleaved repetitions"
    )


def text_table(evaluation: Evaluation) -> str:
    """Aligned tables for the screen, the protocol below; failures were said as they happened.

    Without a newline at its end.
    """
    tables = [aligned_lines(*table) for table in tables_of(evaluation)]
    return "\n".join([line for table in tables for line in (*table, "")] + notes(evaluation))


def markdown_table(evaluation: Evaluation) -> str:
    """The same as Markdown tables, figures aligned to the right, with the failures."""
    tables = [markdown_lines(*table) for table in tables_of(evaluation)]
    below = [*notes(evaluation), *(f"failed: {line}" for line in evaluation.failures)]
    return "\n".join([line for table in tables for line in (*table, "")] + [f"{note}  " for note in below])


def tables_of(evaluation: Evaluation) -> list[Table]:
    """The table of the models, and that of their differences to the baseline where there are any.

    A column without figures is left out.
    """
    benchmarks = evaluation.benchmarks
    header = ["model", "parameters", "mult-adds", "file", *benchmarks, *(f"{name}: RGB / grid" for name in benchmarks)]
    header += [f"{name}: seams" for name in benchmarks]
    header += ["LR-PSNR", "colour shift", "flat", "ms", "p90", "peak memory"]
    rows = [_row(evaluation, name) for name in evaluation.models]
    used = [column for column in range(len(header)) if not column or any(row[column] != "-" for row in rows)]
    tables = [([header[column] for column in used], [[row[column] for column in used] for row in rows])]
    differences = [row for name in evaluation.models for row in _difference_rows(evaluation, name)]
    if differences:
        header = ["model", "benchmark", "measure", "tiles", f"less {evaluation.baseline}", "95 % interval"]
        tables.append((header, differences))
    return tables


def aligned_lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table as lines of text: the first column to the left, the others to the right."""
    widths = [max(len(line[column]) for line in [header, *rows]) for column in range(len(header))]
    ruler = "  ".join("-" * width for width in widths)
    return [_aligned(header, widths), ruler, *(_aligned(row, widths) for row in rows)]


def markdown_lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The same as lines of Markdown."""
    ruler = [":--"] + ["--:"] * (len(header) - 1)
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in [header, ruler, *rows]]


def notes(evaluation: Evaluation) -> list[str]:
    """What a reader of the table must know, as lines: the protocol first."""
    scored = [score for result in evaluation.models.values() for score in result.benchmarks.values()]
    lines = [protocol_line(evaluation), latency_line(evaluation), *notes_of_means(evaluation)]
    if evaluation.rgb:
        lines.append(
            "RGB / grid: PSNR on RGB, and what repeats itself from one LR pixel to the next, in units of 1/255, lower is better"
        )
    if evaluation.original_seams:
        once = {
            value: name for name, value in reversed(evaluation.original_seams.items())
        }  # degraded or not, they are the same
        originals = ", ".join(f"{value:.3f} ({name})" for value, name in reversed(once.items()))
        lines.append(
            f"seams: steps across the borders of JPEG's blocks, as a ratio to other steps, lower is better; of the originals {originals}"
        )
    if scored:
        if any(score.lpips is not None for score in scored):
            lines.append("third figure: LPIPS v0.1, SqueezeNet 1.1, lower is better")
        else:
            lines.append(
                "no LPIPS: --lpips_weights=FILE.npz adds it (docs/evaluation.md says where the file comes from)"
            )
        lines.append("LR-PSNR: the output brought down again against the input, RGB, mean of the benchmarks' means")
        lines.append("colour shift: the largest mean difference of R, G or B on any benchmark, in units of 1/255")
    if any(result.flat_errors for result in evaluation.models.values()):
        lines.append(
            "flat: the largest error on a white, a grey and a black picture, borders included, in units of 1/255"
        )
    if any(result.candidate.multiply_adds for result in evaluation.models.values()):
        lines.append(f"mult-adds: of one output of {OUTPUT[1]}x{OUTPUT[0]}")
    if any(result.peak_memory for result in evaluation.models.values()):
        lines.append(
            "peak memory: what opening the model and the timed picture add to a fresh process with the runtime loaded"
        )
    if evaluation.baseline:
        lines.append(f"(x): as a ratio to {evaluation.baseline}")
    return [line for line in lines if line]


def notes_of_means(evaluation: Evaluation) -> list[str]:
    """Which images the means leave out, as lines."""
    named = {
        measure: "; ".join(f"{benchmark}: {', '.join(images)}" for benchmark, images in found.items())
        for measure, found in evaluation.left_out.items()
    }
    return [
        f"left out of {_MEANS[measure]}, of all models, because one is exact there: {images}"
        for measure, images in named.items()
    ]


def _row(evaluation, name):
    result, ratios = evaluation.models[name], evaluation.ratios(name)
    costs, latency, scores = evaluation.costs(name), result.latency, result.benchmarks
    shifts = [abs(shift) for score in scores.values() for shift in score.color_shift]
    flat = result.flat_errors

    def cost(key, text):
        if costs[key] is None:
            return "-"
        ratio = ratios.get(key) if name != evaluation.baseline else None
        return text(costs[key]) + (f" ({ratio:.3g}x)" if ratio else "")

    return [
        name,
        cost("parameters", lambda value: f"{value:,}"),
        cost("multiply_adds", lambda value: f"{value / 1e9:.2f} G"),
        cost("file_size", lambda value: f"{value / 1000:,.0f} kB"),
        *(_quality(scores.get(benchmark)) for benchmark in evaluation.benchmarks),
        *(_on_rgb(scores.get(benchmark)) for benchmark in evaluation.benchmarks),
        *(_seams(scores.get(benchmark)) for benchmark in evaluation.benchmarks),
        f"{sum(score.lr_psnr for score in scores.values()) / len(scores):.2f}" if scores else "-",
        f"{max(shifts):.2f}" if shifts else "-",
        f"{flat['white']}/{flat['grey']}/{flat['black']}" if flat else "-",
        cost("median_ms", lambda value: f"{value:.1f}"),
        f"{latency.p90_ms:.1f}" if latency else "-",
        cost("peak_memory", lambda value: f"{value / 1e6:,.0f} MB"),
    ]


def _quality(score):
    if not score:
        return "-"
    return f"{score.psnr:.2f} / {score.ssim:.4f}" + ("" if score.lpips is None else f" / {score.lpips:.4f}")


def _on_rgb(score):
    return "-" if not score or score.psnr_rgb is None else f"{score.psnr_rgb:.2f} / {score.grid:.3f}"


def _seams(score):
    return "-" if not score or score.seams is None else f"{score.seams:.3f}"


def _difference_rows(evaluation, name):
    for benchmark, differences in evaluation.differences(name).items():
        for measure, found in differences.items():
            label, digits = _DIFFERENCES[measure]
            interval = f"{found.low:+.{digits}f} to {found.high:+.{digits}f}"
            yield [name, benchmark, label, str(found.tiles), f"{found.mean:+.{digits}f}", interval]


def _aligned(cells, widths):
    first, *others = (cell.ljust(width) if not column else cell.rjust(width)
                      for column, (cell, width) in enumerate(zip(cells, widths, strict=True)))  # fmt: skip
    return "  ".join([first, *others]).rstrip()
