"""The compact student as it will run in integers: fake quantisation of every weight and activation,
with ranges that are learned.

The one network that needs TensorFlow, for its fake-quantisation operations: they round in the
forward pass, let the gradient through in the backward pass, and become the integer scales of the
exported file. Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", arXiv:1712.05877, section 3.
"""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from models.compact import Compact, check_form
from models.upsampling import repeat_channels, to_every_colour, to_space


def quantise_kernel(kernel: tf.Tensor) -> tf.Tensor:
    """8 bits per output channel, symmetric about 0, as integer convolutions want it: (h, w, in,
    out) to the same.
    """
    bound = tf.maximum(tf.reduce_max(tf.abs(kernel), axis=(0, 1, 2)), 1e-6)
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(kernel, -bound, bound, narrow_range=True)


def quantise_interpolation(kernel: tf.Tensor) -> tf.Tensor:
    """The same for a kernel (3, 3, 3, n) of the image itself, each 3×3 plane keeping its sum as
    closely as a step allows.

    What single weights lose adds up on a flat image to another level for each sub-pixel: a grid,
    and a colour cast. The middle of the plane makes up for it, with room for that above the largest
    weight.
    """
    bound = tf.maximum(tf.reduce_max(tf.abs(kernel), axis=(0, 1, 2)), 1e-6) * (130 / 127)

    def rounded(values):
        return tf.quantization.fake_quant_with_min_max_vars_per_channel(values, -bound, bound, narrow_range=True)

    step = bound / 127
    missing = tf.round(tf.reduce_sum(kernel - rounded(kernel), axis=(0, 1)) / step) * step
    middle = tf.reshape(tf.one_hot(4, 9), (3, 3, 1, 1))
    return rounded(rounded(kernel) + middle * tf.stop_gradient(missing))


