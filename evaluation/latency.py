"""How long engines take, measured so that the machine's moods hit all of them alike."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from errors import UserError
from evaluation.progress import bar
from inference.tiling import upscale_tiled


@dataclass
class Latency:
    """Milliseconds for one image of `height` x `width` LR pixels. threads: that the networks may
    use; None where nobody said.
    """

    median_ms: float
    p90_ms: float
    repetitions: int
    height: int
    width: int
    threads: int | None = None


def measure(
    engines: dict[str, Any],
    *,
    height: int = 180,
    width: int = 320,
    repetitions: int = 20,
    warmup: int = 3,
    threads: int | None = None,
    failures: dict[str, str] | None = None,
) -> dict[str, Latency]:
    """Time engines in turn, A B C A B C ...: a slow spell of the machine does not fall on one of
    them alone.

    engines: dict name -> engine (see inference.engines). Each upscales the same noise of `height` x
    `width`, as uint8 where it takes that; an engine of another fixed size does it in tiles, the
    time for them included. `warmup` rounds are not counted: they trace graphs and allocate buffers.
    threads: stated in the result, and nothing else; engines have their own.

    failures: a dict that takes the engines that cannot run, name -> the reason in one line; without
    it they raise.

    Returns a dict name -> Latency, in the same order. Raises UserError when an engine cannot run,
    ValueError for repetitions < 1.
    """
    if repetitions < 1:
        raise ValueError(f"repetitions {repetitions}: must be at least 1")
    levels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    floats = levels / np.float32(255.0)
    times = {name: [] for name in engines}
    for round_number in bar(range(warmup + repetitions), "timing"):
        for name, engine in engines.items():
            if failures and name in failures:
                continue
            try:
                # As programs give an image to it, and take the result: a file of 8 bits has no
                # floats.
                milliseconds = _time_once(engine, levels if engine.takes_uint8 else floats)
            except (UserError, MemoryError) as error:
                if failures is None:
                    raise
                failures[name] = str(error) or type(error).__name__
                continue
            if round_number >= warmup:
                times[name].append(milliseconds)
    how = {"height": height, "width": width, "threads": threads}
    return {name: _summary(samples, **how) for name, samples in times.items() if name not in (failures or {})}


def _time_once(engine, lr):
    start = time.perf_counter()
    if engine.fixed_size in (None, lr.shape[:2]):
        engine(lr[None])
    else:
        upscale_tiled(engine, lr)
    return (time.perf_counter() - start) * 1000


def _summary(samples, **how):
    median, p90 = np.percentile(samples, [50, 90])
    return Latency(float(median), float(p90), len(samples), **how)
