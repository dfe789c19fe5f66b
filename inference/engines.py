"""One way to call a network, whatever runs it.

TensorFlow and LiteRT are imported by the engine that needs them, so that each is usable where the
other is not installed.
"""

import json
import os
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from errors import UserError, reason
from inference.trial import probed_scale, try_out
from inference.value_range import ValueRange, range_of

# For a .tflite file without a sidecar: enough for 64 plain 3x3 convolutions, four times the depth
# of a usual exported student.
DEFAULT_RECEPTIVE_FIELD = 64
_FARTHEST = 4096  # that a sidecar may state: what is then looked at fits into memory

# How far beyond its stated receptive field a network is looked at, in LR pixels, and what
# difference there counts: more than a level.
_MARGIN, _VISIBLE = 8, 1.5 / 255


class Engine(ABC):
    """What every engine inherits.

    An engine states `scale` and `receptive_field`; the rest has defaults.

    scale            the factor s
    receptive_field  LR pixels to each side that an output pixel can depend on: the halo of tiling
    fixed_size       the only (h, w) that the engine takes; None for any
    bytes_per_pixel  about how much memory a run takes for each LR pixel
    alignment        windows of a tiled image begin at multiples of so many LR pixels
    takes_uint8      whether lr may be uint8 in [0, 255], and sr then is: no way over floats
    """

    scale: int
    receptive_field: int
    fixed_size: tuple[int, int] | None = None
    bytes_per_pixel: float = 1024  # 64 channels of float32, four times
    alignment: int = 1
    takes_uint8: bool = False

    @abstractmethod
    def __call__(self, lr: np.ndarray) -> np.ndarray:
        """Upscale lr (1, h, w, 3) float32 in [0, 1] -> (1, s*h, s*w, 3) float32 clipped to
        [0, 1].
        """


class KerasEngine(Engine):
    """A Keras generator.

    Follows the model's weights: an update of the model is seen by the next call.
    """

    def __init__(self, model: Any):
        """model: called as `model(lr, training=False)`, with `scale`, `receptive_field` and, where
        not 1, `alignment`.
        """
        import tensorflow as tf

        self.model = model
        self.scale = int(model.scale)
        self.receptive_field = int(model.receptive_field)
        self.alignment = int(getattr(model, "alignment", 1))

        # One signature for every size: without it tf.function would trace the network anew for each
        # shape of image.
        @tf.function(input_signature=[tf.TensorSpec((1, None, None, 3), tf.float32)])
        def clipped(lr):
            return tf.clip_by_value(tf.cast(model(lr, training=False), tf.float32), 0.0, 1.0)

        self._clipped = clipped

    @cached_property
    def bytes_per_pixel(self) -> float:
        """Twice what the largest operation reads and writes: a residual network holds on to more
        than its last layer.
        """
        import tensorflow as tf

        side = 16
        graph = tf.function(self.model).get_concrete_function(
            tf.TensorSpec((1, side, side, 3), tf.float32), training=False
        )
        largest = max(sum(map(_tensor_bytes, (*op.inputs, *op.outputs))) for op in graph.graph.get_operations())
        return 2 * largest / side**2 + 24 * self.scale**2

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        """See `Engine`. Raises UserError where the network cannot take an image of that size."""
        try:
            return self._clipped(np.asarray(lr, np.float32)).numpy()
        except Exception as error:  # of TensorFlow, Keras or a network from elsewhere
            raise UserError(f"the network cannot run on {lr.shape[2]}x{lr.shape[1]} pixels: {reason(error)}") from error


def use_tensorflow_threads(threads: int | None) -> None:
    """Hold TensorFlow, in the whole process, to so many threads; None leaves it its own number.

    It takes them before its first operation only: after that a warning says that they stay as they
    are.
    """
    import tensorflow as tf

    if threads in (None, tf.config.threading.get_intra_op_parallelism_threads()):
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        logging.warning("threads=%d: TensorFlow runs already, and keeps the number it has", threads)


