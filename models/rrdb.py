"""RRDBNet, the generator of ESRGAN: dense blocks inside residual blocks, without normalisation.

Source: Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks",
arXiv:1809.00219, section 3.1. 23 blocks of 64 channels with growth 32 have 16,697,987 parameters.
The teacher of the public compressed ESRGAN (captain-pool/GSOC) has 11 blocks of 32 channels and
enlarges by transposed convolutions: 4,605,955.
"""

from typing import Any

import keras
from keras import KerasTensor as Tensor
from keras import layers, ops

from models.upsampling import BilinearInitializer, nearest, resize_reach, rounded_reach, shuffle_factors, unshuffled

RESIDUAL_SCALE = 0.2

# 0.1 × He normal: the variance of He's initialiser is 2 / fan_in, so a hundredth of that (ESRGAN,
# section 3.1 and its supplement).
TENTH_OF_HE = {"scale": 0.02, "mode": "fan_in", "distribution": "truncated_normal"}


def leaky_relu(x: Tensor) -> Tensor:
    """The slope that ESRGAN has everywhere."""
    return ops.leaky_relu(x, 0.2)


class DenseBlock(layers.Layer):
    """Five 3×3 convolutions, each fed all that came before it; the last, linear, returns to the
    block's width. The same shape comes out.
    """

    def __init__(self, *, width: int, growth: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width, self.growth = width, growth
        self.convs = [
            layers.Conv2D(
                width if i == 4 else growth,
                3,
                padding="same",
                kernel_initializer=keras.initializers.VarianceScaling(**TENTH_OF_HE),
                name=f"conv_{i + 1}",
            )
            for i in range(5)
        ]

    def build(self, shape: tuple) -> None:
        for i, conv in enumerate(self.convs):
            conv.build((*shape[:-1], self.width + i * self.growth))

    def call(self, x: Tensor) -> Tensor:
        seen = [x]
        for conv in self.convs[:-1]:
            seen.append(leaky_relu(conv(ops.concatenate(seen, axis=-1))))
        return x + RESIDUAL_SCALE * self.convs[-1](ops.concatenate(seen, axis=-1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "growth": self.growth}


class ResidualInResidual(layers.Layer):
    """RRDB: three dense blocks, scaled, added to the input."""

    def __init__(self, *, width: int, growth: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width, self.growth = width, growth
        self.blocks = [DenseBlock(width=width, growth=growth, name=f"dense_{i + 1}") for i in range(3)]

    def build(self, shape: tuple) -> None:
        for block in self.blocks:
            block.build(shape)

    def call(self, x: Tensor) -> Tensor:
        y = x
        for block in self.blocks:
            y = block(y)
        return x + RESIDUAL_SCALE * y

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "growth": self.growth}


class RRDB(keras.Model):
    """(B, h, w, 3) to (B, scale·h, scale·w, 3), both float32 in [0, 1]; the output is linear and
    not clipped.

    depth: RRDBs. width: channels between them. growth: channels that each convolution in a dense
    block adds. scale: 1, 2, 3, 4 or 8.
    upsampling: "nearest" (ESRGAN: repeat pixels, then a convolution) or "transposed" (3×3
    transposed convolutions of stride 2; not for scale 3).
    unshuffle: how many pixels a side the input is brought down first, into channels, as Real-ESRGAN
    does for scales 2 (by 2) and 1 (by 4); the network then enlarges scale · unshuffle times. Raises
    ValueError for others.
    """

    def __init__(
        self,
        *,
        depth: int = 23,
        width: int = 64,
        growth: int = 32,
        scale: int = 4,
        upsampling: str = "nearest",
        unshuffle: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if upsampling not in ("nearest", "transposed") or (upsampling, scale) == ("transposed", 3):
            raise ValueError(f"upsampling {upsampling!r} at scale {scale}: choose nearest, or transposed at 2, 4 or 8")
        self.depth, self.width, self.growth, self.scale, self.upsampling = depth, width, growth, scale, upsampling
        self.unshuffle = unshuffle
        self.factors = shuffle_factors(scale * unshuffle)
        self.head = layers.Conv2D(width, 3, padding="same", name="head")
        self.trunk = [ResidualInResidual(width=width, growth=growth, name=f"rrdb_{i + 1}") for i in range(depth)]
        self.trunk_conv = layers.Conv2D(width, 3, padding="same", name="trunk_conv")
        self.upsample = [self._upsample(f"upsample_{i + 1}") for i in range(len(self.factors))]
        self.high = layers.Conv2D(width, 3, padding="same", name="high")
        self.tail = layers.Conv2D(3, 3, padding="same", name="tail")

    def _upsample(self, name):
        if self.upsampling == "nearest":
            return layers.Conv2D(self.width, 3, padding="same", name=name)
        return layers.Conv2DTranspose(
            self.width, 3, strides=2, padding="same", kernel_initializer=BilinearInitializer(), name=name
        )

    @property
    def receptive_field(self) -> int:
        """How many low-resolution pixels to each side an output pixel depends on: the halo for
        exact tiling.
        """
        reach = rounded_reach(1 + 15 * self.depth + 1 + resize_reach(self.scale * self.unshuffle, tail=2))
        return self.unshuffle * reach + self.unshuffle - 1

    @property
    def alignment(self) -> int:
        """Windows of a tiled image have to begin at multiples of this, in low-resolution pixels."""
        return self.unshuffle

    def build(self, shape: tuple) -> None:
        # Told and not traced: Keras would find the same shapes by calling each of 345 convolutions
        # symbolically, which takes half a minute.
        self.head.build((*shape[:-1], 3 * self.unshuffle**2))
        inner = (*shape[:-1], self.width)
        for layer in (*self.trunk, self.trunk_conv, *self.upsample, self.high, self.tail):
            layer.build(inner)

    def features(self, lr: Tensor, training: bool = False) -> Tensor:
        """What the trunk makes of the picture: (B, h, w, width)."""
        head = x = self.head(unshuffled(lr, self.unshuffle))
        for block in self.trunk:
            x = block(x)
        return head + self.trunk_conv(x)

    def enlarge(self, features: Tensor, lr: Tensor) -> Tensor:
        """From the trunk's features to the picture: (B, scale·h, scale·w, 3)."""
        x = features
        for factor, upsample in zip(self.factors, self.upsample, strict=True):
            x = leaky_relu(upsample(nearest(x, factor) if self.upsampling == "nearest" else x))
        sr = ops.cast(self.tail(leaky_relu(self.high(x))), "float32")  # under mixed precision too
        if self.unshuffle == 1:
            return sr
        height, width = ops.shape(lr)[1:3]  # what the input was continued by goes again
        return sr[:, : self.scale * height, : self.scale * width]

    def call(self, lr: Tensor, training: bool = False) -> Tensor:
        return self.enlarge(self.features(lr, training=training), lr)

    def get_config(self) -> dict[str, Any]:
        names = ("depth", "width", "growth", "scale", "upsampling", "unshuffle")
        return {name: getattr(self, name) for name in names}
