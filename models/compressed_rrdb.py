"""The student of the public compressed ESRGAN: a very shallow RRDB network of depthwise
convolutions.

Source: captain-pool/GSOC, "GAN Distillation on Enhanced Super Resolution GAN"; the idea of a narrow
student is from Aguinaldo et al., "Compressing GANs using Knowledge Distillation", arXiv:1902.00159.
Its README has two dense blocks in each RRDB (11,233 parameters), its code one (7,393).
`upsampling="published"` builds exactly that.

What was wrong there, and what `upsampling="subpixel"`, the default, does instead:

- One 3×3 transposed convolution of stride 4 reaches 9 of every 16 output pixels; the other 44 %
  hold the bias alone, and a grid lies over every
  image. Here a 1×1 convolution gives all 16 sub-pixels, and depth-to-space places them: every
  output pixel sees the features.
- A LeakyReLU bent the image itself just before the last convolution. Here the last step is linear.
- Nothing carried the image past the trunk, so that colours had to be learned. Here the input,
  enlarged by repetition, is added at the end.

That makes 12,622 parameters with two dense blocks and 8,782 with one. Depthwise 3×3 convolutions,
64 channels, residual scaling 0.2 at both levels and summed (not concatenated) shortcuts are as
published.
"""

from typing import Any

import keras
from keras import KerasTensor as Tensor
from keras import layers, ops

from models.rrdb import RESIDUAL_SCALE, TENTH_OF_HE, leaky_relu
from models.upsampling import SubPixelInitializer, nearest, rounded_reach


class DepthwiseDenseBlock(layers.Layer):
    """`depth` depthwise 3×3 convolutions, each fed the sum of all that came before it; the last is
    linear. The same shape comes out.
    """

    def __init__(self, *, depth: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.depth = depth
        self.convs = [
            layers.DepthwiseConv2D(
                3,
                padding="same",
                depthwise_initializer=keras.initializers.VarianceScaling(**TENTH_OF_HE),
                name=f"conv_{i + 1}",
            )
            for i in range(depth)
        ]

    def call(self, x: Tensor) -> Tensor:
        seen = x
        for conv in self.convs[:-1]:
            seen = seen + leaky_relu(conv(seen))
        return x + RESIDUAL_SCALE * self.convs[-1](seen)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "depth": self.depth}


class DepthwiseRRDB(layers.Layer):
    """`blocks` depthwise dense blocks, scaled, added to the input."""

    def __init__(self, *, blocks: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.blocks = [DepthwiseDenseBlock(name=f"dense_{i + 1}") for i in range(blocks)]

    def call(self, x: Tensor) -> Tensor:
        y = x
        for block in self.blocks:
            y = block(y)
        return x + RESIDUAL_SCALE * y

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "blocks": len(self.blocks)}


class CompressedRRDB(keras.Model):
    """(B, h, w, 3) to (B, scale·h, scale·w, 3), both float32 in [0, 1]; the output is linear and
    not clipped.

    depth: RRDBs. dense_blocks: in each of them, of two depthwise convolutions. width: channels.
    scale: any integer from 1.
    upsampling: "subpixel", or "published" for the original's form with its faults. Raises
    ValueError for another one.
    """

    def __init__(
        self,
        *,
        depth: int = 3,
        dense_blocks: int = 2,
        width: int = 64,
        scale: int = 4,
        upsampling: str = "subpixel",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if upsampling not in ("subpixel", "published"):
            raise ValueError(f"upsampling {upsampling!r}: choose subpixel or published")
        self.depth, self.dense_blocks, self.width = depth, dense_blocks, width
        self.scale, self.upsampling = scale, upsampling
        self.head = layers.Conv2D(width, 3, padding="same", name="head")
        self.trunk = [DepthwiseRRDB(blocks=dense_blocks, name=f"rrdb_{i + 1}") for i in range(depth)]
        if upsampling == "published":
            self.upsample = layers.Conv2DTranspose(3, 3, strides=scale, padding="same", name="upsample")
        else:
            self.upsample = layers.Conv2D(
                3 * scale**2, 1, kernel_initializer=SubPixelInitializer(scale), name="upsample"
            )
        self.tail = layers.DepthwiseConv2D(3, padding="same", name="tail")

    @property
    def receptive_field(self) -> int:
        """How many low-resolution pixels to each side an output pixel depends on: the halo for
        exact tiling.
        """
        reach = 1 + 2 * self.dense_blocks * self.depth
        # A 3×3 transposed convolution of stride 1 or 2 also reaches a neighbour; of a larger stride
        # its kernels do not overlap.
        overlap = {1: 1.0, 2: 0.5}.get(self.scale, 0.0) if self.upsampling == "published" else 0.0
        return rounded_reach(reach + overlap + 1 / self.scale)

    def features(self, lr: Tensor, training: bool = False) -> Tensor:
        """What the trunk makes of the picture: (B, h, w, width)."""
        head = x = self.head(lr)
        for block in self.trunk:
            x = block(x)
        return head + x

    def enlarge(self, features: Tensor, lr: Tensor) -> Tensor:
        """From the features, and the image itself, to the larger picture: (B, scale·h,
        scale·w, 3).
        """
        if self.upsampling == "published":
            return self.tail(leaky_relu(self.upsample(features)))
        details = self.tail(self._shuffle(self.upsample(features)))
        # In the variables' precision: added in bfloat16, the image would lose its eighth bit.
        return ops.cast(details, self.variable_dtype) + ops.cast(nearest(lr, self.scale), self.variable_dtype)

    def _shuffle(self, x):
        return ops.depth_to_space(x, self.scale) if self.scale > 1 else x

    def call(self, lr: Tensor, training: bool = False) -> Tensor:
        return self.enlarge(self.features(lr, training=training), lr)

    def get_config(self) -> dict[str, Any]:
        names = ("depth", "dense_blocks", "width", "scale", "upsampling")
        return {name: getattr(self, name) for name in names}
