"""The networks by name.

A generator takes (B, h, w, 3) float32 in [0, 1] of any height and width and returns (B, scale·h,
scale·w, 3), not clipped. It knows its `scale` and its `receptive_field` (low-resolution pixels to
each side), and works in two halves, for transfer between features: `features(lr, training=)` gives
(B, h, w, channels), `enlarge(features, lr)` the image.
"""

import inspect
from typing import Any

import keras

from errors import UserError
from models.compact import Compact
from models.compressed_rrdb import CompressedRRDB
from models.discriminators import PatchDiscriminator, SRGANDiscriminator, UNetDiscriminator
from models.edsr import EDSR
from models.fast_srgan import FastSRGAN
from models.msrresnet import MSRResNet
from models.rrdb import RRDB
from models.span import SPAN
from models.srresnet import SRResNet
from models.srvgg import SRVGG

# name: (class, arguments)
GENERATORS = {
    "srresnet": (SRResNet, {}),
    "compact_xs": (Compact, {"depth": 3, "width": 16}),
    "compact_s": (Compact, {"depth": 10, "width": 32, "tail": "luma"}),
    "compact_m": (Compact, {"depth": 16, "width": 32, "tail": "luma", "residual": 3}),
    "srresnet_8x32": (SRResNet, {"depth": 8, "width": 32, "anchor": True}),
    "edsr_8x64": (EDSR, {}),
    "rrdb": (RRDB, {}),
    "rrdb_11x32": (RRDB, {"depth": 11, "width": 32, "upsampling": "transposed"}),
    "compressed_rrdb": (CompressedRRDB, {}),
    "compressed_rrdb_small": (CompressedRRDB, {"dense_blocks": 1}),
    "fast_srgan": (FastSRGAN, {"anchor": True}),
    "fast_srgan_6x32": (
        FastSRGAN,
        {"depth": 6, "width": 32, "kernel_size": 3, "head_norm": True, "anchor": True},
    ),
    "fast_srgan_6x32_bilinear": (
        FastSRGAN,
        {"depth": 6, "width": 32, "kernel_size": 3, "head_norm": True, "anchor": True, "upsampling": "bilinear"},
    ),
    "srvgg": (SRVGG, {}),
}
DISCRIMINATORS = {
    "srgan": (SRGANDiscriminator, {}),
    "srgan_dense100": (SRGANDiscriminator, {"dense": 100}),
    "patch": (PatchDiscriminator, {}),
    "unet": (UNetDiscriminator, {}),
}
# Networks that come from import_weights.py alone: no size of theirs has a name to train by.
IMPORTED = (MSRResNet, SPAN)
CLASSES = {
    cls.__name__: cls for cls in (*(cls for cls, _ in (*GENERATORS.values(), *DISCRIMINATORS.values())), *IMPORTED)
}


def build_generator(name: str, **overrides: Any) -> keras.Model:
    """A freshly initialised generator.

    `overrides` replace arguments of the named size (depth, width, scale …).

    Raises UserError for an unknown name or an argument that the network does not take.
    """
    return _build(GENERATORS, "generator", name, overrides)


def build_discriminator(name: str, *, size: int, **overrides: Any) -> keras.Model:
    """A freshly initialised discriminator for images of size × size.

    Raises UserError as `build_generator`.

    Those that give a logit for each patch or pixel take any size, and are not told.
    """
    tied = name in DISCRIMINATORS and hasattr(DISCRIMINATORS[name][0], "input_size")
    return _build(DISCRIMINATORS, "discriminator", name, {"size": size, **overrides} if tied else overrides)


def from_config(class_name: str, config: dict[str, Any]) -> keras.Model:
    """The network of that class and `get_config()`, freshly initialised.

    Raises UserError for a class that is none of ours.
    """
    return materialise(_class(class_name).from_config(config))


def whole_config(class_name: str, config: dict[str, Any]) -> dict[str, Any]:
    """`config` with the defaults of the arguments that it leaves out, as `get_config()` of that
    class gives it; builds nothing.

    Raises UserError for a class that is none of ours, and for arguments that it does not take.
    """
    arguments = inspect.signature(_class(class_name)).parameters.values()
    defaults = {each.name: each.default for each in arguments if each.kind is each.KEYWORD_ONLY}
    if unknown := [name for name in config if name not in defaults]:
        raise UserError(f"a {class_name} of this version takes no {', '.join(unknown)}")
    return {**defaults, **config}


def _class(name):
    if name == "QuantizedCompact":
        from models.quantized import QuantizedCompact  # here: it needs TensorFlow, which the other networks do without

        return QuantizedCompact
    if name not in CLASSES:
        raise UserError(f"{name!r} is no network of this version; it knows {', '.join(CLASSES)}")
    return CLASSES[name]


def clone(model: keras.Model) -> keras.Model:
    """A second network of the same form and weights, sharing nothing with the first."""
    copy = from_config(type(model).__name__, model.get_config())
    copy.set_weights(model.get_weights())
    return copy


def materialise(model: keras.Model) -> keras.Model:
    """Create the network's variables now, by a symbolic call, and return it."""
    height, width = getattr(model, "input_size", (None, None))
    model(keras.Input((height, width, 3)), training=False)
    return model


def _build(table, kind, name, overrides):
    if name not in table:
        raise UserError(f"{name!r} is no {kind}; choose one of: {', '.join(table)}")
    cls, arguments = table[name]
    try:
        return materialise(cls(**{**arguments, **overrides}))
    except (TypeError, ValueError) as error:
        raise UserError(f"{kind} {name}: {error}") from error
