"""Weight files that know their network: Keras' `.weights.h5` with the class and the arguments in
the file's attributes.

Keras itself ignores the attributes, so the files also load with plain `model.load_weights`. A file
is read as if a stranger wrote it: what it says is checked, and held against what it holds, before
anything is built.
"""

import json
import math
import os
import re
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from errors import UserError
from models.catalog import from_config, whole_config
from records import half_written

_OVERHEAD_BYTES = 4096  # of HDF5 for each array, generously
SUFFIX = ".weights.h5"

# At least so many weights, times width², has a block; times filters², a discriminator as a whole.
_WEIGHTS = {"Compact": 9, "QuantizedCompact": 9, "EDSR": 18, "SRResNet": 18, "FastSRGAN": 1, "RRDB": 27}
_WEIGHTS |= {"SRVGG": 9, "MSRResNet": 18, "SPAN": 162}
_WEIGHTS |= {"CompressedRRDB": 0, "SRGANDiscriminator": 1000, "PatchDiscriminator": 100, "UNetDiscriminator": 1000}


def save_weights(model: keras.Model, path: str | Path, **facts: Any) -> None:
    """Write the weights of `model` to `path` (ends in .weights.h5), whole or not at all.

    facts: what else to remember (step, phase, data set …), JSON values; `read_facts` gives them
    back.
    Raises UserError that names the first weight which is NaN or infinite.
    """
    check_finite(model, path)
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


def load_model(path: str | Path) -> keras.Model:
    """The network that `path` describes, with its weights.

    Raises UserError naming the file when it is missing, damaged, not written by `save_weights`,
    does not fit its network, or holds a weight that is NaN or infinite.
    """
    network = read_network(path)
    if network is None:
        raise UserError(f"{path}: the file does not name its network; load it into one with --init instead")
    _check_size(path, *network)
    try:
        model = from_config(*network)
    except Exception as error:  # a constructor raises whatever a layer makes of a size
        raise UserError(f"{path}: describes no network that can be built, {_text(network)}: {_text(error)}") from error
    load_into(model, path)
    return model


def load_generator(path: str | Path) -> keras.Model:
    """As `load_model`, for a network that has a `scale`.

    Raises UserError when the file holds something else.
    """
    model = load_model(path)
    if not hasattr(model, "scale"):
        raise UserError(f"{path}: holds a {type(model).__name__}, not a generator")
    return model


def load_into(model: keras.Model, path: str | Path) -> None:
    """Fill `model` from `path`.

    Raises UserError naming the file, the two networks and the layer that does not fit, or the
    weight that is NaN or infinite.
    """
    attributes = _attributes(path)
    theirs, ours = attributes.get("class", "a network it does not name"), type(model).__name__
    _count(path)
    try:
        model.load_weights(path)
    except Exception as error:  # of a damaged file h5py and Keras raise whatever they trip over
        named = re.search(r"[Ll]ayer '?(\w+)'?", str(error))
        where = f", first at layer {named[1]}" if named else ""
        raise UserError(
            f"{path}: holds {_text(theirs)} {_text(attributes.get('config', ''))}, which does not fit {ours} "
            f"{json.dumps(model.get_config())}{where}"
        ) from error
    check_finite(model, path)


def check_finite(model: keras.Model, path: str | Path) -> None:
    """Raises UserError that names `path` and the first weight of `model` with a value that is NaN
    or infinite.
    """
    for weight, values in zip(model.weights, model.get_weights(), strict=True):
        if bad := np.size(values) - np.count_nonzero(np.isfinite(values)):
            raise UserError(
                f"{path}: {bad:,} of the {np.size(values):,} values of {weight.path} are NaN or infinite; "
                f"take weights from before that happened"
            )


def read_network(path: str | Path) -> tuple[str, dict[str, Any]] | None:
    """(class name, `get_config()`) of the network in `path`; None where the file does not name it.

    Builds nothing.

    Raises UserError when it cannot be read, or names no network of this version.
    """
    attributes = _attributes(path)
    if "class" not in attributes or "config" not in attributes:
        return None
    name, config = attributes["class"], _read_json(path, attributes, "config")
    if not isinstance(name, str) or not all(isinstance(value, (int, str)) for value in config.values()):
        raise UserError(f"{path}: describes no network: {_text(name)} {_text(config)}")
    try:
        return name, whole_config(name, config)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def read_facts(path: str | Path) -> dict[str, Any]:
    """What `save_weights` was told beside the network.

    Raises UserError when the file cannot be read.
    """
    return _read_json(path, _attributes(path), "facts")


def _check_size(path, class_name, config):
    """Raises UserError where a network asks for more layers or weights than its file holds."""
    arrays, held = _count(path)
    n = {name: max(1, value) for name, value in config.items() if isinstance(value, int)}
    layers = n.get("depth", 1) * n.get("dense_blocks", 1)
    width = n.get("width", n.get("filters", 1))
    fewest = max(
        layers,
        _WEIGHTS[class_name] * layers * width**2 * n.get("expansion", 1),
        162 * layers * n.get("growth", 0) ** 2,
        width * n.get("scale", 1) ** 2,
        3 * width * n.get("kernel_size", 1) ** 2,
        8 * (n.get("size", 0) // 16) ** 2 * width * n.get("dense", 1),
    )
    if layers > arrays or fewest > held:
        raise UserError(
            f"{path}: describes a {class_name} {_text(config)}, which has more weights than the file: "
            f"{held:,} in {arrays:,} arrays"
        )


def _count(path):
    """(arrays, values in them) of the file.

    Raises UserError where it cannot be walked through, or claims more than its size.
    """
    arrays = []

    def note(name, item):
        if isinstance(item, h5py.Dataset):
            arrays.append((item.size, item.nbytes))

    try:
        with h5py.File(path, "r") as file:
            file.visititems(note)
        held, claimed = np.sum(arrays, axis=0, dtype=object) if arrays else (0, 0)
    except Exception as error:  # of a damaged file h5py raises whatever it trips over
        raise UserError(f"{path}: damaged ({_text(error)})") from error
    if claimed > Path(path).stat().st_size:
        raise UserError(f"{path}: damaged: claims {claimed:,} bytes of weights, more than it has")
    return len(arrays), held


def _read_json(path, attributes, name):
    """The dictionary in an attribute of the file. Raises UserError where it is none."""
    try:
        value = json.loads(attributes.get(name, "{}"))
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: damaged: its {name} cannot be read ({_text(error)})") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: damaged: its {name} is no dictionary")
    return value


def _text(value):
    """What a stranger wrote, for one line of a message."""
    text = " ".join(str(value).split())
    return (text if text.isprintable() else ascii(text))[:200]


def _check_room(model, path):
    """Raises OSError where the disc has no room: HDF5 itself would take the whole process down with
    a segmentation fault.
    """
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
    except Exception as error:  # of a damaged file h5py raises whatever it trips over
        raise UserError(f"{path}: not a readable weight file ({_text(error)})") from error
