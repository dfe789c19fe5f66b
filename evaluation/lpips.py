"""LPIPS: how different two images look, measured in the features of a network; 0 is equal, lower is
better.

Zhang, Isola, Efros, Shechtman, Wang: "The Unreasonable Effectiveness of Deep Features as a
Perceptual Metric", arXiv:1801.03924, version 0.1 with SqueezeNet 1.1 as its backbone. The weights
(3 MB, BSD-2) are no part of this repository: `LPIPS` reads them from an .npz of the original's
parameters, named as there with "__" for ".", convolutions as (out, in, height, width).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from errors import UserError
from losses.pretrained import read_arrays

SMALLEST = 17  # pixels: what the three poolings leave a value of

# The layers of SqueezeNet 1.1 after its first convolution: fire modules, and poolings that halve
# the image.
_POOL = "pool"
_LAYERS = (
    (_POOL, "net__slice2__3", "net__slice2__4"),
    (_POOL, "net__slice3__6", "net__slice3__7"),
    (_POOL, "net__slice4__9"),
    ("net__slice5__10",),
    ("net__slice6__11",),
    ("net__slice7__12",),
)
_STRIDES = (2, 4, 8, 16, 16, 16, 16)  # pixels between neighbouring features: one entry for each compared layer

# Rows beside a strip that can reach its features: 8 features of 16 pixels from below, 6 from above,
# and some to spare.
_HALO = 192
_STRIP_PIXELS = 3_000_000


class _Fire(NamedTuple):
    """A fire module: 1x1 to few channels, then 1x1 and 3x3 side by side. Each a (kernel, bias)."""

    squeeze: tuple
    expand1x1: tuple
    expand3x3: tuple


class LPIPS:
    """The measure, with the weights of one file. Call it as `lpips(hr, sr)`."""

    def __init__(self, path: str | Path, *, strip_pixels: int = _STRIP_PIXELS) -> None:
        """path: the .npz file. strip_pixels: about how many pixels are looked at at once; it bounds
        memory and does not change the result.

        Raises UserError when the file is missing, damaged or lacks a parameter.
        """
        self._strip_pixels = strip_pixels
        arrays = read_arrays(path, flag="lpips_weights")
        try:
            self._shift, self._scale = (
                arrays[f"scaling_layer__{name}"].reshape(1, 1, 1, 3) for name in ("shift", "scale")
            )
            self._first = _convolution(arrays, "net__slice1__0")
            self._layers = [
                [
                    name
                    if name == _POOL
                    else _Fire(*(_convolution(arrays, f"{name}__{part}") for part in _Fire._fields))
                    for name in layer
                ]
                for layer in _LAYERS
            ]
            self._heads = [arrays[f"lin{i}__model__1__weight"].reshape(-1) for i in range(len(_STRIDES))]
        except (KeyError, ValueError) as error:
            raise UserError(
                f"--lpips_weights={path}: not the weights of LPIPS v0.1 with SqueezeNet 1.1: {error}"
            ) from error
        self._difference_maps = tf.function(self._maps, input_signature=[tf.TensorSpec((2, None, None, 3), tf.float32)])

    def __call__(self, hr: np.ndarray, sr: np.ndarray) -> float:
        """LPIPS of two images (H, W, 3), uint8, or float in [0, 1]; a float.

        Raises UserError when the sizes differ or a side is shorter than SMALLEST.
        """
        if hr.shape != sr.shape:
            raise UserError(
                f"sizes differ: {sr.shape[1]}x{sr.shape[0]} against an original of {hr.shape[1]}x{hr.shape[0]}"
            )
        height, width = hr.shape[:2]
        if min(height, width) < SMALLEST:
            raise UserError(f"a picture of {width}x{height} is too small for LPIPS: at least {SMALLEST}x{SMALLEST}")
        totals, counts = np.zeros(len(_STRIDES)), np.zeros(len(_STRIDES))
        rows = max(
            256, self._strip_pixels // width // 16 * 16
        )  # multiples of 16: features of a strip are those of the whole
        for top in range(0, height, rows):
            start, stop = max(0, top - _HALO), min(height, top + rows + _HALO)
            pair = np.stack([_as_float(picture[start:stop]) for picture in (hr, sr)])
            for layer, (stride, maps) in enumerate(zip(_STRIDES, self._difference_maps(pair), strict=True)):
                end = None if top + rows >= height else (top + rows - start) // stride
                own = maps.numpy()[(top - start) // stride : end]
                totals[layer] += own.sum(dtype=np.float64)
                counts[layer] += own.size
        return float((totals / counts).sum())

    def _maps(self, pair):
        """For each layer the weighted squared difference of unit features, (h, w). pair: (2, H, W,
        3) in [0, 1].
        """
        x = tf.nn.relu(_conv((2.0 * pair - 1.0 - self._shift) / self._scale, self._first, stride=2, padding="VALID"))
        features = [x]
        for layer in self._layers:
            for module in layer:
                x = _pool(x) if module == _POOL else _fire(x, module)
            features.append(x)
        return [_difference(x, head) for x, head in zip(features, self._heads, strict=True)]


def _difference(features, head):
    unit = features / (tf.norm(features, axis=-1, keepdims=True) + 1e-10)
    return tf.reduce_sum(tf.square(unit[0] - unit[1]) * head, axis=-1)


def _conv(x, parameters, *, stride=1, padding="SAME"):
    kernel, bias = parameters
    return tf.nn.conv2d(x, kernel, strides=stride, padding=padding) + bias


def _fire(x, fire):
    x = tf.nn.relu(_conv(x, fire.squeeze))
    return tf.nn.relu(tf.concat([_conv(x, fire.expand1x1), _conv(x, fire.expand3x3)], axis=-1))


def _pool(x):
    """3x3 at stride 2, sizes rounded up: an even side gets one more row, of zeros, which no feature
    after a ReLU is below.
    """
    height, width = tf.shape(x)[1], tf.shape(x)[2]
    x = tf.pad(x, [[0, 0], [0, 1 - height % 2], [0, 1 - width % 2], [0, 0]])
    return tf.nn.max_pool2d(x, 3, strides=2, padding="VALID")


def _as_float(picture):
    return picture / np.float32(255) if picture.dtype == np.uint8 else picture.astype(np.float32)


def _convolution(arrays, name):
    """(kernel as (height, width, in, out), bias)."""
    return arrays[f"{name}__weight"].transpose(2, 3, 1, 0), arrays[f"{name}__bias"]
