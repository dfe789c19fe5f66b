"""The upscaler: a picture array in, the same kind of picture array out, larger."""

from pathlib import Path

import numpy as np

import weights
from errors import UserError
from inference.engines import KerasEngine, TFLiteEngine, use_tensorflow_threads
from inference.memory import fitting_tile
from inference.pixels import as_float, store
from inference.saved_models import SavedModelEngine, open_keras_file
from inference.tiling import iter_strips, iter_windows

# What a run folder may hold, the fastest first.
RUN_FILES = ("student.tflite", "student.weights.h5", "teacher.weights.h5")

# How far outside [0, 1] a float picture may be: rounding of a resize or a colour transform, not another unit.
_RANGE_TOLERANCE = 0.01


class Upscaler:
    """Upscales numpy pictures by any engine, tiled, in their own type and number of channels."""

    def __init__(self, model_or_path, *, threads=None, tile=None, memory_mb=None, engine="auto"):
        """Build from a model, an engine or a path.

        model_or_path: a Keras generator; an engine (see inference.engines); or the path of a .weights.h5 file, of
        a .tflite file, of a run folder, which is searched for student.tflite, student.weights.h5 and
        teacher.weights.h5, in this order; or the name of a shipped network, such as compact_s (see weights/README.md).
        threads: all usable cores when None. TensorFlow, which runs all but .tflite files, takes them for the whole process and only
        before its first operation; a model or an engine has its own.
        tile: LR pixels per tile side, without halo; when None as large as memory_mb, about what the process is to
        take in all, permits. It changes memory and speed, never the result.

        engine: "tflite" or "keras": of a run folder only that kind of file, and of no other path another; "auto": any.

        Raises UserError when the path holds no network, or a damaged one, or one of another kind.
        """
        if tile is not None and tile < 1:
            raise UserError(f"tile {tile}: must be at least 1 pixel")
        self.engine = open_engine(model_or_path, threads=threads, kind=engine)
        self.scale = self.engine.scale
        self.tile, self.memory_mb = tile, memory_mb

    def upscale(self, picture, *, out=None):
        """Upscale one picture.

        picture: (H, W, 3) RGB or (H, W) grey; uint8, uint16, or float16/32/64 in [0, 1]. out: an array of the result's
        shape and type to write into; a new one when None.
        Returns the same dtype and number of channels, (s*H, s*W, 3) or (s*H, s*W); integers are rounded half up, floats
        clipped to [0, 1]. A grey picture runs as three equal channels; the result is their luma.

        Raises UserError on any other shape or type, on values outside [0, 1], on NaN, and when the network's
        output is NaN.
        """
        picture = np.asarray(picture)
        _check_picture(picture)
        shape = (picture.shape[0] * self.scale, picture.shape[1] * self.scale, *picture.shape[2:])
        sr = np.empty(shape, picture.dtype) if out is None else out
        if (sr.shape, sr.dtype) != (shape, picture.dtype):
            raise UserError(f"out is {sr.shape} {sr.dtype}, and the result {shape} {picture.dtype}")
        tile = self.tile or self.choose_tile(picture)
        for rows, columns, window in iter_windows(self.engine, _as_input(picture), tile=tile):
            store(sr[rows, columns], window)
            del window  # before the next one is made, which can then have its memory
        return sr

    def iter_strips(self, picture, *, tile=None):
        """The rows of `upscale`, a strip at a time from top to bottom: yields (rows, s*W, 3) or (rows, s*W).

        tile: as in the constructor, for this picture; also a pair (rows, columns).
        """
        picture = np.asarray(picture)
        _check_picture(picture)
        tile = tile or self.tile or self.choose_tile(picture)
        made = {"channels": picture.shape[2:], "dtype": picture.dtype, "store": store}
        for _, strip in iter_strips(self.engine, _as_input(picture), tile=tile, **made):
            yield strip

    def choose_tile(self, picture, *, channels=None):
        """The tile for a picture where none was asked for. channels: of the result, where it has more than the picture."""
        height, width = picture.shape[:2]
        bytes_per_pixel = (channels or (*picture.shape, 1)[2]) * picture.dtype.itemsize
        return fitting_tile(
            self.engine, height=height, width=width, bytes_per_pixel=bytes_per_pixel, memory_mb=self.memory_mb
        )


def open_engine(model_or_path, *, threads=None, kind="auto"):
    """An engine for whatever `Upscaler` accepts, and of that kind. Raises UserError when a path holds no usable network."""
    if not isinstance(model_or_path, (str, Path)):
        return model_or_path if hasattr(model_or_path, "fixed_size") else KerasEngine(model_or_path)
    path = find_network(model_or_path, kind=kind)
    if path.suffix == ".tflite":
        return TFLiteEngine(path, threads=threads)
    use_tensorflow_threads(threads)
    if path.suffix == ".keras":
        return open_keras_file(path)
    if path.is_dir():
        return SavedModelEngine(path)
    from models import load_generator  # here: it brings Keras, which a .tflite file does without

    return KerasEngine(load_generator(path))


def find_network(path, *, kind="auto"):
    """The network that `path` means: the file or SavedModel folder itself, the first of RUN_FILES in a run folder, or a shipped network.

    Raises UserError when there is none.
    """
    path = Path(path)
    if not path.exists():
        path = weights.network_file(path, kind=kind) or path
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return path
        names = [name for name in RUN_FILES if kind == "auto" or name.endswith(".tflite") == (kind == "tflite")]
        for name in names:
            if (path / name).is_file():
                return path / name
        listed = " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
        raise UserError(f"{path}: a folder without {listed}")
    if not path.is_file():
        listed = f", or a shipped network: {', '.join(weights.names())}" if weights.names() else ""
        raise UserError(
            f"{path}: no such file or folder; give a .tflite, .weights.h5 or .keras file, or a run folder{listed}"
        )
    if path.suffix not in (".tflite", ".keras") and not path.name.endswith(".weights.h5"):
        raise UserError(f"{path}: not a network; give a .tflite, .weights.h5 or .keras file, or a run folder")
    if kind != "auto" and (path.suffix == ".tflite") != (kind == "tflite"):
        remedy = "make one with export_tflite.py" if kind == "tflite" else "give its .weights.h5 file"
        raise UserError(f"{path}: not for --engine={kind}; {remedy}, or leave --engine=auto")
    return path


def _check_picture(picture):
    if picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,)) or not picture.size:
        raise UserError(
            f"a picture of shape {picture.shape}: must be (height, width, 3) or (height, width), and not empty"
        )
    if picture.dtype in (np.uint8, np.uint16):
        return
    if not np.issubdtype(picture.dtype, np.floating):
        raise UserError(f"a picture of type {picture.dtype}: must be uint8, uint16 or float in [0, 1]")
    low, high = float(picture.min()), float(picture.max())
    if not (low >= -_RANGE_TOLERANCE and high <= 1 + _RANGE_TOLERANCE):  # also false for NaN
        raise UserError(f"a float picture with values from {low:g} to {high:g}: must be in [0, 1]")


def _as_input(picture):
    """(H, W, 3) of a picture that was checked; floats within [0, 1]."""
    lr = picture if picture.ndim == 3 else np.broadcast_to(picture[..., None], (*picture.shape, 3))
    return np.clip(as_float(lr), 0.0, 1.0) if np.issubdtype(lr.dtype, np.floating) else lr
