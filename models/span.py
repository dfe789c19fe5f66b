"""SPAN, a network whose attention has no parameters: each block weighs its output by how far it is
from zero.

Source: Wan et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution",
arXiv:2311.12770, and its code. The three branches in which it trains are one 3×3 convolution here,
as in use: 48 channels have 411,456 parameters then.
"""

from typing import Any

import keras
from keras import KerasTensor as Tensor
from keras import layers, ops

from models.upsampling import MEANS, SubPixelInitializer, centred, to_space

BLOCKS = 6


class SwiftBlock(layers.Layer):
    """Three 3×3 convolutions; their sum with the input, times a sigmoid of theirs less 1/2.

    Returns the output, and what the first one sees.
    """

    def __init__(self, *, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.convs = [layers.Conv2D(filters, 3, padding="same", name=f"conv_{i + 1}") for i in range(3)]

    def build(self, shape: tuple) -> None:
        for conv in self.convs:
            conv.build(shape)

    def call(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first = ops.silu(self.convs[0](x))
        third = self.convs[2](ops.silu(self.convs[1](first)))
        return (third + x) * (ops.sigmoid(third) - 0.5), first

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}


class SPAN(keras.Model):
    """(B, h, w, 3) to (B, scale·h, scale·w, 3), both float32 in [0, 1]; the output is linear and
    not clipped.

    width: channels. scale: any integer from 1. mean: what is taken from the input, see
    `models.upsampling.MEANS`.
    """

    receptive_field = 1 + 3 * BLOCKS + 1 + 1  # low-resolution pixels to each side: the halo for exact tiling

    def __init__(self, *, width: int = 48, scale: int = 4, mean: str = "div2k", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mean not in MEANS:
            raise ValueError(f"mean {mean!r}: choose one of {', '.join(MEANS)}")
        self.width, self.scale, self.mean = width, scale, mean
        self.head = layers.Conv2D(width, 3, padding="same", name="head")
        self.trunk = [SwiftBlock(filters=width, name=f"block_{i + 1}") for i in range(BLOCKS)]
        self.trunk_conv = layers.Conv2D(width, 3, padding="same", name="trunk_conv")
        self.merge = layers.Conv2D(width, 1, name="merge")
        start = SubPixelInitializer(scale)
        self.tail = layers.Conv2D(3 * scale**2, 3, padding="same", kernel_initializer=start, name="tail")

    def features(self, lr: Tensor, training: bool = False) -> Tensor:
        """What the trunk makes of the image: (B, h, w, width)."""
        head = x = self.head(centred(lr, self.mean))
        outputs = []
        for block in self.trunk:
            x, inside = block(x)
            outputs.append(x)
        return self.merge(ops.concatenate([head, self.trunk_conv(x), outputs[0], inside], axis=-1))

    def enlarge(self, features: Tensor, lr: Tensor) -> Tensor:
        """From the trunk's features to the image: (B, scale·h, scale·w, 3)."""
        return to_space(ops.cast(self.tail(features), "float32"), self.scale)

    def call(self, lr: Tensor, training: bool = False) -> Tensor:
        return self.enlarge(self.features(lr, training=training), lr)

    def get_config(self) -> dict[str, Any]:
        return {"width": self.width, "scale": self.scale, "mean": self.mean}
