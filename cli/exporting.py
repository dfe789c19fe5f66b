"""The pictures that an export is calibrated and proven on."""

from itertools import islice
from pathlib import Path

import numpy as np
from absl import flags, logging

import data
from cli.pictures import adopt, open_store
from errors import UserError
from export.calibration import calibration_pictures
from models import load_generator
from models.quantized import QuantizedCompact
from runs import read_report

FLAGS = flags.FLAGS

_PROOF_SIDE = 256  # low-resolution pixels: enough to see every operation at work, seconds for the slowest network


def proof_pairs(weights, scale):
    """Up to three (lr, hr) pairs, uint8: validation pictures of the run that the weights lie in, or the embedded sample outside one."""
    store = _store_of(weights, "validation")
    if store is None:
        triples = data.sample(split="validation", scale=scale).pairs()
        return [(lr, hr) for _, hr, lr in triples]
    pairs = ((store.lr(i), store.hr(i)) for i in range(len(store)))
    return [
        (np.array(lr[:_PROOF_SIDE, :_PROOF_SIDE]), np.array(hr[: _PROOF_SIDE * scale, : _PROOF_SIDE * scale]))
        for lr, hr in islice(pairs, 3)
    ]


def calibration(model, weights):
    """Crops that set the ranges of an int8 file: from --calibration_dir, or the run's training pictures, or the embedded sample."""
    if FLAGS.calibration_dir:
        paths = data.list_images(FLAGS.calibration_dir)
        if not paths:
            raise UserError(
                f"--calibration_dir={FLAGS.calibration_dir}: holds no pictures ({', '.join(data.IMAGE_SUFFIXES)})"
            )
        pictures = [data.read_rgb(path) for path in paths[:64]]
    elif store := _store_of(weights, "train"):
        pictures = [np.array(store.lr(i)) for i in range(min(64, len(store)))]
    else:
        pictures = [lr for _, _, lr in data.sample(split="train", scale=model.scale).pairs()]
    return calibration_pictures(model, pictures, height=FLAGS.height, width=FLAGS.width)


def float_student(model, weights):
    """The network in floats that a quantised `model` was trained from, as the report of its run names it.

    None for a network in floats, and, with a warning, where that one is not known or gone.
    """
    if not isinstance(model, QuantizedCompact):
        return None
    try:
        named = read_report(Path(weights).parent).get("float_student")
    except FileNotFoundError:
        named = None
    if named and Path(named).is_file():
        return load_generator(named)
    logging.warning(
        "%s: the float student it was trained from is %s; the proof is against its quantised form alone",
        *(weights, f"gone ({named})" if named else "not known"),
    )
    return None


def _store_of(weights, split):
    """The pictures of the run that `weights` lies in; None outside a run, or where the run's pictures are gone."""
    run = Path(weights).parent
    if not (run / "config.txt").is_file():
        return None
    adopt(run)
    try:
        return open_store(split)
    except UserError as error:
        logging.warning("%s; the embedded sample is used instead", error)
        return None
