"""evaluate.py --degrade: benchmarks whose low-resolution images are JPEG, or noisy, or made as
training makes them.

What becomes of an image is a function of its number in the benchmark alone, counted from 0, tiles
one by one: everybody gets the same.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from data.degradation import Degradation
from data.degrading_steps import compress
from data.image_pixels import round_levels
from errors import UserError
from evaluation.pairs import Pair, PairedFolders
from settings.evaluation import CLEAN, JPEG, NOISE, Evaluate

_SEED = 0


class DegradedPairs:
    """The pairs of a benchmark with degraded LR images; can be iterated again if `pairs` can."""

    def __init__(self, pairs: Iterable[Pair], word: str, *, scale: int):
        """word: jpeg:QUALITY (chroma 4:2:0) and noise:SIGMA (of 255, in each channel its own) work
        on the LR images that are there; a name of `settings.pictures.DEGRADATIONS` makes them of
        the originals.
        """
        self._pairs = pairs
        self._kind, _, number = word.partition(":")
        before = getattr(pairs, "degradation", f"MATLAB bicubic x{scale}")
        if self._kind == JPEG:
            self._strength = int(number)
            self.degradation = f"{before} + JPEG {number} 4:2:0"
        elif self._kind == NOISE:
            self._strength = float(number)
            self.degradation = f"{before} + Gaussian noise {number}"
        else:
            self._degradation = Degradation(word, scale, _SEED)
            self.degradation = str(self._degradation)

    def __iter__(self) -> Iterator[Pair]:
        for number, pair in enumerate(self._pairs):
            yield pair._replace(lr=self._lr(pair, number))

    def _lr(self, pair, number):
        if self._kind == JPEG:
            return compress(pair.lr, quality=self._strength)
        if self._kind == NOISE:
            noise = np.random.default_rng([_SEED, number]).normal(0.0, self._strength, pair.lr.shape)
            return round_levels(pair.lr + noise)
        return self._degradation.lr(pair.hr, index=(number, 0))


def degraded(benchmarks: dict[str, Iterable[Pair]], settings: Evaluate) -> dict[str, Iterable[Pair]]:
    """{"Set14 jpeg:30": pairs}: each benchmark once for each word of --degrade, "clean" under its
    own name; as they are without the flag.

    Raises UserError where LR images that are given would have to be made of the originals.
    """
    words, scale = settings.measures.degrade, settings.pictures.scale
    found = {}
    for name, pairs in benchmarks.items():
        for word in words or (CLEAN,):
            if word == CLEAN:
                found[name] = pairs
                continue
            if isinstance(pairs, PairedFolders) and not word.startswith((JPEG, NOISE)):
                raise UserError(
                    f"--degrade={word}: {name} has low-resolution files of its own, and {word} makes them of the originals; give NAME:FOLDER alone"
                )
            found[f"{name} {word}"] = DegradedPairs(pairs, word, scale=scale)
    return found
