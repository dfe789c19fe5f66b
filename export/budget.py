"""The largest compact student that runs within so many milliseconds on this machine, measured
before anything is trained.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from errors import UserError
from evaluation.latency import measure
from evaluation.progress import bar
from export.tflite import convert
from inference.engines import TFLiteEngine
from models import build_generator

# (depth, width), widths in steps that vector units like; from the smallest that is of use to the
# largest a phone would run.
CANDIDATES = (
    (2, 8),
    (3, 16),
    (4, 16),
    (4, 24),
    (6, 24),
    (6, 32),
    (8, 32),
    (10, 32),
    (8, 48),
    (12, 48),
    (10, 64),
    (16, 64),
)


class Measured(NamedTuple):
    """A size of the compact student, its parameters after collapsing, and its median milliseconds
    through LiteRT.
    """

    depth: int
    width: int
    parameters: int
    milliseconds: float


def measure_candidates(
    *,
    height: int,
    width: int,
    scale: int = 4,
    candidates: Sequence[tuple[int, int]] = CANDIDATES,
    repetitions: int = 7,
) -> list[Measured]:
    """Time every candidate, untrained (its weights do not matter), at one input size, interleaved;
    sorted by parameters.

    height, width: of the input, in pixels. All cores are used.
    """
    engines, parameters = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for size in bar(candidates, "making the candidates"):
            model = build_generator("compact_s", depth=size[0], width=size[1], scale=scale)
            path = Path(folder) / f"{size[0]}x{size[1]}.tflite"
            path.write_bytes(convert(model, height=height, width=width))
            engines[size], parameters[size] = TFLiteEngine(path), model.fuse().count_params()
        times = measure(engines, height=height, width=width, repetitions=repetitions, warmup=2)
    rows = [Measured(*size, parameters[size], times[size].median_ms) for size in candidates]
    return sorted(rows, key=lambda row: row.parameters)


def largest_within(rows: list[Measured], budget_ms: float) -> Measured:
    """The row with the most parameters among those within `budget_ms`.

    Raises UserError when none is.
    """
    within = [row for row in rows if row.milliseconds <= budget_ms]
    if not within:
        fastest = min(rows, key=lambda row: row.milliseconds)
        raise UserError(
            f"--budget_ms={budget_ms:g}: the smallest student ({fastest.depth}×{fastest.width}) takes {fastest.milliseconds:.1f} ms "
            f"for this input here; allow more, or make --budget_height and --budget_width smaller"
        )
    return max(within, key=lambda row: row.parameters)


def budget_table(rows: list[Measured], chosen: Measured) -> str:
    """The rows as lines of text, the chosen one marked."""
    lines = [f"{'depth×width':>12} {'parameters':>11} {'ms':>8}"]
    for row in rows:
        mark = "  <- chosen" if row == chosen else ""
        lines.append(f"{f'{row.depth}×{row.width}':>12} {row.parameters:>11,} {row.milliseconds:>8.1f}{mark}")
    return "\n".join(lines)
