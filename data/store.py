"""data/store.py: images decoded once, kept on disc, and read through memory maps.

Decoding 2K PNG files is what starves a training loop. A store holds a source's images as raw bytes
in one file for HR and one for LR; a crop then costs a copy of its own pixels, memory does not grow
with the number of images, and several processes share one page cache. Layout, below the cache
folder:

    <key>/hr.uint8  <key>/lr.uint8   all images one after the other, (H, W, 3) uint8 each
    <key>/index.json                 names, LR sizes, check sums

Where a source draws several LR images of each original, pairs that follow one another share its HR
image. Where it has no originals, there is no hr.uint8, and a teacher's images may stand in for them
(`PictureStore.with_labels`).

The key belongs to the content: changed files or options build a new store beside the old one.
Nothing deletes old stores; any folder here, `.building-*` of a killed run included, may be deleted
whenever no run uses it.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging
from tqdm import tqdm

from data.mapped_file import MappedFile, open_folder
from data.source import Source
from errors import UserError

_SCHEMA = {
    "key": str,
    "description": str,
    "scale": int,
    "degradation": str,
    "draws?": int,
    "names": [str],
    "lr_shapes": [[int]],
}


class PictureStore:
    """Aligned image pairs, read from disc on demand.

    scale, names, description, key, degradation, originals: as in the source. hr(i) is (H * scale, W
    * scale, 3), lr(i) is (H, W, 3): read-only uint8 views into a memory map, in 0..255; nothing is
    copied. Without originals hr(i) raises ValueError, or is a teacher's image where the store has
    those for labels.
    """

    def __init__(self, *, index: dict[str, Any], hr: MappedFile | None, lr: MappedFile, originals: bool = True) -> None:
        """index: the content of index.json. hr, lr: either file, `MappedFile` of uint8; hr may be
        None.
        """
        self.scale = index["scale"]
        self.names = index["names"]
        self.description = index["description"]
        self.key = index["key"]
        self.degradation = index["degradation"]
        self.originals = originals
        self._index = index
        self._hr, self._lr = hr, lr
        self._shapes = [tuple(shape) for shape in index["lr_shapes"]]
        self._draws = index.get("draws", 1)
        sizes = [height * width * 3 for height, width in self._shapes]
        self._starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).tolist()
        self._hr_starts = np.concatenate([[0], np.cumsum(sizes[:: self._draws], dtype=np.int64)]).tolist()

    def __len__(self) -> int:
        return len(self.names)

    def hr(self, i: int) -> np.ndarray:
        """The i-th HR image, or the label in its place."""
        if self._hr is None:
            raise ValueError(f"{self.description}: no originals")
        height, width = self._shapes[i]
        squared = self.scale * self.scale
        original = i // self._draws
        pixels = self._hr.values[self._hr_starts[original] * squared : self._hr_starts[original + 1] * squared]
        return pixels.reshape(height * self.scale, width * self.scale, 3)

    def lr(self, i: int) -> np.ndarray:
        """The i-th LR image."""
        return self._lr.values[self._starts[i] : self._starts[i + 1]].reshape(*self._shapes[i], 3)

    def lr_shape(self, i: int) -> tuple[int, int]:
        """(height, width) of the i-th LR image, without touching its pixels."""
        return self._shapes[i]

    def readable(self, i: int) -> bool:
        """Whether both files still hold the i-th image: one that was cut short while it is in use
        does not.
        """
        hr_end = self._hr_starts[i // self._draws + 1] * self.scale * self.scale
        return self._lr.holds(self._starts[i + 1]) and (self._hr is None or self._hr.holds(hr_end))

    def subset(self, n: int) -> "PictureStore":
        """A store of the first n images (all, where there are fewer), on the same memory map."""
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
        return PictureStore(index={**self._index, **changes}, hr=self._hr, lr=self._lr, originals=self.originals)

    def with_labels(self, pixels: MappedFile) -> "PictureStore":
        """This store with a teacher's images in the place of originals.

        pixels: `TeacherPictures.pixels` of this store, a `MappedFile` of uint8.
        """
        changes = {
            "key": f"{self.key}-labelled",
            "description": f"{self.description}, labels: the teacher's images",
            "degradation": f"{self.degradation}, against the teacher's images",
        }
        return PictureStore(index={**self._index, **changes}, hr=pixels, lr=self._lr, originals=False)


def open_store(source: Source, *, cache_dir: str | Path = "datasets/cache") -> PictureStore:
    """The decoded images of a source, built at the first call and reopened afterwards.

    A build is written under a temporary name and renamed when complete, so that a killed one is
    never mistaken for a store; of two processes that build the same one, the first to finish wins
    and both use its files. A store that is incomplete, or not what was written, is built again with
    a warning. Images that were left out when they were decoded stay left out: a warning counts them
    every time.

    Raises UserError where the cache folder cannot be written or is full, and whatever the source
    raises.
    """
    folder = Path(cache_dir) / source.key
    index, (*hr, lr) = open_folder(
        folder,
        files=("hr.uint8", "lr.uint8") if source.originals else ("lr.uint8",),
        dtype=np.uint8,
        schema=_SCHEMA,
        lengths=lambda index: _lengths(index, source),
        write=lambda *files: _write(source, *files),
        what="decoded images",
    )
    store = PictureStore(index=index, hr=hr[0] if hr else None, lr=lr, originals=source.originals)
    if source.count and len(store) < source.count:
        logging.warning(
            "%s: %d of them were left out when they were decoded; delete %s to have them tried again",
            *(source.description, source.count - len(store), folder),
        )
    return store


def _lengths(index, source):
    """Bytes of each file. Raises ValueError for an index that is none of this source."""
    shapes, scale, draws = index["lr_shapes"], index["scale"], index.get("draws", 1)
    sound = all(len(shape) == 2 and min(shape) >= 1 for shape in shapes) and 0 < len(shapes) == len(index["names"])
    sound = sound and draws == source.draws and len(shapes) % draws == 0
    if not sound or (index["key"], scale) != (source.key, source.scale):
        raise ValueError("index.json describes something else")
    pixels, hr_pixels = (sum(height * width for height, width in those) for those in (shapes, shapes[::draws]))
    return [hr_pixels * 3 * scale * scale, pixels * 3] if source.originals else [pixels * 3]


def _write(source, *files):
    """Decode the source into its files, of HR if it has originals and of LR; returns the index."""
    *hr_files, lr_file = files
    names, lr_shapes = [], []
    # tqdm writes to stderr, which leaves stdout to results; into a log or a pipe it would leave
    # half-drawn lines.
    quiet = not sys.stderr.isatty()
    if quiet:
        logging.info("decoding images: %s", source.description)
    for name, hr, lr in tqdm(source.pairs(), "decoding images", source.count, unit="", file=sys.stderr, disable=quiet):
        _check_pair(name, hr, lr, source)
        if hr_files and len(names) % source.draws == 0:
            hr_files[0].write(hr)
        lr_file.write(lr)
        names.append(name)
        lr_shapes.append(list(lr.shape[:2]))
    if not names:
        raise UserError(f"{source.description}: no pictures")
    return {
        "key": source.key,
        "description": source.description,
        "scale": source.scale,
        "degradation": source.degradation,
        "draws": source.draws,
        "names": names,
        "lr_shapes": lr_shapes,
    }


def _check_pair(name, hr, lr, source):
    sides = (lr.shape[0] * source.scale, lr.shape[1] * source.scale)
    wanted = [(image, (*size, 3)) for image, size in ((lr, lr.shape[:2]), (hr, sides)) if image is not None]
    sound = all(image.shape == shape and image.dtype == np.uint8 for image, shape in wanted)
    if not sound or (hr is not None) != source.originals:
        hr, lr = ("none" if image is None else f"{image.shape} {image.dtype}" for image in (hr, lr))
        raise ValueError(f"{name}: HR {hr} and LR {lr} are no RGB pair of scale {source.scale}")
