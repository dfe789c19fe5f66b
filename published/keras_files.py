"""Keras 2's HDF5 files: the weights of each layer, in the order in which the network runs.

A file of `model.save` holds them below "model_weights" and describes the network in "model_config";
one of `model.save_weights` holds the weights alone.
"""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from errors import UserError, reason
from published.tensors import Tensor

_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def is_hdf5(head: bytes) -> bool:
    """Whether a file that begins so is one of HDF5."""
    return head.startswith(_SIGNATURE)


def read_keras(path: Path) -> dict[str, Tensor]:
    """{"layer/kernel": Tensor} in the order of the layers; the names of the weights without their
    ":0".

    Raises UserError for a damaged file, for one of this program, and for one that no Keras 2 wrote.
    """
    try:
        with h5py.File(path, "r") as file:
            if "class" in file.attrs and "config" in file.attrs:
                raise UserError(f"{path}: a weight file of this program already; it needs no import")
            group = file.get("model_weights", file)
            held = _datasets(group)
            order = [_text(name) for name in group.attrs["layer_names"]] if "layer_names" in group.attrs else []
            tensors = {}
            for layer in order:
                for weight in group[layer].attrs["weight_names"]:
                    place = f"{layer}/{_text(weight)}"
                    name = f"{layer}/{_text(weight).rpartition('/')[2].partition(':')[0]}"
                    if place not in held or name in tensors:
                        raise UserError(f"{path}: damaged: it lacks {place[:80]}, or has it twice")
                    tensors[name] = _tensor(path, f"{group.name.rstrip('/')}/{place}", held[place])
    except UserError:
        raise
    except Exception as error:  # of a damaged file h5py raises whatever it trips over
        raise UserError(f"{path}: damaged ({reason(error, 100)})") from error
    claimed = sum(np.dtype(tensor.kind).itemsize * tensor.size for tensor in tensors.values())
    if claimed > path.stat().st_size:
        raise UserError(f"{path}: damaged: claims {claimed:,} bytes of weights, more than it has")
    if not tensors:
        raise UserError(f"{path}: an HDF5 file, but not one of weights that Keras 2 wrote")
    return tensors


def last_activation(path: Path) -> str | None:
    """The activation of the last layer that has one, as "model_config" names it; None where the
    file holds weights alone.
    """
    try:
        with h5py.File(path, "r") as file:
            config = json.loads(file.attrs["model_config"]) if "model_config" in file.attrs else None
        if config is None:
            return None
        activations = [layer["config"].get("activation") for layer in config["config"]["layers"]]
        return [str(name) for name in activations if name is not None][-1]
    except Exception as error:  # it is a stranger's text
        raise UserError(
            f"{path}: damaged: its description of the network cannot be read ({reason(error, 100)})"
        ) from error


def _datasets(group: h5py.Group) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """(shape, type) of all floats in the file itself; links to other files are not followed."""
    found = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.external is None and not item.is_virtual and item.dtype.kind == "f":
            found[name] = (item.shape, item.dtype)

    group.visititems(note)
    return found


def _tensor(path: Path, place: str, held: tuple[tuple[int, ...], np.dtype]) -> Tensor:
    def read() -> np.ndarray:
        try:
            with h5py.File(path, "r") as file:
                return file[place][()]
        except Exception as error:  # of a damaged file h5py raises whatever it trips over
            raise UserError(f"{path}: damaged: {place[:80]} cannot be read ({reason(error, 100)})") from error

    return Tensor(held[0], held[1].name, read)


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
