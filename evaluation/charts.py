"""Charts with matplotlib, without a screen: quality against latency, and a sweep of network
interpolation.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context, ticker
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from evaluation.report import latency_line, protocol_line
from evaluation.report_files import writing
from evaluation.results import BenchmarkScore, Evaluation

_INK, _FAINT, _FRONT, _POINT = "#18181b", "#71717a", "#e11d48", "#2563eb"
_OFFSETS = sorted((direction * points for points in range(10, 130, 10) for direction in (1, -1)), key=abs)
_HALO = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6}  # keeps a name legible across a line


def pareto_front(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other beats in both: fastest first. points: (milliseconds, quality);
    higher quality is better.
    """
    front = []
    for latency, quality in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or quality > front[-1][1]:
            front.append((latency, quality))
    return front


def write_scatter(stem: str | Path, evaluation: Evaluation) -> list[Path]:
    """Draw PSNR against latency, a panel for each benchmark, as STEM.png and STEM.svg.

    Returns the paths, [] when nothing was timed.

    Raises UserError when a file cannot be written.
    """
    panels = {
        benchmark: {
            name: (result.latency.median_ms, result.benchmarks[benchmark].psnr)
            for name, result in evaluation.sound.items()
            if result.latency and benchmark in result.benchmarks and math.isfinite(result.benchmarks[benchmark].psnr)
        }
        for benchmark in evaluation.benchmarks
    }
    panels = {benchmark: points for benchmark, points in panels.items() if points}
    if not panels:
        return []
    figure, axes = _figure(len(panels))
    for axis, (benchmark, points) in zip(axes, panels.items(), strict=True):
        _draw_panel(axis, points, title=benchmark, show_y=axis is axes[0])
    figure.text(0.01, 0.01, f"{protocol_line(evaluation)}\n{latency_line(evaluation)}", color=_FAINT, fontsize=7)
    return save_figure(figure, stem)


def write_sweep(
    stem: str | Path,
    rows: Sequence[tuple[float, dict[str, BenchmarkScore]]],
    *,
    benchmarks: Sequence[str],
    measure: str,
    protocol: str,
) -> list[Path]:
    """Draw PSNR against `measure` ("lpips" or "ssim") along a sweep of alpha, a panel for each
    benchmark. Returns the paths.

    rows: (alpha, {benchmark: score}). Raises UserError when a file cannot be written.
    """
    figure, axes = _figure(len(benchmarks))
    label = {"lpips": "LPIPS (to the left is better)", "ssim": "SSIM (to the right is better)"}[measure]
    for axis, benchmark in zip(axes, benchmarks, strict=True):
        points = {
            alpha: (getattr(scores[benchmark], measure), scores[benchmark].psnr)
            for alpha, scores in rows
            if math.isfinite(scores[benchmark].psnr)
        }
        x, y = np.array(list(points.values())).reshape(-1, 2).T
        axis.plot(x, y, "-o", color=_POINT, markersize=4, linewidth=1)
        for alpha, point in points.items():
            axis.annotate(f"{alpha:g}", point, xytext=(4, 4), textcoords="offset points", fontsize=8, bbox=_HALO)
        _style(axis, title=f"{benchmark}, alpha beside each point", x_label=label, show_y=axis is axes[0])
    figure.text(0.01, 0.01, protocol, color=_FAINT, fontsize=7)
    return save_figure(figure, stem)


def save_figure(figure: Figure, stem: str | Path) -> list[Path]:
    """Write STEM.png and STEM.svg; returns the paths.

    Raises UserError when a file cannot be written.
    """
    paths = [Path(f"{stem}.{suffix}") for suffix in ("png", "svg")]
    for path in paths:
        # Neither a date nor the version in the file: the same figures give the same bytes.
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        with writing(path), rc_context({"svg.fonttype": "none", "svg.hashsalt": path.name}):  # letters stay letters
            figure.savefig(path, dpi=150, metadata=metadata)
    return paths


def _figure(panels):
    figure = Figure(figsize=(max(7.0, 6.0 * panels), 5.4), facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    figure.subplots_adjust(
        left=0.72 / figure.get_figwidth(), right=1 - 0.2 / figure.get_figwidth(), bottom=0.16, top=0.93
    )
    return figure, list(axes)


def _draw_panel(axis, points, *, title, show_y):
    front = pareto_front(points.values())
    axis.plot(
        *zip(*front, strict=True), drawstyle="steps-post", color=_FRONT, linewidth=1.2, zorder=1, label="Pareto front"
    )
    for point in points.values():
        axis.plot(*point, "o", color=_FRONT if point in front else _POINT, markersize=6, zorder=2)
    spread = max(x for x, _ in points.values()) / front[0][0]
    logarithmic = spread > 3
    if logarithmic:
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if spread < 100 else (1, 3)))
        axis.xaxis.set_minor_locator(ticker.NullLocator())
        axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.margins(0.18, 0.15)
    axis.legend(loc="best", frameon=False, fontsize=8)
    _style(axis, title=title, x_label=f"ms, median{', logarithmic' if logarithmic else ''}", show_y=show_y)
    _label(axis, points)


def _label(axis, points):
    """Names beside their points, as near as no other point or name is in the way; a line leads to
    those that had to go further.
    """
    axis.figure.draw_without_rendering()  # settles the scales, and with them where the points are
    renderer = axis.figure.canvas.get_renderer()
    limits = axis.get_window_extent(renderer)
    places = {name: axis.transData.transform(point) for name, point in points.items()}
    taken = [axis.get_legend().get_window_extent(renderer)]
    taken += [Bbox.from_bounds(*(place - 5), 10, 10) for place in places.values()]
    from_the_right = sorted(points.items(), key=lambda item: item[1], reverse=True)  # where there is least room
    candidates = list(itertools.product(_OFFSETS, (6, -6)))
    candidates.append(candidates[0])  # where there is no room at all
    for name, point in from_the_right:
        for offset, x in candidates:
            far = abs(offset) > 14
            line = {"arrowstyle": "-", "color": _FAINT, "linewidth": 0.5, "shrinkB": 4} if far else None
            text = axis.annotate(
                name, point, xytext=(x, offset), textcoords="offset points", ha="left" if x > 0 else "right",
                va="center", fontsize=8, color=_INK, bbox=_HALO, arrowprops=line,
            )  # fmt: skip
            text.update_positions(renderer)
            box = Text.get_window_extent(text, renderer).padded(2)  # without the line
            inside = limits.x0 <= box.x0 and box.x1 <= limits.x1 and limits.y0 <= box.y0 and box.y1 <= limits.y1
            own = far or min(places, key=lambda other: _distance(box, places[other])) == name
            if inside and own and not any(box.overlaps(other) for other in taken):
                break
            text.remove()
        else:
            axis.add_artist(text)
        taken.append(box)


def _distance(box, place):
    """From a place to the nearest point of a box."""
    x, y = place
    return ((x - min(max(x, box.x0), box.x1)) ** 2 + (y - min(max(y, box.y0), box.y1)) ** 2) ** 0.5


def _style(axis, *, title, x_label, show_y):
    axis.set_title(title, fontsize=10, color=_INK, loc="left")
    axis.set_xlabel(x_label, fontsize=8, color=_INK)
    if show_y:
        axis.set_ylabel("PSNR, dB", fontsize=8, color=_INK)
    axis.grid(True, which="both", color="#e4e4e7", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=8, colors=_INK)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
