"""Fast-SRGAN's generator: SRResNet with MobileNet's inverted residuals for its blocks.

Sources: the public Fast-SRGAN; Sandler et al., "MobileNetV2: Inverted Residuals and Linear
Bottlenecks", arXiv:1801.04381. 12 blocks of 24 channels with 9×9 convolutions at both ends have
167,211 parameters. The later form, 6 blocks of 32 channels, 3×3 throughout and a normalisation
behind the first convolution, has 167,459. In its last form for TensorFlow the doublings are
bilinear, a convolution behind each, against artefacts of depth-to-space: 111,971.

The original ends in tanh, for images in [-1, 1]; here images are in [0, 1] and the output is
linear, so that white and black are no limits that only infinite activations reach. Its own trained
files need their end: output="sigmoid" (`models.upsampling.bounded`). Its batch statistics were
never updated in training; here `training=` is always passed.
"""

from typing import Any

import keras
from keras import KerasTensor as Tensor
from keras import layers, ops

from models.upsampling import (
    MEANS,
    OUTPUTS,
    bilinear_double,
    bounded,
    centred,
    nearest,
    pixel_shuffles,
    prelu,
    rounded_reach,
    shuffle_factors,
    shuffle_reach,
    small_start,
    through_shuffles,
)


def _norm(name):
    return layers.BatchNormalization(momentum=0.8, name=name)


class InvertedResidual(layers.Layer):
    """1×1 convolution to `expansion` times the channels, depthwise 3×3, 1×1 back, added to the
    input; the first is left out at expansion 1.

    Batch normalisation behind each convolution, ReLU behind the first two. The same shape comes
    out.
    """

    def __init__(self, *, filters: int, expansion: int = 6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.expansion = filters, expansion
        self.expand = layers.Conv2D(expansion * filters, 1, name="expand") if expansion > 1 else None
        self.expand_norm = _norm("expand_norm") if expansion > 1 else None
        self.depthwise = layers.DepthwiseConv2D(3, padding="same", name="depthwise")
        self.depthwise_norm = _norm("depthwise_norm")
        self.project = layers.Conv2D(filters, 1, name="project")
        self.project_norm = _norm("project_norm")

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        y = x
        if self.expand is not None:
            y = ops.relu(self.expand_norm(self.expand(y), training=training))
        y = ops.relu(self.depthwise_norm(self.depthwise(y), training=training))
        return x + self.project_norm(self.project(y), training=training)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "expansion": self.expansion}


class BilinearDouble(layers.Layer):
    """Bilinear doubling, conv 3×3, PReLU: (B, h, w, c) to (B, 2h, 2w, filters)."""

    def __init__(self, *, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.conv = layers.Conv2D(filters, 3, padding="same", name="conv")
        self.activation = prelu("prelu")

    def call(self, x: Tensor) -> Tensor:
        return self.activation(self.conv(bilinear_double(x)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}


def _bilinear_doubles(*, filters, scale):
    factors = shuffle_factors(scale)
    if set(factors) - {2}:
        raise ValueError(f"scale is {scale}; bilinear upsampling doubles, so it has to be 1, 2, 4 or 8")
    return [BilinearDouble(filters=filters, name=f"upsample_{i + 1}") for i in range(len(factors))]


_UPSAMPLINGS = {"subpixel": pixel_shuffles, "bilinear": _bilinear_doubles}


class FastSRGAN(keras.Model):
    """(B, h, w, 3) to (B, scale·h, scale·w, 3), both float32 in [0, 1]; the output is not clipped.

    depth: blocks, the first of them without expansion. width: channels. kernel_size: of the first
    and the last convolution, 9 or 3.
    head_norm: batch normalisation behind the first convolution. scale: 1, 2, 3, 4 or 8; 3 by
    "subpixel" alone. anchor: add the input, enlarged, to the output. upsampling: "subpixel", or
    "bilinear". mean: what is taken from the input, see `models.upsampling.MEANS`. output: "linear",
    or "sigmoid" as the published files have it. Raises ValueError for others.
    """

    def __init__(
        self,
        *,
        depth: int = 12,
        width: int = 24,
        kernel_size: int = 9,
        head_norm: bool = False,
        scale: int = 4,
        anchor: bool = False,
        upsampling: str = "subpixel",
        mean: str = "none",
        output: str = "linear",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if upsampling not in _UPSAMPLINGS:
            raise ValueError(f"upsampling {upsampling!r}: choose {' or '.join(_UPSAMPLINGS)}")
        if mean not in MEANS or output not in OUTPUTS:
            raise ValueError(f"mean {mean!r}, output {output!r}: choose of {', '.join(MEANS)} and {', '.join(OUTPUTS)}")
        self.mean, self.output_form = mean, output
        self.depth, self.width, self.scale, self.anchor = depth, width, scale, anchor
        self.upsampling_kind = upsampling
        self.kernel_size, self.head_norm = kernel_size, head_norm
        self.head = layers.Conv2D(width, kernel_size, padding="same", name="head")
        self.norm = _norm("head_norm") if head_norm else None
        self.head_prelu = prelu("head_prelu")
        self.trunk = [
            InvertedResidual(filters=width, expansion=6 if i else 1, name=f"block_{i + 1}") for i in range(depth)
        ]
        self.trunk_conv = layers.Conv2D(width, 3, padding="same", name="trunk_conv")
        self.trunk_norm = _norm("trunk_norm")
        self.upsampling = _UPSAMPLINGS[upsampling](filters=width, scale=scale)
        start = small_start() if anchor else "glorot_uniform"
        self.tail = layers.Conv2D(3, kernel_size, padding="same", kernel_initializer=start, name="tail")

    @property
    def receptive_field(self) -> int:
        """How many low-resolution pixels to each side an output pixel depends on: the halo for
        exact tiling.
        """
        radius = self.kernel_size // 2
        return rounded_reach(radius + self.depth + 1 + shuffle_reach(self.scale, tail=radius))

    def features(self, lr: Tensor, training: bool = False) -> Tensor:
        """What the trunk makes of the picture: (B, h, w, width)."""
        x = self.head(centred(lr, self.mean))
        head = x = self.head_prelu(self.norm(x, training=training) if self.head_norm else x)
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
        names = ("depth", "width", "kernel_size", "head_norm", "scale", "anchor", "mean")
        forms = {"upsampling": self.upsampling_kind, "output": self.output_form}
        return {**{name: getattr(self, name) for name in names}, **forms}
