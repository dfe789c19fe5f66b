"""The compact student as it will run in integers: fake quantisation of every weight and activation, with ranges that are learned.

The one network that needs TensorFlow, for its fake-quantisation operations: they round in the forward pass, let the gradient through in the
backward pass, and become the integer scales of the exported file. Source: Jacob et al., "Quantization and Training of Neural
Networks for Efficient Integer-Arithmetic-Only Inference", arXiv:1712.05877, section 3.
"""

import keras
import tensorflow as tf
from keras import layers, ops


def quantise_kernel(kernel):
    """8 bits per output channel, symmetric about 0, as integer convolutions want it: (h, w, in, out) to the same."""
    bound = tf.maximum(tf.reduce_max(tf.abs(kernel), axis=(0, 1, 2)), 1e-6)
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(kernel, -bound, bound, narrow_range=True)


class Range(layers.Layer):
    """Rounds to 256 levels between two learned bounds. Any shape to the same. signed: the lower bound is learned too; otherwise it is 0."""

    def __init__(self, *, signed=False, **kwargs):
        super().__init__(**kwargs)
        self.signed = signed

    def build(self, input_shape):
        self.low = self.add_weight(shape=(), initializer="zeros", trainable=self.signed, name="low")
        self.high = self.add_weight(shape=(), initializer="ones", name="high")

    def cover(self, values):
        """Widen the bounds so that `values` lie between them."""
        if self.signed:
            self.low.assign(ops.minimum(self.low, ops.min(values)))
        self.high.assign(ops.maximum(self.high, ops.max(values)))

    def call(self, x):
        return tf.quantization.fake_quant_with_min_max_vars(x, self.low.value, self.high.value)


class QuantizedCompact(keras.Model):
    """(B, h, w, 3) to (B, scale·h, scale·w, 3), float32 in [0, 1], as `models.compact.Compact`, in steps of 8 bits throughout.

    Input and output have the fixed range [0, 1]. In training the output is neither rounded nor clipped, so the loss still sees how far it is off.
    """

    clipped = True  # its output lies in [0, 1]

    def __init__(self, *, depth=8, width=32, scale=4, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})  # bfloat16 would round again what is rounded to 8 bits
        self.depth, self.width, self.scale = depth, width, scale
        filters = [width] * (depth + 1) + [3 * scale**2]
        self.convs = [
            layers.Conv2D(n, 3, padding="same", dtype="float32", name=f"conv_{i}") for i, n in enumerate(filters)
        ]
        for conv, channels in zip(self.convs, [3] + filters, strict=False):
            conv.build(
                (None, None, None, channels)
            )  # their kernels are used, rounded; they are never called themselves
        self.ranges = [Range(signed=i == depth + 1, dtype="float32", name=f"range_{i}") for i in range(depth + 2)]

    @classmethod
    def of(cls, compact, pictures):
        """The quantised form of a `Compact` network, its branches collapsed.

        pictures: iterable of (1, h, w, 3) float32 in [0, 1]; the ranges start where the activations on them lie.
        """
        plain = compact.fuse()
        model = cls(depth=plain.depth, width=plain.width, scale=plain.scale)
        model(keras.Input((None, None, 3)), training=False)
        for ours, theirs in zip(model.convs, plain.layers, strict=True):
            ours.set_weights(theirs.get_weights())
        for bounds in model.ranges:
            bounds.high.assign(1e-3)
        for picture in pictures:
            x = ops.convert_to_tensor(picture)
            for layer, bounds in zip(plain.layers, model.ranges, strict=True):
                x = layer(x)
                bounds.cover(x)
        return model

    @property
    def receptive_field(self):
        """How many low-resolution pixels to each side an output pixel depends on: the halo for exact tiling."""
        return self.depth + 2

    def call(self, lr, training=False):
        lr = x = tf.quantization.fake_quant_with_min_max_args(lr, 0.0, 1.0)
        for i, (conv, bounds) in enumerate(zip(self.convs, self.ranges, strict=True)):
            y = ops.conv(x, quantise_kernel(conv.kernel.value), padding="same") + conv.bias
            x = bounds(y if i == self.depth + 1 else ops.relu(y))
        anchor = lr
        for _ in range(2):
            anchor = ops.concatenate([anchor] * self.scale, axis=-1)
        sr = x + anchor
        sr = ops.depth_to_space(sr, self.scale) if self.scale > 1 else sr
        return sr if training else tf.quantization.fake_quant_with_min_max_args(sr, 0.0, 1.0)

    def get_config(self):
        return {"depth": self.depth, "width": self.width, "scale": self.scale}
