"""Network interpolation: a dial between the faithful and the realistic generator."""

from pathlib import Path

import keras
import numpy as np

from errors import UserError
from models.weight_files import load_generator


def interpolate(pixel: str | Path, gan: str | Path, *, alpha: float) -> keras.Model:
    """The generator with the weights (1 - alpha) · pixel + alpha · gan, for every weight of two files of one network.

    pixel, gan: weight files of the generator after its pixel phase and after its GAN phase. alpha: 0 gives the first, 1 the second. Batch
    statistics, where there are any, are interpolated too, and fit the mixed weights only roughly; ESRGAN has none.

    Raises UserError when the networks differ or alpha lies outside [0, 1]. Source: ESRGAN, arXiv:1809.00219, section 3.4.
    """
    if not 0 <= alpha <= 1:
        raise UserError(f"--interpolate_alpha={alpha}: lies outside [0, 1]")
    model, other = load_generator(pixel), load_generator(gan)
    if (type(model), model.get_config()) != (type(other), other.get_config()):
        raise UserError(f"{pixel} and {gan}: hold different networks; only two states of one can be interpolated")
    model.set_weights(blend(model.get_weights(), other.get_weights(), alpha=alpha))
    return model


def blend(first: list[np.ndarray], second: list[np.ndarray], *, alpha: float) -> list[np.ndarray]:
    """(1 - alpha) · first + alpha · second, for two lists of weight arrays of one network."""
    return [(1 - alpha) * ours + alpha * theirs for ours, theirs in zip(first, second, strict=True)]
