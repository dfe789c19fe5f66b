"""Weights of pretrained networks, which users bring as .npz files."""

import zipfile
import zlib

import numpy as np

from errors import UserError, reason

# What zipfile and NumPy raise on damaged files.
_DAMAGED = (
    *(OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, TypeError, AttributeError, KeyError),
    *(RuntimeError, MemoryError, SyntaxError),
)


def read_arrays(path: str, *, flag: str) -> dict[str, np.ndarray]:
    """{name: array} of an .npz file; nothing pickled is opened.

    Raises UserError, naming the flag, for what is none, or holds no finite numbers.
    """
    try:
        # np.load alone would take an .npy file too: the zip archive is opened first.
        with open(path, "rb") as opened, zipfile.ZipFile(opened), np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise UserError(f"--{flag}={path}: no such file") from error
    except _DAMAGED as error:
        raise UserError(f"--{flag}={path}: cut, damaged or no .npz file ({reason(error)})") from error
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise UserError(f"--{flag}={path}: {name} does not hold finite numbers")
    return arrays
