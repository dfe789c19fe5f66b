"""Growth: a larger compact student that begins where a trained one stands.

Features behind a ReLU are not negative, so a 3×3 convolution that gives back its input, put behind
them, changes nothing until it is trained; nor does relu(x + 0). Source: Chen et al., "Net2Net:
Accelerating Learning via Knowledge Transfer", arXiv:1511.05641, section 2.3 (Net2DeeperNet).
"""

import keras
import numpy as np

from errors import UserError
from models.collapsible import identity_kernel
from models.compact import Compact
from models.upsampling import BilinearSubPixels

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def grow_into(model: keras.Model, smaller: keras.Model) -> None:
    """Fill `model`, a plain `Compact`, with what `smaller`, a trained one, computes.

    New plain convolutions stand behind the plain ones of `smaller`, new residual blocks behind all,
    their second convolution at zero: either changes nothing until it is trained. From an "rgb" tail
    a "luma" tail takes the luma of its residual; luma then is what it was, chroma is interpolated.
    Raises UserError when the scale or the width differ, or `model` has fewer plain convolutions or
    residual blocks.
    """
    if not isinstance(smaller, Compact) or not isinstance(model, Compact):
        raise UserError(
            f"a {type(smaller).__name__} cannot grow into a {type(model).__name__}; only compact students grow"
        )
    smaller = smaller.fuse()
    ours, theirs = model.get_config(), smaller.get_config()
    new_plain, new_blocks = _plain(model) - _plain(smaller), model.residual - smaller.residual
    fits = min(new_plain, new_blocks) >= 0 and not ours["expansion"]
    fits = fits and (ours["tail"] == theirs["tail"] or ours["tail"] == "luma")
    if not fits or any(ours[name] != theirs[name] for name in ("scale", "width")):
        raise UserError(
            f"a compact student {theirs} cannot grow into {ours}: scale and width stay; the plain convolutions "
            f"(depth - 2·residual) and the residual blocks may become more"
        )
    model.head.set_weights(smaller.head.get_weights())
    begin, end = _plain(smaller), _plain(smaller) + new_plain
    old = model.trunk[:begin] + model.trunk[end : end + 2 * smaller.residual]
    for conv, source in zip(old, smaller.trunk, strict=True):
        conv.set_weights(source.get_weights())
    for conv in model.trunk[begin:end]:
        conv.set_weights([identity_kernel(model.width), np.zeros(model.width)])
    for conv in model.trunk[end + 2 * smaller.residual :][1::2]:
        conv.set_weights([np.zeros_like(weight) for weight in conv.get_weights()])
    if ours["tail"] == theirs["tail"]:
        for layer, source in zip(model.layers[model.depth + 1 :], smaller.layers[smaller.depth + 1 :], strict=True):
            layer.set_weights(source.get_weights())
        return
    kernel, bias = smaller.tail.get_weights()
    model.tail.set_weights([_luma_of(kernel), _luma_of(bias)])
    model.interpolation.set_weights([_repeated_luma_and_bilinear_chroma(model.scale)])


def _plain(model):
    return model.depth - 2 * model.residual


def _luma_of(channels):
    """(…, 3·scale²) to (…, scale²)."""
    return channels.reshape(*channels.shape[:-1], -1, 3) @ _LUMA


def _repeated_luma_and_bilinear_chroma(scale):
    """A kernel (3, 3, 3, 3·scale²): luma enlarged as the anchor enlarges it, by repetition, the
    rest by bilinear interpolation.
    """
    bilinear = np.asarray(BilinearSubPixels(scale)((3, 3, 3, 3 * scale**2))).reshape(3, 3, 3, scale**2, 3)
    repeated = np.zeros_like(bilinear)
    repeated[1, 1] = np.eye(3)[:, np.newaxis]
    to_luma = np.outer(_LUMA, np.ones(3))  # each colour's share, for all three colours of the output
    kernel = repeated @ to_luma + bilinear @ (np.eye(3) - to_luma)
    return kernel.reshape(3, 3, 3, 3 * scale**2)
