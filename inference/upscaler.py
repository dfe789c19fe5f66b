"""The upscaler: an image array in, the same kind of image array out, larger."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import runs
from data.image_reader import Still
from errors import UserError
from inference.engines import Engine, KerasEngine, TFLiteEngine, use_tensorflow_threads
from inference.memory import fitting_tile
from inference.pixels import as_float, store
from inference.saved_models import SavedModelEngine, open_keras_file
from inference.tiling import iter_strips, iter_windows

# How far outside [0, 1] a float image may be: rounding of a resize or a colour transform, not
# another unit.
_RANGE_TOLERANCE = 0.01


class Upscaler:
    """Upscales numpy images by any engine, tiled, in their own type and number of channels."""

    def __init__(
        self,
        model_or_path: Any,
        *,
        threads: int | None = None,
        tile: int | None = None,
        memory_mb: float | None = None,
        engine: str = "auto",
    ):
        """Build from a model, an engine or a path.

        model_or_path: a Keras generator; an `inference.engines.Engine`; or the path of a
        .weights.h5 file, of a .tflite file, of a run folder, which is searched for student.tflite,
        student.weights.h5 and teacher.weights.h5, in this order; or the name of a shipped network,
        such as compact_s (see weights/README.md).
        threads: all usable cores when None. TensorFlow, which runs all but .tflite files, takes
        them for the whole process and only before its first operation; a model or an engine has its
        own.
        tile: LR pixels per tile side, without halo; when None as large as memory_mb, about what the
        process is to take in all, permits. It changes memory and speed, never the result.

        engine: the kind of network, "tflite" or "keras": of a run folder only that file, and no
        other path of another kind; "auto": any.

        Raises UserError when the path holds no network, or a damaged one, or one of another kind.
        """
        if tile is not None and tile < 1:
            raise UserError(f"tile {tile}: must be at least 1 pixel")
        self.engine = open_engine(model_or_path, threads=threads, kind=engine)
        self.scale = self.engine.scale
        self.tile, self.memory_mb = tile, memory_mb
        self._tiles = {}  # what was chosen: of a video's frames all have the same

    def upscale(self, picture: np.ndarray, *, out: np.ndarray | None = None) -> np.ndarray:
        """Upscale one image.

        picture: (H, W, 3) RGB or (H, W) grey; uint8, uint16, or float16/32/64 in [0, 1]. out: an
        array of the result's shape and type to write into; a new one when None.
        Returns the same dtype and number of channels, (s*H, s*W, 3) or (s*H, s*W); integers are
        rounded half up, floats clipped to [0, 1]. A grey image runs as three equal channels; the
        result is their luma.

        Raises UserError on any other shape or type, on values outside [0, 1], on NaN, and when the
        network's output is NaN.
        """
        picture = np.asarray(picture)
        _check_image(picture)
        shape = (picture.shape[0] * self.scale, picture.shape[1] * self.scale, *picture.shape[2:])
        sr = np.empty(shape, picture.dtype) if out is None else out
        if (sr.shape, sr.dtype) != (shape, picture.dtype):
            raise UserError(f"out is {sr.shape} {sr.dtype}, and the result {shape} {picture.dtype}")
        tile = self.tile or self.choose_tile(picture)
        for rows, columns, window in iter_windows(self.engine, _as_input(picture), tile=tile):
            store(sr[rows, columns], window)
            del window  # before the next one is made, which can then have its memory
        return sr

    def for_image(self, path: Path, image: Still) -> "Upscaler":
        """Itself: one network for every image; `inference.choice.Networks` chooses one."""
        return self

    def iter_strips(self, picture: np.ndarray, *, tile: int | tuple[int, int] | None = None) -> Iterator[np.ndarray]:
        """The rows of `upscale`, a strip at a time from top to bottom: yields (rows, s*W, 3) or
        (rows, s*W).

        tile: as in the constructor, for this image; also a pair (rows, columns).
        """
        picture = np.asarray(picture)
        _check_image(picture)
        tile = tile or self.tile or self.choose_tile(picture)
        made = {"channels": picture.shape[2:], "dtype": picture.dtype, "store": store}
        for _, strip in iter_strips(self.engine, _as_input(picture), tile=tile, **made):
            yield strip

    def choose_tile(self, picture: np.ndarray, *, channels: int | None = None) -> int:
        """The tile for an image where none was asked for. channels: of the result, where it has
        more than the image.
        """
        height, width = picture.shape[:2]
        bytes_per_pixel = (channels or (*picture.shape, 1)[2]) * picture.dtype.itemsize
        key = (height, width, bytes_per_pixel)
        if key not in self._tiles:
            sizes = {"height": height, "width": width, "bytes_per_pixel": bytes_per_pixel}
            self._tiles[key] = fitting_tile(self.engine, **sizes, memory_mb=self.memory_mb)
        return self._tiles[key]


def open_engine(
    model_or_path: Any, *, threads: int | None = None, kind: str = "auto", model_range: str | None = None
) -> Engine:
    """An engine for whatever `Upscaler` accepts, and of that kind, or for what `runs.look_up`
    found.

    model_range: of a network from elsewhere whose file does not say it, a name of
    `settings.files.MODEL_RANGES`; None to find out.
    Raises UserError when it is no usable network.
    """
    if isinstance(model_or_path, (str, Path)):
        model_or_path = runs.look_up(model_or_path, fastest=True, engine=kind)
    if not isinstance(model_or_path, runs.Found):
        return model_or_path if isinstance(model_or_path, Engine) else KerasEngine(model_or_path)
    network, path = model_or_path
    if network in (runs.BICUBIC, "images"):
        raise UserError(f"{path}: no network")
    if network == "tflite":
        return TFLiteEngine(path, threads=threads, model_range=model_range)
    use_tensorflow_threads(threads)
    if network == "keras":
        return open_keras_file(path, model_range=model_range)
    if network == "saved_model":
        return SavedModelEngine(path, model_range=model_range)
    from models import load_generator  # here: it brings Keras, which a .tflite file does without

    return KerasEngine(load_generator(path))


def _check_image(image):
    if image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)) or not image.size:
        raise UserError(
            f"a picture of shape {image.shape}: must be (height, width, 3) or (height, width), and not empty"
        )
    if image.dtype in (np.uint8, np.uint16):
        return
    if not np.issubdtype(image.dtype, np.floating):
        raise UserError(f"a picture of type {image.dtype}: must be uint8, uint16 or float in [0, 1]")
    low, high = float(image.min()), float(image.max())
    if not (low >= -_RANGE_TOLERANCE and high <= 1 + _RANGE_TOLERANCE):  # also false for NaN
        raise UserError(f"a float picture with values from {low:g} to {high:g}: must be in [0, 1]")


def _as_input(image):
    """(H, W, 3) of an image that was checked; floats within [0, 1]."""
    lr = image if image.ndim == 3 else np.broadcast_to(image[..., None], (*image.shape, 3))
    return np.clip(as_float(lr), 0.0, 1.0) if np.issubdtype(lr.dtype, np.floating) else lr
