"""Generators as SavedModels: loadable by `tf.saved_model.load` with none of our code."""

import os
import shutil
import tempfile
from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

from errors import UserError, reason
from models import check_finite, load_generator
from weights import refuse_as_output


def export_graph(
    model: keras.Model,
    folder: str | Path,
    *,
    batch: int | None = None,
    height: int | None = None,
    width: int | None = None,
    eight_bits: bool = False,
) -> None:
    """Write a SavedModel into `folder`, with one signature `serving_default`: lr to sr.

    lr: (batch, height, width, 3) float32 RGB in [0, 1], None for any; sr: (batch, scale·height,
    scale·width, 3) float32, clipped to [0, 1]. eight_bits: sr in steps of 1/255, for a conversion
    to integers, whose output then has that step. Calibration would give it a step by the brightest
    image seen, and 255 would not be white.
    """

    def serve(lr):
        sr = model(lr, training=False)
        # A quantised network's output is clipped; a clip after it would be an island of floats.
        if not getattr(model, "clipped", False):
            sr = tf.minimum(tf.maximum(sr, 0.0), 1.0)
            sr = tf.quantization.fake_quant_with_min_max_args(sr, 0.0, 1.0) if eight_bits else sr
        return {"sr": sr}

    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = tf.TensorSpec((batch, height, width, 3), tf.float32, name="lr")
    archive.add_endpoint("serve", serve, input_signature=[signature])
    archive.write_out(str(folder), verbose=False)


def write_saved_model(model: keras.Model, path: str | Path) -> None:
    """Write `model` as the SavedModel folder `path`, for any batch, height and width; whole or not
    at all.

    Raises UserError when something is there already, it cannot be written, or a weight is NaN or
    infinite.
    """
    path = Path(path)
    check_finite(model, f"--saved_model={path}")
    if path.exists():
        raise UserError(f"--saved_model={path}: is there already; name another folder, or remove it first")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=".saved-model-"))
    except OSError as error:
        raise UserError(f"--saved_model={path}: cannot be written ({error.strerror})") from error
    try:
        export_graph(model, folder)
        folder.chmod(0o755)  # mkdtemp's folders are for their maker alone
        os.replace(folder, path)
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f"--saved_model={path}: cannot be written ({reason(error)})") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def export_saved_model(weights: Path, folder: str) -> None:
    """Write the network in that weight file as `write_saved_model` does.

    Raises UserError where it may not.
    """
    refuse_as_output(folder, flag="saved_model")
    write_saved_model(load_generator(weights), folder)
    logging.info("%s: SavedModel of %s", folder, weights)
