"""SRVGGNetCompact, the small generator of Real-ESRGAN: plain 3×3 convolutions, each with its
activation, onto the repeated input.

Source: Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic
Data", arXiv:2107.10833, and its code. 32 hidden convolutions of 64 filters have 1,213,296
parameters (realesr-general-x4v3), 16 have 621,424.
"""

from typing import Any

import keras
from keras import KerasTensor as Tensor
from keras import layers

from models.upsampling import OneBiasPerColour, SubPixelInitializer, onto_anchor, prelu, small_start

ACTIVATIONS = ("prelu", "leaky_relu", "relu")


def _activation(kind, name):
    if kind == "prelu":
        return prelu(name)
    return layers.ReLU(name=name) if kind == "relu" else layers.LeakyReLU(negative_slope=0.1, name=name)


class SRVGG(keras.Model):
    """(B, h, w, 3) to (B, scale·h, scale·w, 3), both float32 in [0, 1]; the output is linear and
    not clipped.

    depth: hidden convolutions behind the first. width: their channels. scale: any integer from 1.
    activation: behind each convolution but the last, "prelu", "leaky_relu" (slope 0.1) or "relu".
    Raises ValueError for another one.
    """

    def __init__(
        self, *, depth: int = 16, width: int = 64, scale: int = 4, activation: str = "prelu", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation {activation!r}: choose one of {', '.join(ACTIVATIONS)}")
        self.depth, self.width, self.scale, self.activation = depth, width, scale, activation
        convolution = {"kernel_size": 3, "padding": "same", "kernel_initializer": "he_normal"}
        self.convs = [layers.Conv2D(width, name=f"conv_{i}", **convolution) for i in range(depth + 1)]
        self.activations = [_activation(activation, f"activation_{i}") for i in range(depth + 1)]
        self.tail = layers.Conv2D(
            3 * scale**2,
            3,
            padding="same",
            kernel_initializer=SubPixelInitializer(scale, small_start()),
            bias_constraint=OneBiasPerColour(scale),
            name="tail",
        )

    @property
    def receptive_field(self) -> int:
        """How many low-resolution pixels to each side an output pixel depends on: the halo for
        exact tiling.
        """
        return self.depth + 2

    def features(self, lr: Tensor, training: bool = False) -> Tensor:
        """What the hidden convolutions make of the image: (B, h, w, width)."""
        x = lr
        for conv, activation in zip(self.convs, self.activations, strict=True):
            x = activation(conv(x))
        return x

    def enlarge(self, features: Tensor, lr: Tensor) -> Tensor:
        """From the features, and the image itself, to the larger image: (B, scale·h,
        scale·w, 3).
        """
        return onto_anchor(self.tail(features), lr, scale=self.scale, dtype=self.variable_dtype)

    def call(self, lr: Tensor, training: bool = False) -> Tensor:
        return self.enlarge(self.features(lr, training=training), lr)

    def get_config(self) -> dict[str, Any]:
        names = ("depth", "width", "scale", "activation")
        return {name: getattr(self, name) for name in names}
