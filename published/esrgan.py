"""RRDB, by its three sets of names, and Real-ESRGAN's small network: what most people's own
upscalers are.
"""

import re

from errors import UserError
from published.parts import Part, Published, Tensors, count, rgb_channels, sub_pixel_scale

# How the parts of an RRDB network are called: in the second release of ESRGAN and BSRGAN, and in
# BasicSR and Real-ESRGAN.
_RELEASED = {"block": "RRDB_trunk.{}.RDB{}.conv{}", "trunk": "trunk_conv", "up": "upconv{}", "high": "HRconv"}
_BASICSR = {"block": "body.{}.rdb{}.conv{}", "trunk": "conv_body", "up": "conv_up{}", "high": "conv_hr"}


def rrdb(tensors: Tensors) -> Published | None:
    """RRDB by the names of BasicSR or of ESRGAN's second release; None for another network."""
    for names in (_BASICSR, _RELEASED):
        if f"{names['block'].format(0, 1, 1)}.weight" in tensors and "conv_first.weight" in tensors:
            pattern = re.escape(names["block"]).replace(r"\{\}", "{}").format(r"(\d+)", 1, 1) + r"\.weight"
            ups = count(tensors, re.escape(names["up"].format("")) + r"(\d)\.weight") - 1
            return _rrdb(
                tensors,
                depth=count(tensors, pattern),
                block=names["block"],
                ups=[names["up"].format(i + 1) for i in range(max(ups, 0))],
                others=("conv_first", names["trunk"], names["high"], "conv_last"),
            )
    return None


def old_rrdb(tensors: Tensors) -> Published | None:
    """RRDB by the names of ESRGAN's first release, model.1.sub.0.RDB1.conv1.0; None for another
    network.
    """
    if "model.1.sub.0.RDB1.conv1.0.weight" not in tensors or "model.0.weight" not in tensors:
        return None
    depth = count(tensors, r"model\.1\.sub\.(\d+)\.RDB1\.conv1\.0\.weight")
    last = count(tensors, r"model\.(\d+)\.weight") - 1
    # An enlargement is three places in the list: repetition, convolution, activation; then comes a
    # convolution, its activation, and the last one.
    ups = [f"model.{3 * i + 3}" for i in range(max(0, (last - 4) // 3))]
    return _rrdb(
        tensors,
        depth=depth,
        block="model.1.sub.{}.RDB{}.conv{}.0",
        ups=ups,
        others=("model.0", f"model.1.sub.{depth}", f"model.{last - 2}", f"model.{last}"),
    )


def _rrdb(tensors, *, depth, block, ups, others):
    first, trunk, high, last = others
    channels = rgb_channels(tensors, f"{first}.weight", among=(3, 12, 48))
    unshuffle = {3: 1, 12: 2, 48: 4}[channels]
    inner = 2 ** len(ups)
    if inner % unshuffle or inner > 8:
        raise UserError(
            f"an RRDB that enlarges {inner} times behind a pixel-unshuffle by {unshuffle}; 1 to 8 in all is known"
        )
    width, growth = (tensors[f"{name}.weight"].shape[0] for name in (first, block.format(0, 1, 1)))
    parts = [Part("head", "conv", first, unshuffle=unshuffle)]
    for i in range(depth):
        for j in range(3):
            for k in range(5):
                parts.append(Part(f"trunk.{i}.blocks.{j}.convs.{k}", "conv", block.format(i, j + 1, k + 1)))
    parts += [Part("trunk_conv", "conv", trunk)]
    parts += [Part(f"upsample.{i}", "conv", name) for i, name in enumerate(ups)]
    parts += [Part("high", "conv", high), Part("tail", "conv", last)]
    sizes = {"depth": depth, "width": width, "growth": growth, "scale": inner // unshuffle, "unshuffle": unshuffle}
    return Published("RRDB (ESRGAN)", "RRDB", sizes, parts)


def srvgg(tensors: Tensors, *, activation: str | None = None) -> Published | None:
    """SRVGGNetCompact, body.0 … body.N; None for another network.

    activation: "relu" or "leaky_relu", of a file without slopes. Raises UserError where it is
    needed and not given.
    """
    if not tensors or not all(re.fullmatch(r"body\.\d+\.(weight|bias)", name) for name in tensors):
        return None
    first, last = tensors.get("body.0.weight"), count(tensors, r"body\.(\d+)\.weight") - 1
    if first is None or len(first.shape) != 4 or last < 2:
        return None
    rgb_channels(tensors, "body.0.weight")
    slopes = "body.1.weight" in tensors and len(tensors["body.1.weight"].shape) == 1
    if not slopes and activation is None:
        raise UserError(
            "an SRVGGNetCompact without PReLU; its file does not say which activation it has: give --activation=relu or leaky_relu"
        )
    remarks = () if slopes or activation is None else (f"activation {activation}: as --activation says, not the file",)
    scale = sub_pixel_scale(tensors[f"body.{last}.weight"].shape[0])
    depth = last // 2 - 1
    parts = [Part(f"convs.{i}", "conv", f"body.{2 * i}") for i in range(depth + 1)]
    if slopes:
        parts += [Part(f"activations.{i}", "prelu", f"body.{2 * i + 1}") for i in range(depth + 1)]
    parts.append(Part("tail", "conv", f"body.{last}", shuffle=scale))
    sizes = {"depth": depth, "width": first.shape[0], "scale": scale, "activation": "prelu" if slopes else activation}
    return Published("SRVGGNetCompact (Real-ESRGAN's small network)", "SRVGG", sizes, parts, remarks=remarks)
