"""The range of values that a network takes and gives: [0, 1] as ours do, [0, 255], or [-1, 1].

No .tflite, .keras or SavedModel file says it, and a photograph in the wrong one comes out black,
white or washed out. So a network from elsewhere is shown a grey and a white image in each range: in
its own, grey comes out grey and white white.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from settings.files import MODEL_RANGES

_LIMITS = {"0_1": (0.0, 1.0), "0_255": (0.0, 255.0), "-1_1": (-1.0, 1.0)}
_GREY_AND_WHITE = (0.5, 1.0)
# How far, as a share of the range, grey and white may come out wrong: at once for [0, 1], and for
# the best of all ranges.
_CLOSE, _NEAR = 0.06, 0.15
_DARKER_THAN_ANY = -1000.0
_SIDE = 32  # of the probe, where any size will do; its middle is looked at, away from the borders


@dataclass(frozen=True)
class ValueRange:
    """What a network takes and gives, each a key of `_LIMITS`; says so as "0_255", or "0_1:-1_1"
    where the two differ.
    """

    taken: str = "0_1"
    given: str = "0_1"

    @classmethod
    def named(cls, word: str) -> "ValueRange":
        """The range of that name, of `settings.files.MODEL_RANGES`."""
        taken, _, given = word.partition(":")
        return cls(taken, given or taken)

    def __str__(self) -> str:
        return self.taken if self.taken == self.given else f"{self.taken}:{self.given}"

    def encode(self, lr: Any) -> Any:
        """An array or a tensor of any shape, from [0, 1] to the range that the network takes."""
        low, high = _LIMITS[self.taken]
        return lr if self.taken == "0_1" else lr * (high - low) + low

    def decode(self, sr: Any) -> Any:
        """An array or a tensor of any shape, from the range that the network gives to [0, 1], not
        clipped.
        """
        low, high = _LIMITS[self.given]
        return sr if self.given == "0_1" else (sr - low) / (high - low)


def range_of(
    run: Callable[[np.ndarray], np.ndarray],
    model_range: str | None,
    *,
    path: str | Path,
    size: tuple[int, int] | None = None,
) -> ValueRange:
    """The range of that name, or without one what `recognise` finds."""
    return ValueRange.named(model_range) if model_range else recognise(run, path=path, size=size)


def recognise(
    run: Callable[[np.ndarray], np.ndarray], *, path: str | Path, size: tuple[int, int] | None = None
) -> ValueRange:
    """The range of the network behind `run`, which maps (1, h, w, 3) float32 to (1, s*h, s*w, 3),
    values as they are.

    size: the only one that it takes, or None. A range other than [0, 1] is logged; so is, as a
    warning, that none fits and [0, 1] is assumed.
    """
    probe = _Probe(run, size or (_SIDE, _SIDE))
    ours = ValueRange()
    found = min(map(ValueRange.named, MODEL_RANGES), key=probe.error)
    if probe.error(ours) <= _CLOSE:
        symmetric = ValueRange("-1_1", "-1_1")
        found = symmetric if probe.ends_at_minus_one() and probe.error(symmetric) <= _NEAR else ours
    if not probe.error(found) <= _NEAR:  # also false for NaN
        grey, white = (float(np.mean(probe(value))) for value in _GREY_AND_WHITE)
        logging.warning(
            "%s: of grey (0.5) it makes %.3g, of white (1) %.3g: its range of values is not recognised; [0, 1] is assumed. "
            "--model_range names another",
            *(path, grey, white),
        )
        return ours
    if found != ours:
        logging.info(
            "%s: its range of values is %s, by what it makes of grey and white; --model_range names another",
            path,
            found,
        )
    return found


class _Probe:
    """Called with a value: what the network makes of an image of that value, its three colours in
    the middle.
    """

    def __init__(self, run, size):
        self._run, self._size, self._seen = run, size, {}

    def __call__(self, value):
        if value not in self._seen:
            sr = np.asarray(self._run(np.full((1, *self._size, 3), value, np.float32)), np.float32)[0]
            rows, columns = (slice(side // 3, side - side // 3) for side in sr.shape[:2])
            self._seen[value] = sr[rows, columns].mean(axis=(0, 1))
        return self._seen[value]

    def error(self, values):
        """How far grey and white come out wrong, at most, as a share of the range; infinite where
        that is no number.
        """
        errors = [np.abs(values.decode(self(values.encode(level))) - level).max() for level in _GREY_AND_WHITE]
        return float(np.nan_to_num(np.max(errors), nan=np.inf))

    def ends_at_minus_one(self):
        """Whether nothing is darker to it than -1: a tanh.

        Grey and white alone do not tell [-1, 1] from [0, 1].
        """
        return bool(np.all(np.abs(self(_DARKER_THAN_ANY) + 1) < _CLOSE))
