"""Discriminators.

All return logits: no sigmoid, so that losses can be computed without loss of precision.
"""

from typing import Any

import keras
from keras import KerasTensor as Tensor
from keras import layers, ops

from models.upsampling import bilinear_double


class SRGANDiscriminator(keras.Model):
    """(B, size, size, 3), float32 in [0, 1], to logits (B, 1): high for images that look original.

    Eight 3×3 convolutions, every second one of stride 2, then a dense head that ties it to one
    input size. At size 96 it has 23,569,217 parameters. Source: SRGAN, arXiv:1609.04802, figure 4.

    size: side of the high-resolution patch, a multiple of 16. filters: channels of the first
    convolution. dense: units of the head; ESRGAN's code has 100 there.
    """

    def __init__(self, *, size: int = 96, filters: int = 64, dense: int = 1024, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size, self.filters, self.dense = size, filters, dense
        widths = [filters * factor for factor in (1, 1, 2, 2, 4, 4, 8, 8)]
        self.convs = [
            layers.Conv2D(width, 3, strides=1 + i % 2, padding="same", name=f"conv_{i + 1}")
            for i, width in enumerate(widths)
        ]
        # The first convolution has no normalisation: it sees the image's own statistics.
        self.norms = [layers.BatchNormalization(momentum=0.8, name=f"norm_{i + 1}") for i in range(1, len(widths))]
        self.activation = layers.LeakyReLU(negative_slope=0.2, name="leaky_relu")
        self.flatten = layers.Flatten(name="flatten")
        self.hidden = layers.Dense(dense, name="hidden")
        self.logit = layers.Dense(1, dtype="float32", name="logit")

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the images it judges."""
        return self.size, self.size

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        x = self.activation(self.convs[0](images))
        for conv, norm in zip(self.convs[1:], self.norms, strict=True):
            x = self.activation(norm(conv(x), training=training))
        return self.logit(self.activation(self.hidden(self.flatten(x))))

    def get_config(self) -> dict[str, Any]:
        return {"size": self.size, "filters": self.filters, "dense": self.dense}


class SpectralConv2D(layers.Layer):
    """Convolution of kernel W / σ(W) without bias, "same" padding: (B, h, w, c) to (B, h/strides,
    w/strides, filters).

    σ is estimated by one step of power iteration at each call with training=True (algorithm 1 of
    the paper), from where the last one stopped; gradients pass through σ.
    `keras.layers.SpectralNormalization` writes W / σ back over W instead, so that the optimizer
    sees another variable than it updates, and no gradient reaches σ: hence a layer of our own.
    Source: Miyato et al., arXiv:1802.05957.
    """

    def __init__(self, *, filters: int, kernel_size: int, strides: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.strides = filters, kernel_size, strides

    def build(self, shape: tuple) -> None:
        self.kernel = self.add_weight(
            name="kernel", shape=(self.kernel_size, self.kernel_size, shape[-1], self.filters), autocast=False
        )
        self.direction = self.add_weight(
            name="direction",
            shape=(1, self.filters),
            initializer="random_normal",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
        )

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        matrix = ops.reshape(self.kernel, (-1, self.filters))
        fixed = ops.stop_gradient(matrix)
        left = _unit(self.direction @ ops.transpose(fixed))
        right = _unit(left @ fixed)
        if training:
            self.direction.assign(right)
        sigma = ops.sum((left @ matrix) * right)
        kernel = ops.cast(self.kernel / sigma, x.dtype)
        return ops.conv(x, kernel, strides=self.strides, padding="same")

    def get_config(self) -> dict[str, Any]:
        config = {"filters": self.filters, "kernel_size": self.kernel_size, "strides": self.strides}
        return {**super().get_config(), **config}


def _unit(vector):
    return vector / (ops.norm(vector) + 1e-12)


class PatchDiscriminator(keras.Model):
    """(B, H, W, 3), float32 in [0, 1], of any size, to logits (B, ceil(H/16), ceil(W/16), 1), one
    for each patch of 16×16 pixels.

    Eight 3×3 convolutions, every second one of stride 2, and a 1×1 convolution to the logit.
    Source: the later Fast-SRGAN, after Isola et al., "Image-to-Image Translation with Conditional
    Adversarial Networks" (PatchGAN), arXiv:1611.07004. With 32 filters it has 159,393 parameters.

    filters: channels of the first four convolutions; the last four have twice as many.
    """

    def __init__(self, *, filters: int = 32, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        widths = [filters] * 4 + [2 * filters] * 4
        self.convs = [
            layers.Conv2D(width, 3, strides=1 + i % 2, padding="same", name=f"conv_{i + 1}")
            for i, width in enumerate(widths)
        ]
        self.norms = [layers.BatchNormalization(momentum=0.8, name=f"norm_{i + 1}") for i in range(1, len(widths))]
        self.logit = layers.Conv2D(1, 1, dtype="float32", name="logit")

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        x = ops.leaky_relu(self.convs[0](images), 0.2)
        for conv, norm in zip(self.convs[1:], self.norms, strict=True):
            x = ops.leaky_relu(norm(conv(x), training=training), 0.2)
        return self.logit(x)

    def get_config(self) -> dict[str, Any]:
        return {"filters": self.filters}


class UNetDiscriminator(keras.Model):
    """(B, H, W, 3), float32 in [0, 1], of any size, to logits (B, H, W, 1), one for each pixel.

    Three steps down by 4×4 convolutions of stride 2, three up by bilinear interpolation and
    convolution, the steps of one size added; all but the first and the last convolution normalised
    spectrally, none by batch. Source: Wang et al., "Real-ESRGAN", arXiv:2107.10833, section 3.3 and
    its code. With 64 filters it has 4,376,897 trainable parameters.

    filters: channels of the first convolution.
    """

    def __init__(self, *, filters: int = 64, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.head = layers.Conv2D(filters, 3, padding="same", name="head")
        self.down = [
            SpectralConv2D(filters=filters * factor, kernel_size=4, strides=2, name=f"down_{i + 1}")
            for i, factor in enumerate((2, 4, 8))
        ]
        self.up = [
            SpectralConv2D(filters=filters * factor, kernel_size=3, name=f"up_{i + 1}")
            for i, factor in enumerate((4, 2, 1))
        ]
        self.last = [SpectralConv2D(filters=filters, kernel_size=3, name=f"last_{i + 1}") for i in range(2)]
        self.logit = layers.Conv2D(1, 3, padding="same", dtype="float32", name="logit")

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        skips = [ops.leaky_relu(self.head(images), 0.2)]
        for conv in self.down:
            skips.append(ops.leaky_relu(conv(skips[-1], training=training), 0.2))
        x = skips.pop()
        for conv in self.up:
            skip = skips.pop()
            height, width = ops.shape(skip)[1:3]  # odd sizes: half of them, rounded up and doubled, is one pixel more
            x = bilinear_double(x)[:, :height, :width]
            x = ops.leaky_relu(conv(x, training=training), 0.2) + skip
        for conv in self.last:
            x = ops.leaky_relu(conv(x, training=training), 0.2)
        return self.logit(x)

    def get_config(self) -> dict[str, Any]:
        return {"filters": self.filters}
