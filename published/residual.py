"""EDSR, SRResNet and SPAN, as PyTorch code bases publish them."""

import math
from dataclasses import replace

from published.parts import Part, Published, Tensors, count, rgb_channels, sub_pixel_scale

_DIV2K_MEAN = (0.4488, 0.4371, 0.4040)
# Standard deviations of ImageNet, which torchvision divides by.
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
_WIDE = 256  # filters, from which on EDSR scales its residuals


def _upsampling(tensors: Tensors, names: list[str], place: str) -> tuple[int, list[Part]]:
    """The scale that sub-pixel convolutions of these names reach, by their channels, and the parts
    that they are. place: ours, of all.
    """
    parts = []
    for i, name in enumerate(names):
        filters, channels = tensors[f"{name}.weight"].shape[:2]
        factor = round((filters / max(1, channels)) ** 0.5)
        parts.append(Part(f"{place}.{i}.conv", "conv", name, shuffle=factor))
    return math.prod(part.shuffle for part in parts), parts


def basicsr_edsr(tensors: Tensors) -> Published | None:
    """EDSR by the names of BasicSR; None for another network."""
    if not {"conv_first.weight", "body.0.conv1.weight", "conv_after_body.weight", "conv_last.weight"} <= tensors.keys():
        return None
    depth = count(tensors, r"body\.(\d+)\.conv1\.weight")
    ups = [f"upsample.{2 * i}" for i in range((count(tensors, r"upsample\.(\d+)\.weight") + 1) // 2)]
    names = ("conv_first", "conv_after_body", "conv_last")
    return _edsr(tensors, depth=depth, block=("body.{}.conv1", "body.{}.conv2"), ups=ups, names=names)


def original_edsr(tensors: Tensors) -> Published | None:
    """EDSR by the names of its authors' code, EDSR-PyTorch, which works on levels from 0 to 255;
    None for another network.
    """
    if not {"head.0.weight", "body.0.body.0.weight", "tail.0.0.weight", "tail.1.weight"} <= tensors.keys():
        return None
    depth = count(tensors, r"body\.(\d+)\.body\.0\.weight")
    ups = [f"tail.0.{2 * i}" for i in range((count(tensors, r"tail\.0\.(\d+)\.weight") + 1) // 2)]
    names = ("head.0", f"body.{depth}", "tail.1")
    block = ("body.{}.body.0", "body.{}.body.2")
    published = _edsr(tensors, depth=depth, block=block, ups=ups, names=names)
    shifts = frozenset(f"{name}.{what}" for name in ("sub_mean", "add_mean") for what in ("weight", "bias"))
    return replace(published, ignored=shifts)


def _edsr(tensors, *, depth, block, ups, names):
    first, after, last = names
    rgb_channels(tensors, f"{first}.weight")
    scale, shuffles = _upsampling(tensors, ups, "shuffles")
    width = tensors[f"{first}.weight"].shape[0]
    residual = 0.1 if width >= _WIDE else 1.0
    remarks = [f"residual scaling {residual:g}, as EDSR has with {width} filters: the file does not say"]
    parts = [Part("head", "conv", first, inward=255), Part("trunk_conv", "conv", after)]
    for i in range(depth):
        parts.append(Part(f"trunk.{i}.conv_1", "conv", block[0].format(i)))
        parts.append(Part(f"trunk.{i}.conv_2", "conv", block[1].format(i), scaled=residual))
    parts += shuffles
    parts.append(Part("tail", "conv", last, scaled=1 / 255, shift=_DIV2K_MEAN))
    remarks.append("mean of DIV2K taken from the input and added again, as EDSR does")
    sizes = {"depth": depth, "width": width, "scale": scale, "upsampling": "doublings", "mean": "div2k"}
    return Published("EDSR", "EDSR", sizes, parts, remarks=tuple(remarks))


def msrresnet(tensors: Tensors) -> Published | None:
    """BasicSR's SRResNet without normalisation, MSRResNet; None for another network."""
    needed = {"conv_first.weight", "body.0.conv1.weight", "upconv1.weight", "conv_hr.weight", "conv_last.weight"}
    if not needed <= tensors.keys():
        return None
    rgb_channels(tensors, "conv_first.weight")
    depth = count(tensors, r"body\.(\d+)\.conv1\.weight")
    ups = [f"upconv{i + 1}" for i in range(count(tensors, r"upconv(\d)\.weight") - 1)]
    scale, shuffles = _upsampling(tensors, ups, "upsampling")
    parts = [Part("head", "conv", "conv_first")]
    for i in range(depth):
        parts += [Part(f"trunk.{i}.conv_{j}", "conv", f"body.{i}.conv{j}") for j in (1, 2)]
    parts += shuffles
    parts += [Part("high", "conv", "conv_hr"), Part("tail", "conv", "conv_last")]
    sizes = {"depth": depth, "width": tensors["conv_first.weight"].shape[0], "scale": scale}
    return Published("MSRResNet (BasicSR's SRResNet)", "MSRResNet", sizes, parts)


def tutorial_srresnet(tensors: Tensors) -> Published | None:
    """SRResNet by the names of the widespread PyTorch tutorial: conv_block1.conv_block.0,
    residual_blocks; None for another network.

    It takes images less ImageNet's mean, divided by its deviation, and ends in tanh.
    """
    needed = {"conv_block1.conv_block.0.weight", "residual_blocks.0.conv_block1.conv_block.0.weight"}
    if not needed <= tensors.keys() or "conv_block3.conv_block.0.weight" not in tensors:
        return None
    head = "conv_block1.conv_block"
    rgb_channels(tensors, f"{head}.0.weight")
    depth = count(tensors, r"residual_blocks\.(\d+)\.conv_block1\.conv_block\.0\.weight")
    ups = [
        f"subpixel_convolutional_blocks.{i}"
        for i in range(count(tensors, r"subpixel_convolutional_blocks\.(\d+)\.conv\.weight"))
    ]
    scale, shuffles = _upsampling(tensors, [f"{name}.conv" for name in ups], "upsampling")
    parts = [Part("head", "conv", f"{head}.0", divisors=_IMAGENET_DEVIATION), Part("head_prelu", "prelu", f"{head}.1")]
    for i in range(depth):
        ours, first, second = f"trunk.{i}", *(f"residual_blocks.{i}.conv_block{j}.conv_block" for j in (1, 2))
        parts += [Part(f"{ours}.conv_1", "conv", f"{first}.0"), Part(f"{ours}.norm_1", "norm", f"{first}.1")]
        parts += [Part(f"{ours}.prelu", "prelu", f"{first}.2")]
        parts += [Part(f"{ours}.conv_2", "conv", f"{second}.0"), Part(f"{ours}.norm_2", "norm", f"{second}.1")]
    after = "conv_block2.conv_block"
    parts += [Part("trunk_conv", "conv", f"{after}.0"), Part("trunk_norm", "norm", f"{after}.1")]
    for i, (shuffle, name) in enumerate(zip(shuffles, ups, strict=True)):
        parts += [shuffle, Part(f"upsampling.{i}.activation", "prelu", f"{name}.prelu")]
    parts.append(Part("tail", "conv", "conv_block3.conv_block.0", scaled=2.0))
    width = tensors[f"{head}.0.weight"].shape[0]
    sizes = {"depth": depth, "width": width, "scale": scale, "mean": "imagenet", "output": "sigmoid"}
    remarks = (
        "input less ImageNet's mean, divided by its deviation, and tanh at the end, as the code of these names has",
    )
    return Published("SRResNet", "SRResNet", sizes, parts, remarks=remarks)


def span(tensors: Tensors) -> Published | None:
    """SPAN; None for another network.

    Of its convolutions the branches count, which are what it was trained in.
    """
    if not {"conv_1.sk.weight", "block_1.c1_r.sk.weight", "conv_cat.weight", "upsampler.0.weight"} <= tensors.keys():
        return None
    rgb_channels(tensors, "conv_1.sk.weight")
    scale = sub_pixel_scale(tensors["upsampler.0.weight"].shape[0])
    mean = "none" if "no_norm" in tensors else "div2k"
    parts = [Part("head", "branches", "conv_1", inward=1.0 if mean == "none" else 255.0)]
    for i in range(6):
        parts += [Part(f"trunk.{i}.convs.{j}", "branches", f"block_{i + 1}.c{j + 1}_r") for j in range(3)]
    parts += [Part("trunk_conv", "branches", "conv_2"), Part("merge", "conv", "conv_cat")]
    parts.append(Part("tail", "conv", "upsampler.0", shuffle=scale))
    ignored = {name for name in tensors if ".eval_conv." in name} | {"no_norm"}
    remarks = (
        ()
        if mean == "none"
        else ("mean of DIV2K taken from the input, times 255, as SPAN does: the file does not say",)
    )
    sizes = {"width": tensors["conv_1.sk.weight"].shape[0], "scale": scale, "mean": mean}
    return Published("SPAN", "SPAN", sizes, parts, ignored=frozenset(ignored), remarks=remarks)
