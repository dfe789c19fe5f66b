"""Generators to TFLite: collapsed branches, frozen weights, clipped output, dynamic or fixed size,
float or quantised.
"""

import tempfile
from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from errors import UserError, reason
from evaluation.progress import bar
from export.saved_model import export_graph
from models import check_finite, clone
from models.compact import Compact
from models.quantized import QuantizedCompact
from models.upsampling import prelus


def fused(model: keras.Model) -> keras.Model:
    """The network as it is shipped: its branches collapsed where it has any."""
    return model.fuse() if hasattr(model, "fuse") else model


def convert(
    model: keras.Model,
    *,
    height: int | None = None,
    width: int | None = None,
    quantize: str = "none",
    calibration: Iterable[np.ndarray] = (),
) -> bytes:
    """The bytes of a TFLite file for `model`.

    Input (1, height, width, 3) RGB, None for any size; output (1, scale·height, scale·width, 3),
    clipped in the graph. quantize, of `settings.files.QUANTIZATIONS`: "none"     float32 in [0, 1],
    float32 weights "float16"  the same with float16 weights: half the file "dynamic"  the same with
    int8 weights, activations quantised as they come: a quarter of the file "int8"     integers
    throughout, uint8 in [0, 255] in and out; calibration is needed
    calibration: (1, h, w, 3) float32 images in [0, 1], of the fixed size where there is one; their
    activations set the ranges.

    The way leads over a SavedModel, which freezes the weights. Converted directly, a Keras 3 model
    keeps them as variables, and the file runs several times slower. A compact student goes to int8
    in its quantised form, which computes in integers alone; one that was fine-tuned in that form
    (`distill.py --qat`) keeps the ranges it learned. Raises UserError when the converter refuses an
    operation, or a weight is NaN or infinite.
    """
    check_finite(model, type(model).__name__)
    if quantize == "int8":
        calibration = bar(calibration, "calibrating")
    if isinstance(model, QuantizedCompact) and quantize != "int8":
        raise UserError(f"--quantize={quantize}: the student is a quantised one; export it with --quantize=int8")
    if isinstance(model, Compact) and quantize == "int8":
        model = QuantizedCompact.of(model, calibration)
    elif quantize == "int8" and prelus(model):
        model = clone(model)
        for activation in prelus(model):
            activation.for_integers()
    with tempfile.TemporaryDirectory() as folder:
        export_graph(fused(model), folder, batch=1, height=height, width=width, eight_bits=quantize == "int8")
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if quantize != "none":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if quantize == "int8":
            converter.inference_input_type = converter.inference_output_type = tf.uint8
            if not isinstance(model, QuantizedCompact):  # that one brings its ranges
                converter.representative_dataset = lambda: ([image] for image in calibration)
                converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        try:
            return converter.convert()
        except Exception as error:  # the converter raises whatever its native part threw
            raise UserError(
                f"{type(model).__name__} cannot be converted with --quantize={quantize}: {reason(error, 300)}"
            ) from error
