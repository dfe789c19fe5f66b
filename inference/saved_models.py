"""Engines for networks in TensorFlow's own formats: SavedModel folders and .keras files, ours or
anybody's.

Neither says by how much it enlarges or how far an output pixel sees. The scale is found by running
a small image; the receptive field is the network's own where it has one, else
DEFAULT_RECEPTIVE_FIELD, with a warning.
"""

from functools import cached_property
from pathlib import Path

import numpy as np
from absl import logging

from errors import UserError, reason
from inference.engines import DEFAULT_RECEPTIVE_FIELD, Engine, KerasEngine
from inference.trial import probed_scale
from inference.value_range import ValueRange, range_of


class SavedModelEngine(Engine):
    """A SavedModel folder: its signature "serving_default", or the only one there is.

    Of fixed or dynamic size.
    """

    def __init__(self, path: str | Path, *, model_range: str | None = None):
        """path: the folder that holds saved_model.pb. model_range: a name of
        `settings.files.MODEL_RANGES`; found out when None.

        Raises UserError when it is missing, damaged, or has no signature with one image in and one
        out.
        """
        import tensorflow as tf

        self.path = Path(path)
        try:
            self._loaded = tf.saved_model.load(str(self.path))  # kept: the signature does not keep the weights alive
        except Exception as error:  # a damaged folder raises whatever its parser tripped over
            raise UserError(f"{self.path}: not a usable SavedModel: {reason(error)}") from error
        self._signature = self._only_signature()
        self._input, self.fixed_size = self._check_input()
        self.values = ValueRange()
        self.scale = probed_scale(self, path=self.path, size=self.fixed_size)
        self.values = range_of(self._run, model_range, path=self.path, size=self.fixed_size)

    @cached_property
    def receptive_field(self) -> int:
        """LR pixels to each side: assumed, since the format does not say; with a warning for those
        who need it.
        """
        return _assumed_receptive_field(self.path)

    @property
    def parameters(self) -> int | None:
        """How many numbers the signature's variables hold; None where they were frozen into
        constants.
        """
        return sum(int(np.prod(variable.shape)) for variable in self._signature.variables) or None

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        """See `Engine`.

        Raises UserError on another size than the fixed one, or where TensorFlow cannot run the
        signature.
        """
        return np.clip(self.values.decode(self._run(self.values.encode(lr))), 0.0, 1.0)

    def _run(self, lr):
        """Values as the signature takes and gives them."""
        import tensorflow as tf

        size = f"{lr.shape[2]}x{lr.shape[1]}"
        if self.fixed_size not in (None, lr.shape[1:3]):  # TensorFlow itself runs a signature on other sizes too
            raise UserError(f"{self.path}: cannot run on a picture of {size}: its input is fixed to another size")
        try:
            outputs = self._signature(**{self._input: tf.constant(lr, tf.float32)})
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise UserError(f"{self.path}: cannot run on a picture of {size}: {reason(error)}") from error
        if len(outputs) != 1:
            raise UserError(f"{self.path}: gives {len(outputs)} outputs; an upscaling network gives one picture")
        return next(iter(outputs.values())).numpy().astype(np.float32)

    def _only_signature(self):
        signatures = dict(self._loaded.signatures)
        if "serving_default" in signatures:
            return signatures["serving_default"]
        if len(signatures) != 1:
            names = ", ".join(signatures) or "none"
            raise UserError(f"{self.path}: has no signature serving_default (it has: {names}); save it with one")
        return next(iter(signatures.values()))

    def _check_input(self):
        _, inputs = self._signature.structured_input_signature
        if len(inputs) != 1:
            raise UserError(f"{self.path}: has {len(inputs)} inputs; an upscaling network takes one picture")
        name, spec = next(iter(inputs.items()))
        shape = [None] * 4 if spec.shape.rank is None else list(spec.shape)
        if len(shape) != 4 or shape[0] not in (1, None) or shape[3] not in (3, None) or not spec.dtype.is_floating:
            raise UserError(f"{self.path}: its input is {spec.dtype.name} {shape}; expected float32 (1, h, w, 3)")
        if (shape[1] is None) != (shape[2] is None):
            raise UserError(f"{self.path}: only one of height and width is fixed {shape[1:3]}; save it again")
        return name, None if shape[1] is None else (shape[1], shape[2])


def open_keras_file(path: str | Path, *, model_range: str | None = None) -> KerasEngine:
    """A KerasEngine for a .keras file: one of our networks, or any model of Keras' own layers.

    model_range: of the latter, a name of `settings.files.MODEL_RANGES`; found out when None.

    Raises UserError when the file is missing, damaged, needs classes that are not known here, or is
    no network that turns an image into a larger one.
    """
    import keras

    from models.catalog import CLASSES

    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        model = keras.models.load_model(path, custom_objects=CLASSES, compile=False)
    except Exception as error:  # a damaged archive, an unknown class, a lambda that safe mode refuses, ...
        raise UserError(f"{path}: not a usable .keras file: {reason(error)}") from error
    if hasattr(model, "scale") and hasattr(model, "receptive_field"):
        return KerasEngine(model)
    return KerasEngine(_Described(model, path, model_range))


class _Described:
    """A foreign Keras model with the two attributes that KerasEngine asks for, from [0, 1] to [0,
    1].
    """

    def __init__(self, model, path, model_range):
        self._model, self._path, self.values = model, path, ValueRange()
        channels = getattr(model, "input_shape", (None,))[-1]
        if channels not in (3, None):
            raise UserError(f"{path}: takes images of {channels} channel(s); an upscaling network takes RGB")
        self.scale, self.receptive_field = 1, 0
        self.scale = probed_scale(KerasEngine(self), path=path)
        self.values = range_of(lambda raw: model(raw, training=False), model_range, path=path)
        self.receptive_field = _assumed_receptive_field(path)

    def __call__(self, lr, training=False):
        return self.values.decode(self._model(self.values.encode(lr), training=training))

    def count_params(self):
        return self._model.count_params()


def _assumed_receptive_field(path):
    logging.warning("%s: does not say its receptive field: %d pixels assumed", path, DEFAULT_RECEPTIVE_FIELD)
    return DEFAULT_RECEPTIVE_FIELD