class TFLiteEngine(Engine):
    """An exported .tflite network, float or 8-bit, of fixed or dynamic size, run by LiteRT.

    `sidecar` holds what stands in NAME.json beside NAME.tflite ({} without one): scale,
    receptive_field, parameters... An engine holds the buffers of one interpreter: use one engine
    per thread.
    """

    def __init__(self, path: str | Path, *, threads: int | None = None, model_range: str | None = None):
        """path: of the .tflite file. threads: of the interpreter; all cores this process may use
        when None. model_range: of a file without a sidecar of ours, a name of
        `settings.files.MODEL_RANGES`; found out when None.

        Raises UserError when the file, or its sidecar, is missing, damaged, or not a network of
        this kind.
        """
        self.path = Path(path)
        self.threads = threads or _usable_cores()
        self.sidecar = _read_sidecar(self.path.with_suffix(".json"))
        self._interpreter = _open_interpreter(self.path, self.threads, self.sidecar)
        self._input, self._output = self._check_tensors()
        self.fixed_size = self._find_fixed_size()
        self._shape = None
        self.takes_uint8 = _holds_pixels(self._input) and _holds_pixels(self._output)
        self.values = ValueRange()
        self.scale = probed_scale(self, path=self.path, size=self.fixed_size)
        if self.sidecar.get("scale", self.scale) != self.scale:
            stated = f"{self.path.with_suffix('.json')}: says scale {self.sidecar['scale']}"
            raise UserError(f"{stated}, but the network beside it upscales by {self.scale}")
        if not self.takes_uint8 and "receptive_field" not in self.sidecar:
            self.values = range_of(self._run_floats, model_range, path=self.path, size=self.fixed_size)
        self.alignment = self.sidecar.get("alignment", 1)

    @cached_property
    def receptive_field(self) -> int:
        """What the sidecar says; else DEFAULT_RECEPTIVE_FIELD, with a warning, given to those who
        do need to know.
        """
        sidecar = self.path.with_suffix(".json").name
        if "receptive_field" in self.sidecar:
            if not self._reaches_no_further(self.sidecar["receptive_field"]):
                raise UserError(
                    f"{sidecar}: says receptive_field {self.sidecar['receptive_field']}, but the network beside it sees further; "
                    "tiles would leave seams: export the network again"
                )
            return self.sidecar["receptive_field"]
        logging.warning("%s: no receptive field in %s: %d pixels assumed", self.path, sidecar, DEFAULT_RECEPTIVE_FIELD)
        return DEFAULT_RECEPTIVE_FIELD

    @cached_property
    def bytes_per_pixel(self) -> float:
        """Three of the widest layers, and the output twice, of float32 where that is the way.

        The file does not say at which resolution a layer works. Where the last one is no
        depth-to-space from LR, some are taken to work at SR, on a quarter of the channels that a
        sub-pixel convolution has.
        """
        details = self._interpreter.get_tensor_details()
        channels = {
            int(tensor["shape"][3]) for tensor in details if len(tensor["shape"]) == 4 and tensor["shape"][0] == 1
        }
        widest = max(channels)
        if 3 * self.scale**2 not in channels:
            widest *= max(1, self.scale**2 // 4)
        size = 1 if self._input["dtype"] != np.float32 else 4
        return 3 * size * widest + (6 if self.takes_uint8 else 24) * self.scale**2

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        """See `Engine`.

        Raises UserError on another size than the fixed one, or when the runtime fails (out of
        memory, say).
        """
        if self.takes_uint8 and lr.dtype == np.uint8:
            return self._run(lr)
        sr = self.values.decode(self._run_floats(self.values.encode(np.asarray(lr, np.float32))))
        return np.clip(sr, 0.0, 1.0, out=sr)

    def _run_floats(self, lr):
        """In the network's own range of values, whatever its type."""
        return _dequantise(self._run(_quantise(lr, self._input)), self._output)

    def _run(self, lr):
        """From the numbers of the input tensor to those of the output tensor."""
        try:
            if lr.shape != self._shape:  # allocation costs as much as a small image: only when the shape changes
                self._allocate(lr.shape)
            self._interpreter.set_tensor(self._input["index"], lr)
            self._interpreter.invoke()
            return self._interpreter.get_tensor(self._output["index"])
        except (ValueError, RuntimeError, MemoryError) as error:
            self._shape = None
            raise UserError(
                f"{self.path}: cannot run on a picture of {lr.shape[2]}x{lr.shape[1]}: {reason(error)}"
            ) from error

    def _reaches_no_further(self, reach):
        """Whether the middle of an image stays as it is while everything further away than `reach`
        changes.

        Measured on noise, as far as one image goes: a window of 2·reach + 1 pixels within _MARGIN
        others.
        """
        side = 2 * (reach + _MARGIN) + 1
        height, width = self.fixed_size or (side, side)
        rows, columns = (slice(max(0, length // 2 - reach), length // 2 + reach + 1) for length in (height, width))
        images = np.random.default_rng(0).random((2, 1, height, width, 3), np.float32)
        images[1, :, rows, columns] = images[0, :, rows, columns]
        middle = [self.scale * (length // 2) for length in (height, width)]
        first, second = (
            self(image)[:, middle[0] : middle[0] + self.scale, middle[1] : middle[1] + self.scale] for image in images
        )
        return np.abs(first - second).max() < _VISIBLE

    def _allocate(self, shape):
        self._shape = None
        if self.fixed_size is None:
            self._interpreter.resize_tensor_input(self._input["index"], shape, strict=True)
        self._interpreter.allocate_tensors()
        self._shape = tuple(shape)

    def _check_tensors(self):
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        for side, details in (("inputs", inputs), ("outputs", outputs)):
            if len(details) != 1:
                raise UserError(
                    f"{self.path}: has {len(details)} {side}; an upscaling network has one picture in, one out"
                )
            shape, dtype = list(details[0]["shape_signature"]), details[0]["dtype"]
            if len(shape) != 4 or shape[0] not in (1, -1) or shape[3] not in (3, -1):
                raise UserError(
                    f"{self.path}: its {side} have shape {shape}; an upscaling network has (1, height, width, 3)"
                )
            if dtype not in (np.float32, np.uint8, np.int8):
                raise UserError(f"{self.path}: its {side} are {np.dtype(dtype)}; float32, uint8 and int8 are supported")
            if dtype != np.float32 and not details[0]["quantization"][0]:
                raise UserError(f"{self.path}: its {side} are {np.dtype(dtype)} without quantisation parameters")
        return inputs[0], outputs[0]

    def _find_fixed_size(self):
        height, width = (int(side) for side in self._input["shape_signature"][1:3])
        if (height < 0) != (width < 0):
            raise UserError(f"{self.path}: only one of height and width is fixed ({height}, {width}); export it again")
        return None if height < 0 else (height, width)


def _tensor_bytes(tensor):
    """Of activations, whose first dimension is the batch of one; 0 for weights and whatever has no
    known size.
    """
    known = tensor.shape.rank == 4 and tensor.shape.is_fully_defined() and tensor.shape[0] == 1
    return tensor.shape.num_elements() * tensor.dtype.size if known else 0


def _usable_cores():
    if hasattr(os, "sched_getaffinity"):  # Linux; respects containers and taskset, as cpu_count does not
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _open_interpreter(path, threads, sidecar):
    from ai_edge_litert.interpreter import Interpreter

    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try_out(path, sidecar)
    try:
        interpreter = Interpreter(model_path=str(path), num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise UserError(f"{path}: not a usable .tflite file: {reason(error)}") from error
    return interpreter


def _read_sidecar(path):
    """Read the JSON beside a .tflite file, {} where there is none.

    Raises UserError when damaged or contradictory.
    """
    if not path.is_file():
        return {}
    try:
        sidecar = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not readable as JSON: {reason(error)}; export the network again") from error
    if not isinstance(sidecar, dict):
        raise UserError(f"{path}: holds no JSON object; export the network again")
    for name, least, most in (("receptive_field", 0, _FARTHEST), ("alignment", 1, _FARTHEST), ("parameters", 0, 2**40)):
        value = sidecar.get(name, least)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise UserError(f"{path}: {name} {value!r} is not a number from {least} to {most}")
    return sidecar


def _holds_pixels(tensor):
    """Whether a tensor's numbers are 8-bit pixels as files have them: uint8, in steps of 1/255 from
    0.
    """
    step, zero_point = tensor["quantization"]
    return tensor["dtype"] == np.uint8 and zero_point == 0 and abs(255 * step - 1) < 1e-5


def _quantise(pixels, tensor):
    """Map float32 pixels in [0, 1] to the tensor's own type, by q = round(pixel / step) +
    zero_point.
    """
    if tensor["dtype"] == np.float32:
        return pixels
    step, zero_point = tensor["quantization"]
    limits = np.iinfo(tensor["dtype"])
    return np.clip(np.rint(pixels / step) + zero_point, limits.min, limits.max).astype(tensor["dtype"])


def _dequantise(values, tensor):
    """Map the tensor's own type to float32, by pixel = step * (q - zero_point)."""
    if tensor["dtype"] == np.float32:
        return values
    step, zero_point = tensor["quantization"]
    return (values.astype(np.float32) - np.float32(zero_point)) * np.float32(step)
