"""SRResNet, the generator of SRGAN: a deep residual trunk at low resolution, then sub-pixel
upsampling.

Source: Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
Network", arXiv:1609.04802, figure 4. With PReLU slopes shared over height and width, 16 blocks of
64 filters have 1,554,883 parameters; the student of the Korean study of lightening SRGAN by
knowledge distillation (2021), 8 blocks of 32 filters, has 249,315.

Trained ones of other people end in tanh, for images in [-1, 1]. In [0, 1] that is a sigmoid of
twice the value: output="sigmoid".
"""

from typing import Any

import keras
from keras import KerasTensor as Tensor
from keras import layers

from models.upsampling import (
    MEANS,
    OUTPUTS,
    bounded,
    centred,
    nearest,
    pixel_shuffles,
    prelu,
    rounded_reach,
    shuffle_reach,
    small_start,
    through_shuffles,
)


class ResidualBlock(layers.Layer):
    """conv - BN - PReLU - conv - BN, added to its input. (B, h, w, filters) to the same shape."""

    def __init__(self, *, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.conv_1 = layers.Conv2D(filters, 3, padding="same", name="conv_1")
        self.norm_1 = layers.BatchNormalization(momentum=0.8, name="norm_1")
        self.prelu = prelu("prelu")
        self.conv_2 = layers.Conv2D(filters, 3, padding="same", name="conv_2")
        self.norm_2 = layers.BatchNormalization(momentum=0.8, name="norm_2")

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        y = self.prelu(self.norm_1(self.conv_1(x), training=training))
        return x + self.norm_2(self.conv_2(y), training=training)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}


class SRResNet(keras.Model):
    """(B, h, w, 3) to (B, scale·h, scale·w, 3), both float32 in [0, 1]; the output is not clipped.

    depth, width: residual blocks of the trunk and their filters. scale: 1 (no upsampling: a
    denoiser), 2, 3, 4 or 8.
    anchor: add the input, enlarged, to the output. mean: what is taken from the input, see
    `models.upsampling.MEANS`.
    output: "linear", or "sigmoid" as published ones have it. Raises ValueError for others.
    """

    def __init__(
        self,
        *,
        depth: int = 16,
        width: int = 64,
        scale: int = 4,
        anchor: bool = False,
        mean: str = "none",
        output: str = "linear",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if mean not in MEANS or output not in OUTPUTS:
            raise ValueError(f"mean {mean!r}, output {output!r}: choose of {', '.join(MEANS)} and {', '.join(OUTPUTS)}")
        self.depth, self.width, self.scale, self.anchor = depth, width, scale, anchor
        self.mean, self.output_form = mean, output
        self.head = layers.Conv2D(width, 9, padding="same", name="head")
        self.head_prelu = prelu("head_prelu")
        self.trunk = [ResidualBlock(filters=width, name=f"block_{i + 1}") for i in range(depth)]
        self.trunk_conv = layers.Conv2D(width, 3, padding="same", name="trunk_conv")
        self.trunk_norm = layers.BatchNormalization(momentum=0.8, name="trunk_norm")
        self.upsampling = pixel_shuffles(filters=width, scale=scale)
        start = small_start() if anchor else "glorot_uniform"
        self.tail = layers.Conv2D(3, 9, padding="same", kernel_initializer=start, name="tail")

    @property
    def receptive_field(self) -> int:
        """How many low-resolution pixels to each side an output pixel depends on: the halo for
        exact tiling.
        """
        return rounded_reach(4 + 2 * self.depth + 1 + shuffle_reach(self.scale, tail=4))

    def features(self, lr: Tensor, training: bool = False) -> Tensor:
        """What the trunk makes of the picture: (B, h, w, width)."""
        head = x = self.head_prelu(self.head(centred(lr, self.mean)))
        for block in self.trunk:
            x = block(x, training=training)
        return head + self.trunk_norm(self.trunk_conv(x), training=training)

    def enlarge(self, features: Tensor, lr: Tensor) -> Tensor:
        """From the trunk's features to the picture: (B, scale·h, scale·w, 3)."""
        anchor = nearest(lr, self.scale) if self.anchor else None
        sr = through_shuffles(features, shuffles=self.upsampling, tail=self.tail, anchor=anchor)
        return bounded(sr, self.output_form)

    def call(self, lr: Tensor, training: bool = False) -> Tensor:
        return self.enlarge(self.features(lr, training=training), lr)

    def get_config(self) -> dict[str, Any]:
        names = ("depth", "width", "scale", "anchor", "mean")
        return {**{name: getattr(self, name) for name in names}, "output": self.output_form}
