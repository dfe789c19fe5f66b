"""EDSR, a residual network without normalisation, here with its whole work at low resolution: a
teacher that a CPU can train.

Source: Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution",
arXiv:1707.02921, section 3.1 for the block. Two things differ from the paper: one sub-pixel step
reaches the full scale, as in Shi et al., arXiv:1609.05158, where EDSR convolves at each doubling;
and the input is added before it, as in the compact student. 8 blocks of 64 filters have 657,264
parameters.

upsampling="doublings" is the paper's form, for networks that others have trained; 16 blocks of 64
filters (the "baseline") have 1,517,571.
"""

from typing import Any

import keras
from keras import KerasTensor as Tensor
from keras import layers

from models.upsampling import (
    MEANS,
    OneBiasPerColour,
    SubPixelInitializer,
    centred,
    onto_anchor,
    pixel_shuffles,
    rounded_reach,
    shuffle_reach,
    small_start,
    through_shuffles,
)

UPSAMPLINGS = ("direct", "doublings")


class PlainResidualBlock(layers.Layer):
    """conv - ReLU - conv, added to its input. (B, h, w, filters) to the same shape."""

    def __init__(self, *, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.conv_1 = layers.Conv2D(
            filters, 3, padding="same", activation="relu", kernel_initializer="he_normal", name="conv_1"
        )
        # A tenth of He's variance: a deep sum of blocks starts near the identity (as the residual
        # scaling of the paper's large network).
        small = keras.initializers.VarianceScaling(0.2, mode="fan_in")
        self.conv_2 = layers.Conv2D(filters, 3, padding="same", kernel_initializer=small, name="conv_2")

    def call(self, x: Tensor) -> Tensor:
        return x + self.conv_2(self.conv_1(x))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}


class EDSR(keras.Model):
    """(B, h, w, 3) to (B, scale·h, scale·w, 3), both float32 in [0, 1]; the output is linear and
    not clipped.

    depth, width: residual blocks of the trunk and their filters. scale: any integer from 1; with
    "doublings" 2, 3, 4 or 8.
    upsampling: "direct", or "doublings" as published. mean: what is taken from the input, see
    `models.upsampling.MEANS`.
    Raises ValueError for others.
    """

    def __init__(
        self,
        *,
        depth: int = 8,
        width: int = 64,
        scale: int = 4,
        upsampling: str = "direct",
        mean: str = "none",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if upsampling not in UPSAMPLINGS or mean not in MEANS:
            known = f"{', '.join(UPSAMPLINGS)} and {', '.join(MEANS)}"
            raise ValueError(f"upsampling {upsampling!r}, mean {mean!r}: choose of {known}")
        self.depth, self.width, self.scale, self.mean, self.upsampling_form = depth, width, scale, mean, upsampling
        self.head = layers.Conv2D(width, 3, padding="same", kernel_initializer="he_normal", name="head")
        self.trunk = [PlainResidualBlock(filters=width, name=f"block_{i + 1}") for i in range(depth)]
        self.trunk_conv = layers.Conv2D(width, 3, padding="same", name="trunk_conv")
        if upsampling == "doublings":
            self.shuffles = pixel_shuffles(filters=width, scale=scale, activation=lambda x: x)
            self.tail = layers.Conv2D(3, 3, padding="same", name="tail")
            return
        start = SubPixelInitializer(scale, small_start())
        self.tail = layers.Conv2D(
            3 * scale**2,
            3,
            padding="same",
            kernel_initializer=start,
            bias_constraint=OneBiasPerColour(scale),
            name="tail",
        )

    @property
    def receptive_field(self) -> int:
        """How many low-resolution pixels to each side an output pixel depends on: the halo for
        exact tiling.
        """
        if self.upsampling_form == "doublings":
            return rounded_reach(2 * self.depth + 2 + shuffle_reach(self.scale, tail=1))
        return 2 * self.depth + 3

    def features(self, lr: Tensor, training: bool = False) -> Tensor:
        """What the trunk makes of the picture: (B, h, w, width)."""
        head = x = self.head(centred(lr, self.mean))
        for block in self.trunk:
            x = block(x)
        return head + self.trunk_conv(x)

    def enlarge(self, features: Tensor, lr: Tensor) -> Tensor:
        """From the features, and the image itself, to the larger picture: (B, scale·h,
        scale·w, 3).
        """
        if self.upsampling_form == "doublings":
            return through_shuffles(features, shuffles=self.shuffles, tail=self.tail)
        return onto_anchor(self.tail(features), lr, scale=self.scale, dtype=self.variable_dtype)

    def call(self, lr: Tensor, training: bool = False) -> Tensor:
        return self.enlarge(self.features(lr, training=training), lr)

    def get_config(self) -> dict[str, Any]:
        sizes = {"depth": self.depth, "width": self.width, "scale": self.scale}
        return {**sizes, "upsampling": self.upsampling_form, "mean": self.mean}
