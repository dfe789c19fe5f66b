"""Compact: the student made for phones.

Plain 3×3 convolutions with ReLU, an input anchor, depth-to-space last.

No operation but those that mobile runtimes run fast and quantise well: no normalisation, no PReLU,
no transposed convolution, nothing at output resolution. Sources: Du et al., "Anchor-based Plain Net
for Mobile Image Super-Resolution" (ABPN), arXiv:2105.09750, for the anchor; Bhardwaj et al.,
"Collapsible Linear Blocks for Super-Efficient Super Resolution" (SESR), arXiv:2103.09404, for the
form.
"""

from typing import Any

import keras
from keras import KerasTensor as Tensor
from keras import layers, ops

from errors import UserError
from models.collapsible import CollapsibleConv, IdentityInitializer
from models.upsampling import (
    BilinearSubPixels,
    OneBiasPerColour,
    SubPixelInitializer,
    every_colour,
    onto_anchor,
    small_start,
    to_space,
)

TAILS = ("rgb", "luma")


def check_form(*, depth: int, tail: str, residual: int) -> None:
    """Raises UserError for a tail that there is not, and for more residual blocks than the depth
    has room for.
    """
    if tail not in TAILS:
        raise UserError(f"tail {tail!r}: choose one of {', '.join(TAILS)}")
    if not 0 <= 2 * residual <= depth:
        raise UserError(f"residual {residual}: a depth of {depth} has room for 0 to {depth // 2} residual blocks")


class Compact(keras.Model):
    """(B, h, w, 3) to (B, scale·h, scale·w, 3), both float32 in [0, 1]; the output is linear and
    not clipped.

    depth: hidden 3×3 convolutions between head and tail. width: their channels. scale: any integer
    from 1. expansion: 0 for plain convolutions; otherwise each trains as branches, the wide one
    with `expansion` times the channels, until `fuse()`. Raises UserError for sizes that make no
    network.

    residual: how many residual blocks the last 2·residual hidden convolutions form, each relu(x +
    conv(relu(conv(x)))); plain stacks gain little beyond a depth of 10. With the ReLU behind the
    sum features are never negative: all 256 levels of int8 serve what there is, and identities can
    be inserted (`models.growth`). A linear sum takes the same time. The second convolution starts
    at zero, so a block starts as the identity.

    tail: what the network predicts, and what it adds that to. "rgb"   a residual for each colour,
    onto the *anchor*: the input repeated scale² times, which depth-to-space enlarges by nearest
    neighbour. "luma"  one residual for all three colours, onto an interpolation of the input that
    is learned: one 3×3 convolution of the image itself.
            Chroma has little detail of its own; the third of the tail that is left costs a third.
    """

    def __init__(
        self,
        *,
        depth: int = 8,
        width: int = 32,
        scale: int = 4,
        expansion: int = 0,
        tail: str = "rgb",
        residual: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_form(depth=depth, tail=tail, residual=residual)
        self.depth, self.width, self.scale, self.expansion, self.tail_form = depth, width, scale, expansion, tail
        self.residual = residual
        # Each plain convolution starts as the identity and a little beside it: an identity branch
        # where there are branches.
        beside = keras.initializers.VarianceScaling(0.5, mode="fan_in")
        start = beside if expansion else IdentityInitializer(beside)
        self.head = self._conv(width, "head", "relu", keras.initializers.HeNormal())
        starts = [("relu", start.clone()) for _ in range(depth - 2 * residual)]
        for _ in range(residual):
            starts += [("relu", keras.initializers.HeNormal()), (None, keras.initializers.Zeros())]
        self.trunk = [self._conv(width, f"conv_{i + 1}", *start) for i, start in enumerate(starts)]
        start, colours = SubPixelInitializer(scale, small_start()), 3 if tail == "rgb" else 1
        one_bias = OneBiasPerColour(scale, colours=colours)
        self.tail = self._conv(colours * scale**2, "tail", None, start, bias_constraint=one_bias)
        if tail == "luma":
            # In float32: in bfloat16 the image would lose its eighth bit. Without a bias: that
            # would be a colour cast.
            self.interpolation = layers.Conv2D(
                3 * scale**2,
                3,
                padding="same",
                use_bias=False,
                kernel_initializer=BilinearSubPixels(scale),
                dtype="float32",
                name="interpolation",
            )

    def _conv(self, filters, name, activation, initializer, **options):
        options |= {
            "activation": activation,
            "kernel_initializer": initializer,
            "name": name,
            "dtype": self.dtype_policy,
        }
        if self.expansion:
            # At width 3·scale² the tail could have an identity branch, and would begin by adding
            # its features to the image.
            return CollapsibleConv(filters, expansion=self.expansion, identity=activation is not None, **options)
        return layers.Conv2D(filters, 3, padding="same", **options)

    @property
    def receptive_field(self) -> int:
        """How many low-resolution pixels to each side an output pixel depends on: the halo for
        exact tiling.
        """
        return self.depth + 2

    def features(self, lr: Tensor, training: bool = False) -> Tensor:
        """What the hidden convolutions make of the picture: (B, h, w, width)."""
        x = self.head(lr)
        plain = self.depth - 2 * self.residual
        for conv in self.trunk[:plain]:
            x = conv(x)
        for first, second in zip(self.trunk[plain::2], self.trunk[plain + 1 :: 2], strict=True):
            x = ops.relu(x + second(first(x)))
        return x

    def enlarge(self, features: Tensor, lr: Tensor) -> Tensor:
        """From the features, and the image itself, to the larger picture: (B, scale·h,
        scale·w, 3).
        """
        residual = self.tail(features)
        if self.tail_form == "rgb":
            return onto_anchor(residual, lr, scale=self.scale, dtype=self.variable_dtype)
        residual = ops.cast(every_colour(residual), self.variable_dtype)
        return to_space(self.interpolation(lr) + residual, self.scale)

    def call(self, lr: Tensor, training: bool = False) -> Tensor:
        return self.enlarge(self.features(lr, training=training), lr)

    def fuse(self) -> "Compact":
        """The same function as plain convolutions: a new network whose kernels are the collapsed
        branches of this one.
        """
        plain = type(self)(**{**self.get_config(), "expansion": 0}, dtype=self.dtype_policy)
        plain(keras.Input((None, None, 3)), training=False)
        for ours, theirs in zip(self.layers, plain.layers, strict=True):
            if isinstance(ours, CollapsibleConv):
                theirs.set_weights([ours.collapsed_kernel(), ours.bias])
            else:
                theirs.set_weights(ours.get_weights())
        return plain

    def get_config(self) -> dict[str, Any]:
        return {
            "depth": self.depth,
            "width": self.width,
            "scale": self.scale,
            "expansion": self.expansion,
            "tail": self.tail_form,
            "residual": self.residual,
        }
