"""Measure training: the loop against the bare step, waiting for data, a cached against a live
teacher, precision, start-up, memory.

The student is compact_s, the live teacher srresnet, the batches those of a real run on the images
of the flags (seven photographs by default). The loop takes turns with everything that it is
compared with, because a machine's speed wanders; medians of the turns are compared.

    python -m tools.bench --dataset=folder --hr_dir=photos
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from cli import app
from settings.fields import Command, setting
from settings.losses import Losses
from settings.pictures import Pictures
from settings.transfer import Distill


@dataclass(frozen=True)
class Measuring:
    """How much is measured."""

    heading: ClassVar[str] = "Bench"
    batch_size: int = setting(16, "Crops per update.", low=1)
    patch_size: int = setting(48, "Side of the low-resolution crop, in pixels.", low=8)
    turns: int = setting(7, "Turns of each contender.", low=1)
    updates: int = setting(20, "Updates of the loop in a turn.", low=1)
    jit_compile: bool = setting(False, "Measure XLA too.")
    output: str | None = setting(None, "JSON file for the figures.")


@dataclass(frozen=True)
class Bench(Command):
    """python -m tools.bench."""

    measuring: Measuring = Measuring()
    pictures: Pictures = Pictures(dataset="sample")


def main(settings: Bench) -> None:
    """Measure, print the table, write the JSON."""
    from tools.turns import measure  # TensorFlow takes seconds to import

    wanted = settings.measuring
    run = Distill(pictures=settings.pictures, losses=Losses(content_loss="pixel"))
    run = run.with_values(batch_size=wanted.batch_size, patch_size=wanted.patch_size)
    figures = measure(run, turns=wanted.turns, updates=wanted.updates, jit_compile=wanted.jit_compile)
    print(table(figures))
    if wanted.output:
        Path(wanted.output).write_text(json.dumps(figures, indent=2) + "\n")


def table(figures: dict[str, Any]) -> str:
    """The figures as Markdown."""
    batch_size, patch_size = figures["batch"]
    lines = [f"| {batch_size} × {patch_size}×{patch_size} | ms | × bare step |", "|---|---|---|"]
    lines += [f"| {name} | {1000 * row['seconds']:.0f} | {row['ratio']:.3f} |" for name, row in figures["rows"].items()]
    ratios = {name: row["ratio"] for name, row in figures["rows"].items()}
    gain = ratios["g2g from the cache"] / ratios["update without a teacher"]
    on_pictures = ratios["the loop on pictures, g2g from the cache"] / ratios["the loop on pictures"]
    waits = ", ".join(f"{name} {100 * share:.2f} %" for name, share in figures["data_wait"].items())
    lines += [
        "",
        f"g2g from the cache / without a teacher: {gain:.3f} × on a fixed batch, {on_pictures:.3f} × in the loop on pictures.",
        f"Share of time waiting for data: {waits}.",
        f"From the start of the command to the checkpoint of its first step: {figures['seconds_to_first_step']:.1f} s.",
        f"Peak memory of this process: {figures['peak_mib']:.0f} MiB, the touched part of the mapped pictures among it.",
        f"{figures['pictures']}; {figures['cores']} cores, {figures['processor']}; {figures['date']}.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    app.run(main, Bench(), description=__doc__)