class Range(layers.Layer):
    """Rounds to 256 levels between two learned bounds.

    Any shape to the same. signed: the lower bound is learned too; otherwise it is 0.
    """

    def __init__(self, *, signed: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.signed = signed

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.low = self.add_weight(shape=(), initializer="zeros", trainable=self.signed, name="low")
        self.high = self.add_weight(shape=(), initializer="ones", name="high")

    def cover(self, values: tf.Tensor) -> tf.Tensor:
        """Widen the bounds so that `values` lie between them; the values come back as they are."""
        if self.signed:
            self.low.assign(ops.minimum(self.low, ops.min(values)))
        self.high.assign(ops.maximum(self.high, ops.max(values)))
        return values

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.quantization.fake_quant_with_min_max_vars(x, self.low.value, self.high.value)


class QuantizedCompact(keras.Model):
    """(B, h, w, 3) to (B, scale·h, scale·w, 3), float32 in [0, 1], as `models.compact.Compact`, in
    steps of 8 bits throughout.

    Input and output have the fixed range [0, 1]. In training the output is neither rounded nor
    clipped, so the loss still sees how far it is off. The sums of residual blocks and the
    interpolation of a "luma" tail have ranges of their own.
    """

    clipped = True  # its output lies in [0, 1]

    def __init__(
        self, *, depth: int = 8, width: int = 32, scale: int = 4, tail: str = "rgb", residual: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})  # bfloat16 would round again what is rounded to 8 bits
        check_form(depth=depth, tail=tail, residual=residual)
        self.depth, self.width, self.scale, self.tail_form, self.residual = depth, width, scale, tail, residual
        filters = [width] * (depth + 1) + [(3 if tail == "rgb" else 1) * scale**2]
        self.convs = [self._conv(n, f"conv_{i}") for i, n in enumerate(filters)]
        for conv, channels in zip(self.convs, [3] + filters, strict=False):
            # Their kernels are used, rounded; they are never called themselves.
            conv.build((None, None, None, channels))
        # Behind a ReLU lies nothing below 0. The second convolution of a block has none, nor has
        # the tail.
        second = range(depth - 2 * residual + 2, depth + 1, 2)
        self.ranges = [self._range(f"range_{i}", signed=i in second or i == depth + 1) for i in range(depth + 2)]
        self.sums = [self._range(f"sum_{i + 1}") for i in range(residual)]
        if tail == "luma":
            self.interpolation = self._conv(3 * scale**2, "interpolation", use_bias=False)
            self.interpolation.build((None, None, None, 3))
            self.interpolation_range = self._range("interpolation_range", signed=True)

    def _conv(self, filters, name, **options):
        return layers.Conv2D(filters, 3, padding="same", dtype="float32", name=name, **options)

    def _range(self, name, signed=False):
        return Range(signed=signed, dtype="float32", name=name)

    @classmethod
    def of(cls, compact: Compact, pictures: Iterable[np.ndarray]) -> "QuantizedCompact":
        """The quantised form of a `Compact` network, its branches collapsed.

        pictures: iterable of (1, h, w, 3) float32 in [0, 1]; the ranges start where the activations
        on them lie.
        """
        plain = compact.fuse()
        config = plain.get_config()
        del config["expansion"]
        model = cls(**config)
        model(keras.Input((None, None, 3)), training=False)
        trained = [plain.head, *plain.trunk, plain.tail]
        for ours, theirs in zip(model.convs, trained, strict=True):
            ours.set_weights(theirs.get_weights())
        if plain.tail_form == "luma":
            model.interpolation.set_weights(plain.interpolation.get_weights())
        for bounds in model.layers:
            if isinstance(bounds, Range):
                bounds.high.assign(1e-3)
        for picture in pictures:
            model._channels(ops.convert_to_tensor(picture), rounded=False, within=Range.cover)
        # XNNPACK adds integers whose steps differ by less than 1,000 times. The branch of a new
        # block is zero.
        for branch, total in zip(model.ranges[model.depth - 2 * model.residual + 2 : -1 : 2], model.sums, strict=True):
            branch.cover(total.high / 256)
        return model

    @property
    def receptive_field(self) -> int:
        """How many low-resolution pixels to each side an output pixel depends on: the halo for
        exact tiling.
        """
        return self.depth + 2

    def call(self, lr: tf.Tensor, training: bool = False) -> tf.Tensor:
        lr = tf.quantization.fake_quant_with_min_max_args(lr, 0.0, 1.0)
        sr = to_space(self._channels(lr, rounded=True, within=Range.__call__), self.scale)
        return sr if training else tf.quantization.fake_quant_with_min_max_args(sr, 0.0, 1.0)

    def _channels(self, lr, *, rounded, within):
        """The image before depth-to-space. rounded: whether kernels are; within: `f(range,
        values)`, of each activation.
        """

        def convolved(x, kernel, quantise=quantise_kernel):
            return ops.conv(x, quantise(kernel) if rounded else kernel, padding="same")

        def conv(x, i):
            y = convolved(x, self.convs[i].kernel.value) + self.convs[i].bias
            return within(self.ranges[i], y if self.ranges[i].signed else ops.relu(y))

        x = conv(lr, 0)
        plain = self.depth - 2 * self.residual
        for i in range(1, plain + 1):
            x = conv(x, i)
        for i, bounds in zip(range(plain + 1, self.depth, 2), self.sums, strict=True):
            x = within(bounds, ops.relu(x + conv(conv(x, i), i + 1)))
        residual = conv(x, self.depth + 1)
        if self.tail_form == "rgb":
            return residual + repeat_channels(lr, self.scale)
        # The same range again: zeros and ones change no value, in the integers either.
        spread = within(self.ranges[-1], convolved(residual, tf.constant(to_every_colour(self.scale**2))))
        image = convolved(lr, self.interpolation.kernel.value, quantise_interpolation)
        return within(self.interpolation_range, image) + spread

    def get_config(self) -> dict[str, Any]:
        return {
            "depth": self.depth,
            "width": self.width,
            "scale": self.scale,
            "tail": self.tail_form,
            "residual": self.residual,
        }
