"""Upsampling shared by several generators: sub-pixel (Shi et al., arXiv:1609.05158), and starting
kernels without a checkerboard.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import KerasTensor as Tensor
from keras import layers, ops

# What some published networks take from their input, of red, green and blue in [0, 1]: the middle,
# the mean of DIV2K, or that of ImageNet.
MEANS = {"none": None, "half": (0.5, 0.5, 0.5), "div2k": (0.4488, 0.4371, 0.4040), "imagenet": (0.485, 0.456, 0.406)}


def centred(lr: Tensor, mean: str) -> Tensor:
    """An image (B, h, w, 3) less one of `MEANS`.

    Not to be folded into a bias: a convolution pads with zeros behind it.
    """
    return lr if MEANS[mean] is None else lr - ops.convert_to_tensor(MEANS[mean], dtype=lr.dtype)


def shuffle_factors(scale: int) -> tuple[int, ...]:
    """The factors that a generator chains to reach `scale`: 4 is (2, 2), 3 is (3,), 1 is ().

    Raises ValueError for a scale other than 1, 2, 3, 4 and 8.
    """
    factors = {1: (), 2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}
    if scale not in factors:
        raise ValueError(f"scale is {scale}; it has to be one of 1, 2, 3, 4, 8")
    return factors[scale]


def shuffle_reach(scale: int, *, tail: int) -> float:
    """How many low-resolution pixels to each side a chain of `PixelShuffle` and a tail of radius
    `tail` look; not rounded.
    """
    reach, factor = 0.0, 1
    for step in shuffle_factors(scale):
        reach, factor = reach + 1 / factor, factor * step
    return reach + tail / factor


def resize_reach(scale: int, *, tail: int) -> float:
    """The same for a chain of "enlarge, then conv 3×3": each convolution works at the resolution
    behind its enlargement.
    """
    reach, factor = 0.0, 1
    for step in shuffle_factors(scale):
        factor *= step
        reach += 1 / factor
    return reach + tail / factor


def rounded_reach(reach: float) -> int:
    """Whole pixels; sums of thirds are forgiven their last bit."""
    return math.ceil(reach - 1e-9)


class SubPixelInitializer(keras.initializers.Initializer):
    """Kernels before a depth-to-space by `factor`: all factor² sub-pixels of a pixel start with the
    same kernel.

    An untrained network then enlarges a flat image to a flat one, where independent kernels give a
    checkerboard that training has to undo.
    Source: Aitken et al., "Checkerboard artifact free sub-pixel convolution" (ICNR),
    arXiv:1707.02937.
    """

    def __init__(self, factor: int, initializer: str = "glorot_uniform") -> None:
        self.factor, self.initializer = factor, keras.initializers.get(initializer)

    def __call__(self, shape, dtype=None):
        kernel = self.initializer((*shape[:-1], shape[-1] // self.factor**2), dtype=dtype)
        return ops.tile(kernel, (1, 1, 1, self.factor**2))

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "initializer": keras.initializers.serialize(self.initializer)}


class BilinearSubPixels(keras.initializers.Initializer):
    """Kernels (3, 3, c, c·factor²) before a depth-to-space by `factor`, which enlarge each channel
    by bilinear interpolation.

    Sub-pixel i of a row lies at (i + 1/2) / factor - 1/2 of a low-resolution pixel from the middle
    of its own.
    """

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def __call__(self, shape, dtype=None):
        at = (np.arange(self.factor) + 0.5) / self.factor - 0.5
        weights = np.stack([np.maximum(-at, 0), 1 - np.abs(at), np.maximum(at, 0)])  # (3, factor): neighbour, sub-pixel
        kernel = np.einsum("yi,xj,cd->yxcijd", weights, weights, np.eye(shape[2])).reshape(shape)
        return ops.convert_to_tensor(kernel, dtype=dtype or "float32")

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor}


class OneBiasPerColour(keras.constraints.Constraint):
    """Biases (colours·factor²,) before a depth-to-space by `factor` onto a picture: after each
    update the sub-pixels of a colour get their mean.

    A bias for each sub-pixel is a grid laid over the whole image. Nothing asks for one, but nothing
    holds it back either under losses that forgive single levels: in an adversarial phase of
    `compact_s` it drifted to 0.6/255 rms, seen as a grid in smooth parts.
    """

    def __init__(self, factor: int, colours: int = 3) -> None:
        self.factor, self.colours = factor, colours

    def __call__(self, bias):
        sub_pixels = ops.reshape(bias, (self.factor**2, self.colours))
        # By deviations from the first: what is equal stays so to the last bit, as where an update
        # is passed over.
        first = sub_pixels[0]
        return ops.tile(first + ops.mean(sub_pixels - first, axis=0), (self.factor**2,))

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "colours": self.colours}


def small_start() -> keras.initializers.Initializer:
    """Kernels for the last convolution of a network that adds its input: untrained it gives its
    input enlarged, and training begins there.
    """
    return keras.initializers.VarianceScaling(0.01, mode="fan_in", distribution="truncated_normal")


class BilinearInitializer(keras.initializers.Initializer):
    """Kernels of a 3×3 transposed convolution of stride 2: a random mixing of channels, spread out
    as bilinear interpolation does.

    Output pixels of such a convolution see one, two or four inputs, by turns. Weights 1/2, 1, 1/2
    along each axis make the sums equal, so that a flat image stays flat at the start (Odena et al.,
    "Deconvolution and Checkerboard Artifacts", Distill 2016, show what happens otherwise).
    """

    def __init__(self, initializer: str = "glorot_uniform") -> None:
        self.initializer = keras.initializers.get(initializer)

    def __call__(self, shape, dtype=None):
        mixing = self.initializer((1, 1, *shape[2:]), dtype=dtype)
        spread = ops.convert_to_tensor([0.5, 1.0, 0.5], dtype=mixing.dtype)
        return ops.reshape(spread, (3, 1, 1, 1)) * ops.reshape(spread, (1, 3, 1, 1)) * mixing

    def get_config(self) -> dict[str, Any]:
        return {"initializer": keras.initializers.serialize(self.initializer)}


class PixelShuffle(layers.Layer):
    """conv 3×3 to factor²·filters channels, depth-to-space, activation: (B, h, w, c) to (B,
    factor·h, factor·w, filters).
    """

    def __init__(self, *, filters: int, factor: int, activation: Callable | str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.factor = filters, factor
        self.conv = layers.Conv2D(
            filters * factor**2, 3, padding="same", kernel_initializer=SubPixelInitializer(factor), name="conv"
        )
        self.activation = activation

    def call(self, x: Tensor) -> Tensor:
        return self.activation(ops.depth_to_space(self.conv(x), self.factor))


class PReLU(layers.PReLU):
    """One slope per channel, shared over height and width, starting at 0.25 (He et al.,
    arXiv:1502.01852).

    It has Keras' name: weight files find a layer by the name of its class.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(shared_axes=[1, 2], alpha_initializer=keras.initializers.Constant(0.25), **kwargs)
        self._slopes = None

    def for_integers(self) -> None:
        """From now on compute in the form that a phone's runtime has in integers, with the slopes a
        of this moment.

        XNNPACK has PRELU in floats only. a·x + ReLU((1 - a)·x) is the same where a ≤ 1, and two
        depthwise 1×1 convolutions, the second with its ReLU inside; where a slope is above 1, a
        third one turns the sign of |1 - a|. docs/export.md has the times of other forms.
        """
        self._slopes = np.array(ops.convert_to_numpy(self.alpha)).reshape(1, 1, -1, 1)

    def call(self, x: Tensor) -> Tensor:
        if self._slopes is None:
            return super().call(x)
        bend = 1 - self._slopes
        rest = ops.relu(self._times(x, np.abs(bend)))
        return self._times(x, self._slopes) + (self._times(rest, np.sign(bend)) if bend.min() < 0 else rest)

    @staticmethod
    def _times(x: Tensor, factors: np.ndarray) -> Tensor:
        return ops.depthwise_conv(x, ops.convert_to_tensor(factors, dtype=x.dtype), padding="same")


