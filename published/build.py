"""A published network's weights in one of our networks: each tensor turned into what our layer
wants. Needs Keras; recognising does not.
"""

import re

import keras
import numpy as np

from errors import UserError
from models import from_config
from published.parts import Found

_KERAS_EPSILON = 1e-3  # of our batch normalisation


def build(found: Found) -> keras.Model:
    """Our network with the file's weights.

    Raises UserError that names the file and the first tensor which does not fit.
    """
    path, published, tensors, _ = found
    try:
        model = from_config(published.class_name, published.config)
    except Exception as error:  # a constructor raises whatever a layer makes of a size
        raise UserError(f"{path}: no {published.title} can be built of {published.config}") from error
    filled = set()
    for part in published.parts:
        layer = _layer(model, part.ours)
        values = _CONVERTERS[part.kind](part, [np.asarray(tensors[name].read(), np.float64) for name in part.names])
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if part.kind.endswith("prelu") and values[0].shape != shapes[0] and values[0].size == 1:
            values[0] = np.broadcast_to(values[0], shapes[0])  # one slope for all channels
        if shapes != [value.shape for value in values]:
            shown = " ".join(str(tensors[name].shape) for name in part.names)
            raise UserError(
                f"{path}: {part.theirs} has the shapes {shown}, which do not fit a {published.title} {published.config}"
            )
        layer.set_weights(values)
        filled |= {id(weight) for weight in layer.weights}
    if missing := [weight.path for weight in model.weights if id(weight) not in filled]:
        raise ValueError(f"no part of {published.title} fills {missing[0]}")
    return model


def _layer(model, path):
    item = model
    for step in path.split("."):
        item = item[int(step)] if re.fullmatch(r"\d+", step) else getattr(item, step)
    return item


def _conv(part, values):
    kernel, bias = values
    kernel = kernel.transpose(2, 3, 1, 0) * part.scaled * part.inward / np.array(part.divisors)[:, None]
    bias = (bias * part.scaled).reshape(-1) + np.resize(part.shift, bias.size)
    if part.unshuffle > 1:
        height, width, channels, filters = kernel.shape
        by_colour = kernel.reshape(height, width, -1, part.unshuffle**2, filters)
        kernel = by_colour.swapaxes(2, 3).reshape(height, width, channels, filters)
    return [_sub_pixels(kernel, part.shuffle), _sub_pixels(bias, part.shuffle)]


def _sub_pixels(values, factor):
    """The last axis from (colour, row, column) to (row, column, colour)."""
    return values.reshape(*values.shape[:-1], -1, factor**2).swapaxes(-1, -2).reshape(values.shape)


def _norm(part, values):
    scale, offset, mean, variance = values
    return [scale * np.sqrt((variance + _KERAS_EPSILON) / (variance + part.epsilon)), offset, mean, variance]


def _branches(part, values):
    """1×1 beside 1×1 → 3×3 → 1×1, one 3×3 convolution in use: the image is padded first, so the
    first bias reaches the border too.
    """
    (skip, skip_bias), (first, first_bias), (middle, middle_bias), (last, last_bias) = zip(
        values[::2], values[1::2], strict=True
    )
    first, last = first[:, :, 0, 0], last[:, :, 0, 0]
    kernel = np.einsum("om,mnyx,ni->oiyx", last, middle, first)
    kernel[:, :, 1:2, 1:2] += skip
    inner = middle.sum((2, 3)) @ first_bias + middle_bias
    return _conv(part, [kernel, last @ inner + last_bias + skip_bias])


_CONVERTERS = {
    "conv": _conv,
    "prelu": lambda part, values: [values[0].reshape(1, 1, -1)],
    "norm": _norm,
    "branches": _branches,
    "keras conv": lambda part, values: [values[0] * part.scaled * part.inward, values[1] * part.scaled],
    "keras depthwise": lambda part, values: values,
    "keras prelu": lambda part, values: [values[0].reshape(1, 1, -1)],
    "keras norm": lambda part, values: values,
}
