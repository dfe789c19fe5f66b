"""The distillation ledger: what each transfer method gains over the same student trained alone, and how sure that is.

A gain is a mean difference of PSNR or LPIPS, picture by picture and seed by seed; it is positive where the method is better. Its interval comes
from a paired bootstrap over both: seeds and pictures are drawn with replacement, independently of each other, because a claim is about new seeds
*and* new pictures. (Efron, Tibshirani: "An Introduction to the Bootstrap", 1993, chapter 8; paired over two factors as in Owen, "The pigeonhole
bootstrap", arXiv:0712.1111.)
"""

from dataclasses import dataclass

import numpy as np

ALONE = "alone"
_DRAWS = 10_000
_BETTER = {"psnr": 1, "lpips": -1}  # the direction
_DIGITS = {"psnr": 3, "lpips": 4}


@dataclass
class Run:
    """One training run of a student. equal: what has to be equal in all runs of a ledger, {name: value}."""

    path: str
    method: str
    seed: int
    equal: dict
    teacher: str | None = None


@dataclass
class Gain:
    """What a method gained on a benchmark; low, high: the 95 % interval. share: of the gap between alone and teacher, None without one.

    measure: "psnr" in dB or "lpips". value: its mean. gain is above 0 where the method is better: more dB, less LPIPS.
    """

    method: str
    benchmark: str
    measure: str
    seeds: int
    pictures: int
    value: float
    gain: float
    low: float
    high: float
    share: float | None = None


def differences(runs):
    """What keeps `runs` from being compared, a line each: settings and seeds that are not equal, and methods that are missing.

    runs: list of Run. An empty list says that they form a ledger: one method is "alone", and every method has the same seeds.
    """
    lines = []
    for name in sorted({name for run in runs for name in run.equal}):
        values = {}
        for run in runs:
            values.setdefault(str(run.equal.get(name)), run.path)
        if len(values) > 1:
            lines.append(f"{name} differs: " + ", ".join(f"{value} in {path}" for value, path in values.items()))
    seeds = {}
    for run in runs:
        if run.seed in seeds.setdefault(run.method, []):
            lines.append(f"two runs of {run.method} have seed {run.seed}; {run.path} is one of them")
        seeds[run.method].append(run.seed)
    if ALONE not in seeds:
        lines.append(
            f"no run was trained without a teacher ({', '.join(seeds) or 'no runs'}); train_student.py makes one"
        )
    elif len(seeds) == 1:
        lines.append("all runs were trained without a teacher; distill.py makes the others")
    else:
        lines += [
            f"seeds differ: {_listed(seeds[ALONE])} of {ALONE}, {_listed(found)} of {method}"
            for method, found in seeds.items()
            if set(found) != set(seeds[ALONE])
        ]
    return lines


def gains(scores, *, teacher=None, draws=_DRAWS):
    """Gain of every method over "alone".

    scores: {method: {(benchmark, measure): array (seeds, pictures)}}, seeds and pictures in the same order for all methods. measure: "psnr"
    in dB or "lpips". teacher: {(benchmark, measure): array (pictures,)}, or None. Returns a list of Gain, methods in their order, benchmarks within.
    """
    found = []
    for method, benchmarks in scores.items():
        for (benchmark, measure), values in benchmarks.items():
            better = _BETTER[measure]
            alone = scores[ALONE][benchmark, measure]
            difference = better * (values - alone)
            gain = float(difference.mean())
            low, high = paired_interval(difference, draws=draws)
            gap = None if teacher is None else better * float(teacher[benchmark, measure].mean() - alone.mean())
            share = gain / gap if gap and gap > 0 and method != ALONE else None
            found.append(Gain(method, benchmark, measure, *values.shape, float(values.mean()), gain, low, high, share))
    return found


def paired_interval(difference, *, draws=_DRAWS, level=0.95, seed=0):
    """The bootstrap's percentile interval of the mean of `difference` (seeds, pictures): (low, high).

    With one seed it covers pictures only, with one picture seeds only.
    """
    random = np.random.default_rng(seed)
    counts = [random.multinomial(size, np.full(size, 1 / size), draws) / size for size in difference.shape]
    means = np.einsum("ds,sp,dp->d", counts[0], difference, counts[1], optimize=True)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def table(found):
    """Header and rows of strings for a list of Gain."""
    header = [
        "method",
        "benchmark",
        "seeds",
        "pictures",
        "measure",
        "mean",
        "gain",
        "95 % interval",
        "share of the gap",
    ]
    return header, [_row(gain, _DIGITS[gain.measure]) for gain in found]


def _row(gain, digits):
    change = [f"{gain.gain:+.{digits}f}", f"{gain.low:+.{digits}f} to {gain.high:+.{digits}f}"]
    return [
        gain.method,
        gain.benchmark,
        str(gain.seeds),
        str(gain.pictures),
        gain.measure.upper(),
        f"{gain.value:.{digits}f}",
        *(["-", "-"] if gain.method == ALONE else change),
        "-" if gain.share is None else f"{gain.share:.0%}",
    ]


def _listed(values):
    return ", ".join(str(value) for value in sorted(values))
