"""data/source.py: what a data set is to the rest of the program.

A *source* says which image pairs there are and can produce them, one after the other. It holds no
pixels: those go through `data.store`, which keeps them decoded on disc. Each data set is a plain
function that returns a Source.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from absl import logging

from errors import UserError

Item, Read = TypeVar("Item"), TypeVar("Read")

_DECODING_VERSION = 2  # raise it when the same files would give another store: cached ones are then built anew


@dataclass(frozen=True)
class Source:
    """A data set, before decoding.

    key: identifies the content; changes whenever a file (path, size, modification time) or an
    option changes.
    description: one line for reports, such as "folder photos/ (485 images, LR: MATLAB bicubic x4)".
    scale: HR pixels per LR pixel along a side.
    pairs: yields (name, hr, lr); hr (H, W, 3) and lr (H / scale, W / scale, 3) uint8. It leaves
    unusable files out with
        a logged warning and raises UserError where none is usable.
    count: how many images there are at most, for the progress bar; None where that is not known.
    degradation: how LR came from HR, for the protocol of figures, such as "MATLAB bicubic x4".
    draws: so many pairs that follow one another have one HR image; the store keeps it once.
    originals: whether there are HR images; without them hr is None in every pair.
    """

    key: str
    description: str
    scale: int
    pairs: Callable[[], Iterator[tuple[str, np.ndarray | None, np.ndarray]]]
    count: int | None = None
    degradation: str = "not known"
    draws: int = 1
    originals: bool = True


def check_split(split: str) -> None:
    """Raise ValueError unless split is "train" or "validation"."""
    if split not in ("train", "validation"):
        raise ValueError(f"split is {split!r}; expected 'train' or 'validation'")


def fingerprint(files: Iterable[str | os.PathLike], **options: Any) -> str:
    """A 40-digit hexadecimal key for these files (absolute path, size, modification time) under
    these options.

    A file that cannot be looked at, such as a link to nowhere, counts by its path: reading it is
    what fails, and says why.
    """
    entries = []
    for path in files:
        try:
            status = os.stat(path)
            entries.append((os.path.abspath(path), status.st_size, status.st_mtime_ns))
        except OSError:
            entries.append((os.path.abspath(path), None, None))
    content = json.dumps([_DECODING_VERSION, entries, options], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:40]


def usable(items: Iterable[Item], read: Callable[[Item], Read], *, otherwise: str) -> Iterator[Read]:
    """Yield read(item) of each item.

    Where `read` raises UserError the item is left out, and the error is a warning.

    Raises UserError(otherwise) in the end where all were left out.
    """
    found = False
    for item in items:
        try:
            result = read(item)
        except UserError as error:
            logging.warning("left out: %s", error)
            continue
        found = True
        yield result
    if not found:
        raise UserError(otherwise)
