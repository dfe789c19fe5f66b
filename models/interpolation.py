"""Network interpolation: a dial between the faithful and the realistic generator (ESRGAN,
arXiv:1809.00219, section 3.4).
"""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from errors import UserError
from models.weight_files import load_generator


def interpolate(first: str | Path, second: str | Path, *, alpha: float) -> keras.Model:
    """The generator with the weights (1 - alpha) · first + alpha · second, for every weight of two
    files of one network.

    first, second: say, weight files of the generator after its pixel phase and after its GAN phase.
    alpha: 0 gives the first, 1 the second. Batch statistics, where there are any, are interpolated
    too, and fit the mixed weights only roughly; ESRGAN has none.

    Raises UserError when the networks differ or alpha lies outside [0, 1].
    """
    if not 0 <= alpha <= 1:
        raise UserError(f"alpha={alpha}: lies outside [0, 1]")
    model, other = load_both(first, second)
    model.set_weights(blend(model.get_weights(), other.get_weights(), alpha=alpha))
    return model


def load_both(first: str | Path, second: str | Path) -> tuple[keras.Model, keras.Model]:
    """The generators of two weight files, two states of one network.

    Raises UserError when the networks differ.
    """
    both = load_generator(first), load_generator(second)
    forms = [f"{type(model).__name__} {model.get_config()}" for model in both]
    if forms[0] != forms[1]:
        raise UserError(
            f"{first} and {second}: hold different networks, {' and '.join(forms)}; only two states of one can be interpolated"
        )
    return both


def blend(first: Sequence[np.ndarray], second: Sequence[np.ndarray], *, alpha: float) -> list[np.ndarray]:
    """(1 - alpha) · first + alpha · second, for two lists of weight arrays of one network."""
    return [(1 - alpha) * ours + alpha * theirs for ours, theirs in zip(first, second, strict=True)]
