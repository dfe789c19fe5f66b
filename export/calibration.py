"""The images that a file is calibrated and proven on: those of the run that its weights lie in."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
from absl import logging

import data
from errors import UserError
from inference.engines import KerasEngine
from models import load_generator
from models.quantized import QuantizedCompact
from runs import CONFIG, read_report, with_pictures_of
from settings.fields import Command
from settings.files import ExportTflite

DEFAULT_SIZE = 64
_CALIBRATED, _FEWEST = 64, 16  # images looked at, and crops drawn from them
_PROVEN = 3
_PROOF_SIDE = 256  # low-resolution pixels: enough to see every operation at work, seconds for the slowest network


def spread(items: Sequence[Any], most: int = _CALIBRATED) -> list[Any]:
    """At most that many items, evenly spaced from the first to the last: the tiles of one
    photograph lie side by side.
    """
    return [items[i] for i in np.unique(np.rint(np.linspace(0, len(items) - 1, min(most, len(items)))).astype(int))]


def crops_of(height: int, width: int) -> int:
    """How many crops of that size calibrate a file: 64 of 64 × 64, and of larger ones as many as
    have as many pixels, but 16 at least.
    """
    return min(_CALIBRATED, max(_FEWEST, _CALIBRATED * DEFAULT_SIZE**2 // (height * width)))


def calibration_pictures(
    model: keras.Model,
    pictures: Sequence[np.ndarray],
    *,
    height: int | None = None,
    width: int | None = None,
    count: int | None = None,
    seed: int = 0,
) -> list[np.ndarray]:
    """Low-resolution crops for calibration: real ones, the model's own outputs, and the ends of the
    range.

    pictures: (h, w, 3) uint8, low-resolution, at least one; `count` crops are drawn by `seed` from
    the first of them, of height × width, or 64 × 64 where the file takes any size. By default there
    are `crops_of` that size. The model's outputs stand for sharp images, which people upscale too
    and which training does not show. Black and white pin the input's range to [0, 1]. Returns a
    list of (1, h, w, 3) float32 in [0, 1].
    """
    size = (height or DEFAULT_SIZE, width or DEFAULT_SIZE)
    count = count or crops_of(*size)
    rng = np.random.default_rng(seed)
    engine = KerasEngine(model)
    crops = [np.full((1, *size, 3), value, np.float32) for value in (0.0, 1.0)]
    for i in range(count):
        real = _crop(pictures[i % len(pictures)], size, rng)
        crops.append(real)
        if i % 4 == 0:
            crops.append(_crop((engine(real)[0] * 255).astype(np.uint8), size, rng))
    return crops


def _crop(image, size, rng):
    missing = [max(0, side - have) for side, have in zip(size, image.shape, strict=False)]
    image = np.pad(image, [(0, missing[0]), (0, missing[1]), (0, 0)], mode="symmetric")
    top, left = (rng.integers(have - side + 1) for side, have in zip(size, image.shape, strict=False))
    return image[None, top : top + size[0], left : left + size[1]] / np.float32(255.0)


def calibration(settings: ExportTflite, model: keras.Model, run: Path) -> list[np.ndarray]:
    """Crops for an int8 file, as `calibration_pictures`: from --calibration_dir, or the training
    images of `run`, or the embedded sample.
    """
    height, width = settings.export.height, settings.export.width
    count = crops_of(height or DEFAULT_SIZE, width or DEFAULT_SIZE)
    folder = settings.export.calibration_dir
    if folder:
        paths = data.list_images(folder)
        if not paths:
            raise UserError(f"--calibration_dir={folder}: holds no pictures ({', '.join(data.IMAGE_SUFFIXES)})")
        images = [data.read_rgb(path) for path in spread(paths, count)]
    elif store := _images_of(run, settings, "train", originals=False):
        images = [store.lr(i) for i in spread(range(len(store)), count)]
    else:
        images = [lr for _, _, lr in data.sample(split="train", scale=model.scale).pairs()]
    return calibration_pictures(model, images, height=height, width=width, count=count)


def proof_pairs(settings: Command, run: Path, *, scale: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Up to three (lr, hr) pairs, uint8: validation images of `run`, or the embedded sample where
    the folder is none.

    settings: of a command with `pictures`. Raises UserError for a config.txt with a value of
    another type.
    """
    store = _images_of(run, settings, "validation")
    if store is None:
        return [(lr, hr) for _, hr, lr in data.sample(split="validation", scale=scale).pairs()]
    pairs = ((store.lr(i), store.hr(i)) for i in range(len(store)))
    return [
        (np.array(lr[:_PROOF_SIDE, :_PROOF_SIDE]), np.array(hr[: _PROOF_SIDE * scale, : _PROOF_SIDE * scale]))
        for lr, hr in islice(pairs, _PROVEN)
    ]


def float_student(model: keras.Model, weights: Path) -> keras.Model | None:
    """The network in floats that a quantised `model` was trained from, as the report of the run of
    `weights` names it.

    None for a network in floats, and, with a warning, where that one is not known or gone.
    """
    if not isinstance(model, QuantizedCompact):
        return None
    try:
        named = read_report(weights.parent).get("float_student")
    except FileNotFoundError:
        named = None
    if named and Path(named).is_file():
        return load_generator(named)
    logging.warning(
        "%s: the float student it was trained from is %s; the proof is against its quantised form alone",
        *(weights, f"gone ({named})" if named else "not known"),
    )
    return None


def _images_of(run: Path, settings: Command, split: str, *, originals: bool = True) -> data.PictureStore | None:
    """The images of a run; None for another folder, or where the run's images are gone, or have no
    originals and must.
    """
    if not (run / CONFIG).is_file():
        return None
    pictures = with_pictures_of(run, settings).pictures
    try:
        return data.open_pictures(pictures, split, originals=originals)
    except UserError as error:
        logging.warning("%s; the embedded sample is used instead", error)
        return None
