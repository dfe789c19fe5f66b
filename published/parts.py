"""What a published network is in terms of one of ours: its class, its sizes, and which of its tensors goes into which of our layers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from published.tensors import Tensor

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

    ours: where it is in the network, as "trunk.3.conv_1". kind: one of `_SUFFIXES`. theirs: what the names of the
    tensors begin with. shuffle: the factor of the depth-to-space behind it, whose channels PyTorch orders (colour, row,
    column) and Keras (row, column, colour). unshuffle: the same of a space-to-depth before it. scaled: its output times
    this. inward: its input times this. divisors: its input by these, one for each channel. shift: added to its output.
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

    title: for people, as "RRDB (ESRGAN)". class_name, config: of our network. parts: all its layers. ignored: tensors
    that say nothing of what the network computes. remarks: what could not be read from the file, and what was taken for it.
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

    def lacking(self, tensors: Mapping[str, Tensor]) -> list[str]:
        """Names of tensors that this network needs and the file has not."""
        return [name for part in self.parts for name in part.names if name not in tensors]

    def left_over(self, tensors: Mapping[str, Tensor]) -> list[str]:
        """Names of tensors that the file has and this network has no place for."""
        used = {name for part in self.parts for name in part.names} | self.ignored
        return [name for name in tensors if name not in used and not name.endswith("num_batches_tracked")]

    def parameters(self, tensors: Mapping[str, Tensor]) -> int:
        """How many numbers of the file the network is made of."""
        return sum(tensors[name].size for part in self.parts for name in part.names)


class Found(NamedTuple):
    """A network and its weights. where: the key of the file they lie under, "" where it holds nothing else."""

    path: Path
    network: Published
    tensors: dict[str, Tensor]
    where: str
