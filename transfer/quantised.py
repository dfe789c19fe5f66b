"""The quantised form of a finished compact student, its ranges those of training images."""

from pathlib import Path

import keras

from data import PictureStore
from errors import UserError
from export.calibration import calibration_pictures
from models import load_generator
from models.quantized import QuantizedCompact


def quantised_student(file: Path, store: PictureStore, seed: int) -> QuantizedCompact:
    """The compact student in `file` in fake 8-bit arithmetic. Raises UserError for another network."""
    student = _load_in_float32(file)
    if not hasattr(student, "fuse"):
        raise UserError(f"--init={file}: holds a {type(student).__name__}; --qat is for the compact students")
    pictures = [store.lr(i) for i in range(min(64, len(store)))]
    return QuantizedCompact.of(student, calibration_pictures(student, pictures, seed=seed))


def _load_in_float32(path: Path) -> keras.Model:
    """The generator in that file, computing in float32 whatever --precision says: for what is done once and counts in every bit."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        return load_generator(path)
    finally:
        keras.config.set_dtype_policy(policy)
