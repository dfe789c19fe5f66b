"""MSRResNet, BasicSR's SRResNet without normalisation: onto the input enlarged by bilinear
interpolation.

Source: the public code of BasicSR, "Modified SRResNet", after Ledig et al., arXiv:1609.04802.
16 blocks of 64 filters have 1,517,571 parameters at scale 4.
"""

from typing import Any

import keras
from keras import KerasTensor as Tensor
from keras import layers, ops

from models.edsr import PlainResidualBlock
from models.upsampling import (
    BilinearSubPixels,
    pixel_shuffles,
    rounded_reach,
    shuffle_reach,
    small_start,
    through_shuffles,
    to_space,
)


def leaky_relu(x: Tensor) -> Tensor:
    """The slope that this network has everywhere outside its blocks."""
    return ops.leaky_relu(x, 0.1)


def bilinear(images: Tensor, scale: int) -> Tensor:
    """Enlarged by bilinear interpolation, pixel centres at the half: (B, h, w, c) to (B, scale·h,
    scale·w, c).
    """
    channels = images.shape[-1]
    kernel = BilinearSubPixels(scale)((3, 3, channels, channels * scale**2), dtype=images.dtype)
    around = ops.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
    return to_space(ops.conv(around, kernel, padding="valid"), scale)


class MSRResNet(keras.Model):
    """(B, h, w, 3) to (B, scale·h, scale·w, 3), both float32 in [0, 1]; the output is linear and
    not clipped.

    depth, width: residual blocks of the trunk and their filters. scale: 2, 3, 4 or 8.
    """

    def __init__(self, *, depth: int = 16, width: int = 64, scale: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.depth, self.width, self.scale = depth, width, scale
        self.head = layers.Conv2D(width, 3, padding="same", name="head")
        self.trunk = [PlainResidualBlock(filters=width, name=f"block_{i + 1}") for i in range(depth)]
        self.upsampling = pixel_shuffles(filters=width, scale=scale, activation=leaky_relu)
        self.high = layers.Conv2D(width, 3, padding="same", name="high")
        self.tail = layers.Conv2D(3, 3, padding="same", kernel_initializer=small_start(), name="tail")

    @property
    def receptive_field(self) -> int:
        """How many low-resolution pixels to each side an output pixel depends on: the halo for
        exact tiling.
        """
        return rounded_reach(1 + 2 * self.depth + shuffle_reach(self.scale, tail=2))

    def features(self, lr: Tensor, training: bool = False) -> Tensor:
        """What the trunk makes of the image: (B, h, w, width)."""
        x = leaky_relu(self.head(lr))
        for block in self.trunk:
            x = block(x)
        return x

    def enlarge(self, features: Tensor, lr: Tensor) -> Tensor:
        """From the features, and the image itself, to the larger image: (B, scale·h,
        scale·w, 3).
        """
        return through_shuffles(
            features,
            shuffles=self.upsampling,
            tail=lambda x: self.tail(leaky_relu(self.high(x))),
            anchor=bilinear(ops.cast(lr, "float32"), self.scale),
        )

    def call(self, lr: Tensor, training: bool = False) -> Tensor:
        return self.enlarge(self.features(lr, training=training), lr)

    def get_config(self) -> dict[str, Any]:
        return {"depth": self.depth, "width": self.width, "scale": self.scale}
