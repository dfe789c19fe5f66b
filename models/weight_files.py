"""Weight files that know their network: Keras' `.weights.h5` with the class and the arguments in the file's attributes.

Keras itself ignores the attributes, so the files also load with plain `model.load_weights`.
"""

import json
import math
import os
import re
from pathlib import Path

import h5py

from errors import UserError
from models.catalog import from_config
from records import half_written

_OVERHEAD_BYTES = 4096  # of HDF5 for each array, generously
SUFFIX = ".weights.h5"


def save_weights(model, path, **facts):
    """Write the weights of `model` to `path` (ends in .weights.h5), whole or not at all.

    facts: what else to remember (step, phase, data set …), JSON values; `read_facts` gives them back.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = half_written(path)
    try:
        _check_room(model, temporary)
        model.save_weights(temporary)
        with h5py.File(temporary, "r+") as file:
            file.attrs["class"] = type(model).__name__
            file.attrs["config"] = json.dumps(model.get_config())
            file.attrs["facts"] = json.dumps(facts)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_model(path):
    """The network that `path` describes, with its weights.

    Raises UserError naming the file when it is missing, damaged, not written by `save_weights`, or does not fit its network.
    """
    attributes = _attributes(path)
    if "class" not in attributes or "config" not in attributes:
        raise UserError(f"{path}: the file does not name its network; load it into one with --init instead")
    model = from_config(attributes["class"], json.loads(attributes["config"]))
    load_into(model, path)
    return model


def load_generator(path):
    """As `load_model`, for a network that has a `scale`. Raises UserError when the file holds something else."""
    model = load_model(path)
    if not hasattr(model, "scale"):
        raise UserError(f"{path}: holds a {type(model).__name__}, not a generator")
    return model


def load_into(model, path):
    """Fill `model` from `path`. Raises UserError naming the file, the two networks and the layer that does not fit."""
    attributes = _attributes(path)
    theirs, ours = attributes.get("class", "a network it does not name"), type(model).__name__
    try:
        model.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        named = re.search(r"[Ll]ayer '?(\w+)'?", str(error))
        where = f", first at layer {named[1]}" if named else ""
        raise UserError(
            f"{path}: holds {theirs} {attributes.get('config', '')}, which does not fit {ours} "
            f"{json.dumps(model.get_config())}{where}"
        ) from error


def read_network(path):
    """(class name, `get_config()`) of the network in `path`; None where the file does not name it. Raises UserError when it cannot be read."""
    attributes = _attributes(path)
    if "class" not in attributes or "config" not in attributes:
        return None
    model = from_config(attributes["class"], json.loads(attributes["config"]))
    return type(model).__name__, model.get_config()


def read_facts(path):
    """What `save_weights` was told beside the network. Raises UserError when the file cannot be read."""
    return json.loads(_attributes(path).get("facts", "{}"))


def _check_room(model, path):
    """Raises OSError where the disc has no room: HDF5 itself would take the whole process down with a segmentation fault."""
    size = sum(4 * math.prod(weight.shape) for weight in model.weights)
    with open(path, "wb") as file:
        for _ in range(0, size + _OVERHEAD_BYTES * (len(model.weights) + 16), _OVERHEAD_BYTES):
            file.write(bytes(_OVERHEAD_BYTES))
        file.flush()
        os.fsync(file.fileno())


def _attributes(path):
    if not Path(path).is_file():
        raise UserError(f"{path}: no such weight file")
    try:
        with h5py.File(path, "r") as file:
            return dict(file.attrs)
    except OSError as error:
        raise UserError(f"{path}: not a readable weight file ({error})") from error