def prelus(network: keras.layers.Layer) -> list[PReLU]:
    """All in a network, however deep."""
    waiting, found = [network], []
    while waiting:
        layer = waiting.pop()
        if isinstance(layer, PReLU):
            found.append(layer)
        held = [item for value in vars(layer).values() for item in (value if isinstance(value, list) else [value])]
        waiting += [item for item in held if isinstance(item, keras.layers.Layer)]
    return found


def prelu(name: str) -> PReLU:
    """Our `PReLU`, of that name."""
    return PReLU(name=name)


def pixel_shuffles(
    *, filters: int, scale: int, activation: Callable[[Tensor], Tensor] | None = None
) -> list[PixelShuffle]:
    """The chain of `PixelShuffle` that reaches `scale`, each with this activation; without one,
    with a PReLU of its own.
    """
    return [
        PixelShuffle(filters=filters, factor=factor, activation=activation or prelu(f"{name}_prelu"), name=name)
        for factor, name in ((factor, f"upsample_{i + 1}") for i, factor in enumerate(shuffle_factors(scale)))
    ]


OUTPUTS = ("linear", "sigmoid")


def bounded(sr: Tensor, output: str) -> Tensor:
    """The image itself, or its sigmoid: (tanh(z) + 1) / 2, a tanh brought from [-1, 1] to [0, 1],
    is the sigmoid of 2 z.
    """
    return ops.sigmoid(sr) if output == "sigmoid" else sr


