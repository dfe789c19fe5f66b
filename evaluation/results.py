"""What an evaluation finds out, as plain data: per image, per benchmark, per model; and how sure a
difference is.
"""

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from evaluation.candidates import Candidate
from evaluation.latency import Latency

FAILED, GATE_MISSED = 1, 3  # exit statuses
DRAWS = 10_000
POOLED = "all benchmarks"


@dataclass
class PictureScore:
    """One model on one image; None: not measured.

    psnr, psnr_rgb, lr_psnr in dB; color_shift (R, G, B) and grid in units of 1/255; seams: a ratio,
    see `data.seams.block_seams`.
    """

    picture: str
    psnr: float
    ssim: float
    color_shift: list[float]
    lr_psnr: float
    lpips: float | None = None
    psnr_rgb: float | None = None
    grid: float | None = None
    seams: float | None = None


@dataclass
class BenchmarkScore:
    """One model on one benchmark: its images, and their plain means.

    left_out: {measure: numbers of the images that its mean leaves out}; of a measure that is not
    there, those of "psnr". See `leave_out_exact`.
    """

    pictures: list[PictureScore] = field(default_factory=list)
    left_out: dict[str, set[int]] = field(default_factory=dict)

    @property
    def psnr(self) -> float:
        return self._mean("psnr")

    @property
    def ssim(self) -> float:
        return self._mean("ssim")

    @property
    def lr_psnr(self) -> float:
        return self._mean("lr_psnr")

    @property
    def lpips(self) -> float | None:
        return self._mean("lpips")

    @property
    def psnr_rgb(self) -> float | None:
        return self._mean("psnr_rgb")

    @property
    def grid(self) -> float | None:
        return self._mean("grid")

    @property
    def seams(self) -> float | None:
        return self._mean("seams")

    @property
    def color_shift(self) -> list[float]:
        return self.values("color_shift").mean(axis=0).tolist()

    def values(self, measure: str) -> np.ndarray | None:
        """A measure of the images that its mean stands on; None where it was not measured."""
        if getattr(self.pictures[0], measure) is None:
            return None
        left_out = self.left_out.get(measure, self.left_out.get("psnr", ()))
        return np.array([getattr(score, measure) for i, score in enumerate(self.pictures) if i not in left_out])

    def _mean(self, measure: str) -> float | None:
        values = self.values(measure)
        return None if values is None else float(np.mean(values))


def leave_out_exact(scores: Iterable[BenchmarkScore]) -> None:
    """Keep the images on which a model is exact, an infinite number of dB, out of the means of all
    models alike.

    scores: of all models on one benchmark. An image with an infinite PSNR is left out of every
    mean, one with an infinite LR-PSNR or PSNR on RGB of that mean. A model that is exact on every
    image counts for none: its means are infinite, and the others' stand on all images.
    """
    scores = list(scores)
    everywhere, left_out = set(), {}
    for measure in ("psnr", "psnr_rgb", "lr_psnr"):
        found = set(everywhere)
        for score in scores:
            exact = {i for i, picture in enumerate(score.pictures) if getattr(picture, measure) == math.inf}
            found |= exact if len(exact) < len(score.pictures) else set()
        if found and len(found) < len(scores[0].pictures):
            left_out[measure] = found
        everywhere = left_out.get("psnr", set())
    for score in scores:
        score.left_out = left_out


@dataclass
class ModelResult:
    """Everything measured of one candidate. `failure` is the reason why it has no scores, or None.

    flat_errors: {"white", "grey", "black"}: the largest error on an image of that colour, in units
    of 1/255. peak_memory in bytes.
    """

    candidate: Candidate
    benchmarks: dict[str, BenchmarkScore] = field(default_factory=dict)
    flat_errors: dict[str, int] | None = None
    latency: Latency | None = None
    peak_memory: int | None = None
    failure: str | None = None


class Difference(NamedTuple):
    """A mean difference to the baseline over `tiles` tiles; low, high: its 95 % interval."""

    mean: float
    low: float
    high: float
    tiles: int


