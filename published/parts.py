"""What a published network is in terms of one of ours: its class, its sizes, which of its tensors
fills which of our layers.

And what names and shapes say, whatever the network.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from errors import UserError
from published.tensors import Tensor

Tensors = Mapping[str, Tensor]
_SUFFIXES = {
    "conv": ("weight", "bias"),
    "prelu": ("weight",),
    "norm": ("weight", "bias", "running_mean", "running_var"),
    "branches": tuple(f"{at}.{what}" for at in ("sk", "conv.0", "conv.1", "conv.2") for what in ("weight", "bias")),
    "keras conv": ("kernel", "bias"),
    "keras depthwise": ("depthwise_kernel", "bias"),
    "keras prelu": ("alpha",),
    "keras norm": ("gamma", "beta", "moving_mean", "moving_variance"),
}


@dataclass(frozen=True)
class Part:
    """A layer of ours and the tensors that fill it.

    ours: where it is in the network, as "trunk.3.conv_1". kind: one of `_SUFFIXES`. theirs: what
    the names of the tensors begin with. shuffle: the factor of the depth-to-space behind it, whose
    channels PyTorch orders (colour, row, column) and Keras (row, column, colour). unshuffle: the
    same of a space-to-depth before it. scaled: its output times this. inward: its input times this.
    divisors: its input by these, one for each channel. shift: added to its output.
    epsilon: of a normalisation, in the network it comes from.
    """

    ours: str
    kind: str
    theirs: str
    shuffle: int = 1
    unshuffle: int = 1
    scaled: float = 1.0
    inward: float = 1.0
    divisors: tuple[float, ...] = (1.0,)
    shift: tuple[float, ...] = (0.0,)
    epsilon: float = 1e-5

    @property
    def names(self) -> list[str]:
        """Of all its tensors."""
        separator = "/" if self.kind.startswith("keras") else "."
        return [f"{self.theirs}{separator}{suffix}" for suffix in _SUFFIXES[self.kind]]


@dataclass(frozen=True)
class Published:
    """A network that was recognised.

    title: for people, as "RRDB (ESRGAN)". class_name, config: of our network. parts: all its
    layers. ignored: tensors that say nothing of what the network computes. remarks: what could not
    be read from the file, and what was taken for it.
    """

    title: str
    class_name: str
    config: dict[str, Any]
    parts: list[Part]
    ignored: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = field(default=())

    @property
    def scale(self) -> int:
        return self.config["scale"]

    def lacking(self, tensors: Tensors) -> list[str]:
        """Names of tensors that this network needs and the file has not."""
        return [name for part in self.parts for name in part.names if name not in tensors]

    def left_over(self, tensors: Tensors) -> list[str]:
        """Names of tensors that the file has and this network has no place for."""
        used = {name for part in self.parts for name in part.names} | self.ignored
        return [name for name in tensors if name not in used and not name.endswith("num_batches_tracked")]

    def parameters(self, tensors: Tensors) -> int:
        """How many numbers of the file the network is made of."""
        return sum(tensors[name].size for part in self.parts for name in part.names)


class Found(NamedTuple):
    """A network and its weights. where: the key of the file they lie under, "" where it holds
    nothing else.
    """

    path: Path
    network: Published
    tensors: dict[str, Tensor]
    where: str


def count(tensors: Tensors, pattern: str) -> int:
    """One more than the largest number that the pattern's first group has among the names; 0 where
    none fits.
    """
    numbers = [int(found[1]) for name in tensors if (found := re.fullmatch(pattern, name)) and len(found[1]) < 5]
    return max(numbers, default=-1) + 1


def rgb_channels(tensors: Tensors, name: str, *, among: tuple[int, ...] = (3,)) -> int:
    """The input channels of a convolution.

    Raises UserError for a network of other than RGB images.
    """
    shape = tensors[name].shape
    channels = shape[1] if len(shape) == 4 else 0
    if channels not in among:
        what = {1: "grey images or luma alone", 4: "images with alpha"}.get(channels, f"{channels} channels")
        raise UserError(
            f"a network of {what} (its first convolution {name} has the shape {shape}); only RGB networks run here"
        )
    return channels


def sub_pixel_scale(channels: int) -> int:
    """The scale of a last convolution with so many channels.

    Raises UserError where it gives no RGB image.
    """
    scale = round((channels / 3) ** 0.5)
    if scale < 1 or 3 * scale**2 != channels:
        raise UserError(f"its last convolution gives {channels} channels, which are no RGB image at any scale")
    return scale
