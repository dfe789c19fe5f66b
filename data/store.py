"""data/store.py: pictures decoded once, kept on disc, and read through memory maps.

Decoding 2K PNG files is what starves a training loop. A store holds a source's pictures as raw bytes in one file for HR
and one for LR; a crop then costs a copy of its own pixels, memory does not grow with the number of pictures, and
several processes share one page cache. Layout, below the cache folder:

    <key>/hr.uint8  <key>/lr.uint8   all pictures one after the other, (H, W, 3) uint8 each
    <key>/index.json                 names and LR sizes

The key belongs to the content: changed files or options build a new store beside the old one. Nothing deletes old
stores; any folder here, `.building-*` of a killed run included, may be deleted whenever no run uses it.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from absl import logging
from tqdm import tqdm

from data.mapped_file import MappedFile
from errors import UserError

_INDEX = "index.json"


class PictureStore:
    """Aligned picture pairs, read from disc on demand.

    scale, names, description, key, degradation: as in the source. hr(i) is (H * scale, W * scale, 3), lr(i) is (H, W, 3): read-only
    uint8 views into a memory map, in 0..255; nothing is copied.
    """

    def __init__(self, *, index, hr, lr):
        """index: the content of index.json. hr, lr: either file, `MappedFile` of uint8."""
        self.scale = index["scale"]
        self.names = index["names"]
        self.description = index["description"]
        self.key = index["key"]
        self.degradation = index["degradation"]
        self._index = index
        self._hr, self._lr = hr, lr
        self._shapes = [tuple(shape) for shape in index["lr_shapes"]]
        sizes = [height * width * 3 for height, width in self._shapes]
        self._starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).tolist()

    def __len__(self):
        return len(self.names)

    def hr(self, i):
        height, width = self._shapes[i]
        squared = self.scale * self.scale
        pixels = self._hr.values[self._starts[i] * squared : self._starts[i + 1] * squared]
        return pixels.reshape(height * self.scale, width * self.scale, 3)

    def lr(self, i):
        return self._lr.values[self._starts[i] : self._starts[i + 1]].reshape(*self._shapes[i], 3)

    def lr_shape(self, i):
        """(height, width) of the i-th LR picture, without touching its pixels."""
        return self._shapes[i]

    def readable(self, i):
        """Whether both files still hold the i-th picture: one that was cut short while it is in use does not."""
        end = self._starts[i + 1]
        return self._lr.holds(end) and self._hr.holds(end * self.scale * self.scale)

    def subset(self, n):
        """A store of the first n pictures (all, where there are fewer), on the same memory map."""
        if n < 1:
            raise ValueError(f"a subset of {n} pictures is empty")
        if n >= len(self):
            return self
        changes = {
            "names": self.names[:n],
            "lr_shapes": self._index["lr_shapes"][:n],
            "key": f"{self.key}-first-{n}",
            "description": f"{self.description}, the first {n} of {len(self)}",
        }
        return PictureStore(index={**self._index, **changes}, hr=self._hr, lr=self._lr)


def open_store(source, *, cache_dir="datasets/cache"):
    """The decoded pictures of a source, built at the first call and reopened afterwards.

    A build is written under a temporary name and renamed when complete, so that a killed one is never mistaken for a
    store; of two processes that build the same one, the first to finish wins and both use its files.
    Pictures that were left out when they were decoded stay left out: a warning counts them every time.

    Raises UserError where the cache folder cannot be written or is full, where a store in it is damaged, and whatever
    the source raises.
    """
    folder = Path(cache_dir) / source.key
    if not (folder / _INDEX).is_file():
        _build(source, folder)
    store = _open(folder)
    if source.count and len(store) < source.count:
        logging.warning(
            "%s: %d of them were left out when they were decoded; delete %s to have them tried again",
            *(source.description, source.count - len(store), folder),
        )
    return store


def _build(source, folder):
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".building-{source.key[:12]}-", dir=folder.parent))
        temporary.chmod(0o755)  # mkdtemp makes it private; a cache may be shared
        _write(source, temporary)
        _publish(temporary, folder)
    except OSError as error:
        raise UserError(
            f"{folder.parent}: cannot keep the decoded pictures there ({error.strerror or error}); "
            "make room or choose another cache folder"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _write(source, folder):
    names, lr_shapes = [], []
    with open(folder / "hr.uint8", "wb") as hr_file, open(folder / "lr.uint8", "wb") as lr_file:
        # tqdm writes to stderr, which leaves stdout to results; into a log or a pipe it would leave half-drawn lines.
        quiet = not sys.stderr.isatty()
        if quiet:
            logging.info("decoding pictures: %s", source.description)
        pairs = tqdm(source.pairs(), "decoding pictures", source.count, unit="", file=sys.stderr, disable=quiet)
        for name, hr, lr in pairs:
            _check_pair(name, hr, lr, source.scale)
            hr_file.write(np.ascontiguousarray(hr).data)
            lr_file.write(np.ascontiguousarray(lr).data)
            names.append(name)
            lr_shapes.append(lr.shape[:2])
    if not names:
        raise UserError(f"{source.description}: no pictures")
    index = {
        "key": source.key,
        "description": source.description,
        "scale": source.scale,
        "degradation": source.degradation,
        "names": names,
        "lr_shapes": lr_shapes,
    }
    (folder / _INDEX).write_text(json.dumps(index), encoding="utf-8")


def _check_pair(name, hr, lr, scale):
    aligned = hr.shape == (lr.shape[0] * scale, lr.shape[1] * scale, 3) and lr.shape[2:] == (3,)
    if not aligned or hr.dtype != np.uint8 or lr.dtype != np.uint8:
        raise ValueError(
            f"{name}: HR {hr.shape} {hr.dtype} and LR {lr.shape} {lr.dtype} are no RGB pair of scale {scale}"
        )


def _publish(temporary, folder):
    try:
        os.rename(temporary, folder)
    except OSError:
        if not (folder / _INDEX).is_file():
            raise
        logging.info("%s: another process has built it meanwhile", folder)


def _open(folder):
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        lr_bytes = sum(height * width * 3 for height, width in index["lr_shapes"])
        lr = MappedFile(folder / "lr.uint8", dtype=np.uint8, length=lr_bytes)
        hr = MappedFile(folder / "hr.uint8", dtype=np.uint8, length=lr_bytes * index["scale"] ** 2)
        return PictureStore(index=index, hr=hr, lr=lr)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{folder}: the decoded pictures are damaged ({error}); delete that folder") from error