def through_shuffles(
    features: Tensor,
    *,
    shuffles: list[PixelShuffle],
    tail: Callable[[Tensor], Tensor],
    anchor: Tensor | None = None,
) -> Tensor:
    """From features to the picture: (B, h, w, c) to (B, scale·h, scale·w, 3), float32 under mixed
    precision too.

    anchor: an image of that size to add, or None.
    """
    for shuffle in shuffles:
        features = shuffle(features)
    sr = ops.cast(tail(features), "float32")
    return sr if anchor is None else sr + ops.cast(anchor, "float32")


def repeat_channels(images: Tensor, factor: int) -> Tensor:
    """All channels factor² times: what depth-to-space by `factor` turns into repeated pixels.

    (B, h, w, c) to (B, h, w, factor²·c).
    """
    # By concatenation of few: XNNPACK runs CONCATENATION of up to five tensors, and no TILE.
    for _ in range(2):
        images = ops.concatenate([images] * factor, axis=-1)
    return images


def unshuffled(images: Tensor, factor: int) -> Tensor:
    """Each factor × factor pixels into the channels of one: (B, h, w, c) to (B, ⌈h / factor⌉, ⌈w /
    factor⌉, factor²·c).

    Where a side is no multiple of `factor` it is continued by reflection, and by its first line
    where it is too short for that.
    """
    if factor == 1:
        return images
    for axis in (1, 2):
        before = (slice(None),) * axis
        lines = ops.shape(images)[axis]
        mirrored = ops.flip(images[(*before, slice(-factor, -1))], axis=axis)
        first = images[(*before, slice(0, 1))]
        continued = ops.concatenate([images, mirrored, *[first] * (factor - 1)], axis=axis)
        images = continued[(*before, slice(0, (lines + factor - 1) // factor * factor))]
    return ops.space_to_depth(images, factor)


def nearest(images: Tensor, factor: int) -> Tensor:
    """Every pixel repeated factor × factor times: (B, h, w, c) to (B, factor·h, factor·w, c)."""
    return ops.depth_to_space(repeat_channels(images, factor), factor) if factor > 1 else images


def bilinear_double(images: Tensor) -> Tensor:
    """Twice as high and wide by bilinear interpolation, of any size: (B, h, w, c) to (B, 2h, 2w,
    c).

    Repeated pixels smoothed by 1/4, 1/2, 1/4 are exactly that, pixel centres at the half.
    """
    x = ops.pad(nearest(images, 2), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
    x = (x[:, :-2] + 2 * x[:, 1:-1] + x[:, 2:]) / 4
    return (x[:, :, :-2] + 2 * x[:, :, 1:-1] + x[:, :, 2:]) / 4


def onto_anchor(sr: Tensor, lr: Tensor, *, scale: int, dtype: str) -> Tensor:
    """Add lr (B, h, w, 3), repeated, to sr (B, h, w, 3·scale²), and bring it to space: (B, scale·h,
    scale·w, 3).

    dtype: that of the network's variables. Added in bfloat16, the image would lose its eighth bit.
    """
    return to_space(ops.cast(sr, dtype) + ops.cast(repeat_channels(lr, scale), dtype), scale)


def every_colour(residual: Tensor) -> Tensor:
    """The same residual for R, G and B, in the order of depth-to-space: (B, h, w, scale²) to (B, h,
    w, 3·scale²).

    By a fixed 1×1 convolution: of the forms that a phone's runtime takes the fastest, and exact.
    """
    kernel = ops.convert_to_tensor(to_every_colour(residual.shape[-1]), dtype=residual.dtype)
    return ops.conv(residual, kernel, padding="same")


def to_every_colour(channels: int) -> np.ndarray:
    """The (1, 1, channels, 3·channels) kernel of `every_colour`, a NumPy array of zeros and
    ones.
    """
    return np.repeat(np.eye(channels, dtype="float32"), 3, axis=1)[None, None]


def to_space(channels: Tensor, scale: int) -> Tensor:
    """(B, h, w, c·scale²) to (B, scale·h, scale·w, c)."""
    return ops.depth_to_space(channels, scale) if scale > 1 else channels
