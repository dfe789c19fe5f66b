"""What an evaluation finds out, as plain data: per picture, per benchmark, per model."""

from dataclasses import dataclass, field

import numpy as np

from evaluation.candidates import Candidate
from evaluation.latency import Latency


@dataclass
class PictureScore:
    """One model on one picture. psnr, lr_psnr in dB; color_shift: R, G, B, in units of 1/255; lpips None where not measured."""

    picture: str
    psnr: float
    ssim: float
    color_shift: list[float]
    lr_psnr: float
    lpips: float | None = None


@dataclass
class BenchmarkScore:
    """One model on one benchmark: its pictures, and their plain means."""

    pictures: list[PictureScore] = field(default_factory=list)

    @property
    def psnr(self):
        return self._mean("psnr")

    @property
    def ssim(self):
        return self._mean("ssim")

    @property
    def lr_psnr(self):
        return self._mean("lr_psnr")

    @property
    def lpips(self):
        """None where it was not measured."""
        return None if self.pictures[0].lpips is None else self._mean("lpips")

    @property
    def color_shift(self):
        return np.mean([score.color_shift for score in self.pictures], axis=0).tolist()

    def _mean(self, name):
        return float(np.mean([getattr(score, name) for score in self.pictures]))


@dataclass
class ModelResult:
    """Everything measured of one candidate. `failure` is the reason why it has no scores, or None.

    flat_errors: {"white", "grey", "black"}: the largest error on a picture of that colour, in units of 1/255. peak_memory in bytes.
    """

    candidate: Candidate
    benchmarks: dict[str, BenchmarkScore] = field(default_factory=dict)
    flat_errors: dict[str, int] | None = None
    latency: Latency | None = None
    peak_memory: int | None = None
    failure: str | None = None


@dataclass
class Evaluation:
    """All results, with the protocol they were made by.

    failures: one line each. baseline: the row that ratios refer to. degradation: how LR came from HR where it is not MATLAB's bicubic, such as
    "Gaussian blur 1.6 px, bicubic x4".
    """

    scale: int
    border: int
    channel: str
    models: dict[str, ModelResult]
    benchmarks: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    baseline: str | None = None
    degradation: str | None = None

    @property
    def sound(self):
        """{name: ModelResult} of those that did not fail."""
        return {name: result for name, result in self.models.items() if not result.failure}

    def drop(self, name, reason):
        """Mark a model as failed: it keeps its row, and none of its figures."""
        self.models[name] = ModelResult(self.models[name].candidate, failure=reason)
        self.failures.append(f"{name}: {reason}")

    def costs(self, name):
        """{"parameters", "multiply_adds", "file_size", "peak_memory", "median_ms"} of a model, None where not known."""
        result = self.models[name]
        known = {key: getattr(result.candidate, key) for key in ("parameters", "multiply_adds", "file_size")}
        return known | {"peak_memory": result.peak_memory, "median_ms": result.latency and result.latency.median_ms}

    def ratios(self, name):
        """The same costs over those of the baseline, None where one of the two is not known; {} without a baseline."""
        if self.baseline not in self.models:
            return {}
        reference = self.costs(self.baseline)
        return {
            key: value / reference[key] if value and reference[key] else None for key, value in self.costs(name).items()
        }