@dataclass
class Evaluation:
    """All results, with the protocol they were made by.

    failures: one line each. baseline: the row that ratios refer to. degradation: how LR came from
    HR where it is not MATLAB's bicubic, such as "Gaussian blur 1.6 px, bicubic x4". tiles: side of
    the squares that the originals were cut into. rgb: whether PSNR on RGB and the grid were
    measured; seams: whether block seams were, and original_seams: {benchmark: their mean in the
    originals}.
    """

    scale: int
    border: int
    channel: str
    models: dict[str, ModelResult]
    benchmarks: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    baseline: str | None = None
    degradation: str | None = None
    tiles: int | None = None
    rgb: bool = False
    seams: bool = False
    original_seams: dict[str, float] = field(default_factory=dict)

    @property
    def sound(self) -> dict[str, ModelResult]:
        """{name: ModelResult} of those that did not fail."""
        return {name: result for name, result in self.models.items() if not result.failure}

    @property
    def figures(self) -> tuple[str, ...]:
        """The measures that the files hold, those that were left out with None."""
        more = (("psnr_rgb", "grid") if self.rgb else ()) + (("seams",) if self.seams else ())
        return ("psnr", "ssim", "lpips", "lr_psnr", *more)

    @property
    def left_out(self) -> dict[str, dict[str, list[str]]]:
        """{measure: {benchmark: names of the images that the means leave out because a model is
        exact on them}}, where there are any.
        """
        named = {}
        for benchmark in self.benchmarks:
            score = next(result.benchmarks[benchmark] for result in self.sound.values())
            for measure, numbers in score.left_out.items():
                more = numbers - score.left_out.get("psnr", set()) if measure != "psnr" else numbers
                if more:
                    named.setdefault(measure, {})[benchmark] = [score.pictures[i].picture for i in sorted(more)]
        return named

    def drop(self, name: str, reason: str) -> None:
        """Mark a model as failed: it keeps its row, and none of its figures."""
        self.models[name] = ModelResult(self.models[name].candidate, failure=reason)
        self.failures.append(f"{name}: {reason}")

    def costs(self, name: str) -> dict[str, float | None]:
        """{"parameters", "multiply_adds", "file_size", "peak_memory", "median_ms"} of a model, None
        where not known.
        """
        result = self.models[name]
        known = {key: getattr(result.candidate, key) for key in ("parameters", "multiply_adds", "file_size")}
        return known | {"peak_memory": result.peak_memory, "median_ms": result.latency and result.latency.median_ms}

    def ratios(self, name: str) -> dict[str, float | None]:
        """The same costs over those of the baseline, None where one of the two is not known; {}
        without a baseline.
        """
        if self.baseline not in self.models:
            return {}
        reference = self.costs(self.baseline)
        return {
            key: value / reference[key] if value and reference[key] else None for key, value in self.costs(name).items()
        }

    def differences(self, name: str) -> dict[str, dict[str, Difference]]:
        """{benchmark: {measure: Difference}} of a model less the baseline, paired tile by tile; {}
        without tiles.

        measure: "psnr", "psnr_rgb", "grid", "lpips" and "seams", those that were measured.
        Where there are several benchmarks, the tiles of all of them together come last.
        """
        sound = self.sound
        if not self.tiles or name == self.baseline or not {name, self.baseline} <= set(sound):
            return {}
        pairs = {
            benchmark: (sound[name].benchmarks[benchmark], sound[self.baseline].benchmarks[benchmark])
            for benchmark in self.benchmarks
        }
        found, pooled = {}, {}
        for benchmark, (ours, theirs) in pairs.items():
            for measure in ("psnr", "psnr_rgb", "grid", "lpips", "seams"):
                both = ours.values(measure), theirs.values(measure)
                if both[0] is None or not np.isfinite(both).all():  # not measured, or exact on every tile
                    continue
                found.setdefault(benchmark, {})[measure] = _difference(both[0] - both[1])
                pooled.setdefault(measure, []).append(both[0] - both[1])
        if len(pairs) > 1:
            found[POOLED] = {measure: _difference(np.concatenate(values)) for measure, values in pooled.items()}
        return found


def _difference(values: np.ndarray) -> Difference:
    return Difference(float(values.mean()), *paired_interval(values[None]), len(values))


def paired_interval(
    difference: np.ndarray, *, draws: int = DRAWS, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """The bootstrap's percentile interval of the mean of `difference` (seeds, images): (low, high).

    Seeds and images are drawn with replacement, independently of each other. With one seed it
    covers images only, with one image seeds only.
    Source: Efron, Tibshirani: "An Introduction to the Bootstrap", 1993, chapter 8; over two factors
    as in Owen, "The pigeonhole bootstrap", arXiv:0712.1111.
    """
    counts = _counts(difference.shape, draws, seed)
    means = np.einsum("ds,sp,dp->d", counts[0], difference, counts[1], optimize=True)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@functools.lru_cache(maxsize=4)  # the same for every model and measure
def _counts(shape, draws, seed):
    random = np.random.default_rng(seed)
    return [random.multinomial(size, np.full(size, 1 / size), draws) / size for size in shape]
