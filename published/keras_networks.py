"""SRResNet and Fast-SRGAN from Keras 2's files.

Their layers have running numbers for names, so what counts is the order.
"""

from dataclasses import replace

from errors import UserError
from published.parts import Part, Published, Tensors

_KINDS = {
    ("bias", "kernel"): "conv",
    ("bias", "depthwise_kernel"): "depthwise",
    ("alpha",): "prelu",
    ("beta", "gamma", "moving_mean", "moving_variance"): "norm",
}


def _layers(tensors: Tensors) -> list[tuple[str, str]]:
    """(name, kind) of each layer with weights, in the order of the file; kind "?" for one that
    these networks have not.
    """
    weights: dict[str, list[str]] = {}
    for name in tensors:
        layer, _, weight = name.rpartition("/")
        weights.setdefault(layer, []).append(weight)
    return [(layer, _KINDS.get(tuple(sorted(names)), "?")) for layer, names in weights.items()]


class _Order:
    """Takes the layers one after the other, each as the part of a network that comes next."""

    def __init__(self, layers: list[tuple[str, str]]) -> None:
        self._layers, self.parts = layers, []

    def next_is(self, *kinds: str) -> bool:
        return tuple(kind for _, kind in self._layers[: len(kinds)]) == kinds

    def take(self, **ours: str) -> None:
        """ours: {place in our network: kind}, "__" for a dot, in order.

        Raises LookupError where the file goes on with another kind.
        """
        for place, kind in ours.items():
            if not self.next_is(kind):
                raise LookupError(place)
            theirs = self._layers.pop(0)[0]
            self.parts.append(Part(place.replace("__", "."), f"keras {kind}", theirs))

    def take_end(self) -> int:
        """The end of both networks: behind the trunk, the enlargements, the last convolution.

        Returns how many enlargements there are.
        """
        self.take(trunk_conv="conv", trunk_norm="norm")
        count = 0
        while self.next_is("conv", "prelu"):
            self.take(**{f"upsampling__{count}__conv": "conv", f"upsampling__{count}__activation": "prelu"})
            count += 1
        self.take(tail="conv")
        return count

    @property
    def left(self) -> int:
        return len(self._layers)


def _head(tensors: Tensors) -> tuple[int, int, int]:
    """Side of the kernel, input channels and filters of the first convolution, which names the
    file's first tensor; zeros where there is none.
    """
    first = next((tensor.shape for name, tensor in tensors.items() if name.endswith("/kernel")), ())
    return (first[0], *first[2:]) if len(first) == 4 else (0, 0, 0)


def srresnet(tensors: Tensors, *, activation: str | None = "tanh") -> Published | None:
    """SRResNet of the clean SRGAN code base (krasserm/super-resolution), 9×9 at both ends; None for
    another network.

    activation: of the last layer; None where the file does not say, and is then taken for the tanh
    of that code.
    """
    kernel, channels, width = _head(tensors)
    order, depth = _Order(_layers(tensors)), 0
    if kernel != 9 or not order.next_is("conv", "prelu"):
        return None
    try:
        order.take(head="conv", head_prelu="prelu")
        while order.next_is("conv", "norm", "prelu", "conv", "norm"):
            block = ("conv_1", "conv"), ("norm_1", "norm"), ("prelu", "prelu"), ("conv_2", "conv"), ("norm_2", "norm")
            order.take(**{f"trunk__{depth}__{name}": kind for name, kind in block})
            depth += 1
        ups = order.take_end()
    except LookupError:
        return None
    if order.left or not depth:
        return None
    sizes = {"depth": depth, "width": width, "scale": 2**ups}
    return _published("SRResNet", "SRResNet", sizes, order.parts, channels=channels, activation=activation)


def fast_srgan(tensors: Tensors, *, activation: str | None = "tanh") -> Published | None:
    """Fast-SRGAN's generator, of either version; None for another network. activation: as of
    `srresnet`.
    """
    kernel, channels, width = _head(tensors)
    order, depth = _Order(_layers(tensors)), 0
    head_norm = order.next_is("conv", "norm", "prelu", "depthwise")
    if not head_norm and not order.next_is("conv", "prelu", "depthwise"):
        return None
    try:
        order.take(head="conv", **({"norm": "norm"} if head_norm else {}), head_prelu="prelu")
        while order.next_is("depthwise") or order.next_is("conv", "norm", "depthwise"):
            block = {"depthwise": "depthwise", "depthwise_norm": "norm", "project": "conv", "project_norm": "norm"}
            block = block if order.next_is("depthwise") else {"expand": "conv", "expand_norm": "norm", **block}
            order.take(**{f"trunk__{depth}__{name}": kind for name, kind in block.items()})
            depth += 1
        ups = order.take_end()
    except LookupError:
        return None
    if order.left:
        return None
    sizes = {"depth": depth, "width": width, "scale": 2**ups, "kernel_size": kernel, "head_norm": head_norm}
    if head_norm:
        return _published("Fast-SRGAN", "FastSRGAN", sizes, order.parts, channels=channels, activation=activation)
    # The first version was trained on images in [-1, 1], the second on images in [0, 1]. Their
    # files do not say so; the images they make do.
    head, *others = order.parts
    parts, sizes = [replace(head, inward=2.0), *others], {**sizes, "mean": "half"}
    found = _published("Fast-SRGAN", "FastSRGAN", sizes, parts, channels=channels, activation=activation)
    return replace(
        found, remarks=(*found.remarks, "input from -1 to 1, as the version without a normalisation in front has it")
    )


def _published(title, class_name, sizes, parts, *, channels, activation):
    """With the end of the network as it is there: tanh in [-1, 1] is a sigmoid of twice the value
    in [0, 1].
    """
    if channels != 3:
        raise UserError(f"a network of {channels} channels; only RGB networks run here")
    if activation not in (None, "tanh", "linear"):
        raise UserError(f"a {title} that ends in {activation}; tanh and linear are known")
    remarks = ("ends in tanh, as that code does: the file does not say",) if activation is None else ()
    if activation == "linear":
        return Published(title, class_name, {**sizes, "output": "linear"}, parts, remarks=remarks)
    tail = parts[-1]
    parts = [*parts[:-1], replace(tail, scaled=2.0)]
    return Published(title, class_name, {**sizes, "output": "sigmoid"}, parts, remarks=remarks)
