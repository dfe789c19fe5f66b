"""Benchmarks as pairs of images: from a folder of originals, from two folders, or from the decoded
store; whole, or cut into tiles.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import logging

from data import PictureStore, crop_to_multiple, downscale, list_images, paired, read_rgb
from errors import UserError
from settings.evaluation import Evaluate

Triples = Iterable[tuple[str, np.ndarray, np.ndarray]]

_APPENDED = r"([-_. ]|x\d).*"  # what upscalers and data sets put behind the name of an image: _x4, x4, -sr


class Pair(NamedTuple):
    """One image of a benchmark: lr (h, w, 3) and hr (s*h, s*w, 3), both uint8.

    whole, top, left: of a tile, the name of the image that it was cut from, and where in HR pixels.
    """

    name: str
    lr: np.ndarray
    hr: np.ndarray
    whole: str | None = None
    top: int = 0
    left: int = 0

    def part_of(self, image: np.ndarray) -> np.ndarray:
        """What belongs to this pair of an HR image (H, W, 3) of the whole."""
        return image if self.whole is None else image[self.top :, self.left :][: self.hr.shape[0], : self.hr.shape[1]]


class FolderPairs:
    """The images of a folder as pairs, made one at a time while iterating; can be iterated
    again.
    """

    def __init__(self, folder: str | Path, *, scale: int, tiles: int | None = None):
        """Raises UserError when the folder is missing."""
        self._paths, self._scale, self._tiles = list_images(folder), scale, tiles

    def __iter__(self) -> Iterator[Pair]:
        for path in self._paths:
            hr = read_rgb(path)
            if min(hr.shape[:2]) < self._scale:
                raise UserError(f"{path}: {hr.shape[1]}x{hr.shape[0]} cannot be brought down by {self._scale}")
            for name, top, left, tile in tiles_of(path.stem, hr, self._tiles):  # cut first: an image of its own
                tile = crop_to_multiple(tile, self._scale)
                yield Pair(name, downscale(tile, self._scale), tile, self._tiles and path.stem, top, left)


class GivenPairs:
    """Ready-made (name, hr, lr) as pairs; can be iterated again if `triples` can."""

    def __init__(self, triples: Triples, *, scale: int, tiles: int | None = None):
        self._triples, self._scale, self._tiles = triples, scale, tiles

    def __iter__(self) -> Iterator[Pair]:
        for whole, hr, lr in self._triples:
            pair = aligned_pair(whole, hr, lr, scale=self._scale)
            if self._tiles is None:
                yield pair
                continue
            side = self._tiles // self._scale
            for name, top, left, tile in tiles_of(whole, pair.hr, self._tiles):
                row, column = top // self._scale, left // self._scale
                yield Pair(name, lr[row : row + side, column : column + side], tile, whole, top, left)


class PairedFolders:
    """Two folders matched by name as a benchmark; can be iterated again.

    Raises UserError as data.paired, and for a damaged file.
    """

    def __init__(self, hr_dir: str, lr_dir: str, *, scale: int, tiles: int | None = None):
        self._source = paired(hr_dir, lr_dir, split="validation", scale=scale, valid_dir=hr_dir, valid_lr_dir=lr_dir)
        self._hr_dir, self._tiles = hr_dir, tiles
        self.degradation = self._source.degradation

    def __iter__(self) -> Iterator[Pair]:
        return iter(GivenPairs(self._all_triples(), scale=self._source.scale, tiles=self._tiles))

    def _all_triples(self) -> Iterator:
        number = 0
        for triple in self._source.pairs():
            number += 1
            yield triple
        if number < self._source.count:
            raise UserError(f"{self._hr_dir}: only {number} of {self._source.count} pairs can be read")


class StorePairs:
    """The first images of a decoded store as a benchmark; can be iterated again."""

    def __init__(self, store: PictureStore, *, most: int, tiles: int | None = None):
        self._store, self._most, self._tiles = store, most, tiles
        self.degradation = store.degradation

    def __iter__(self) -> Iterator[Pair]:
        store = self._store
        triples = ((store.names[i], store.hr(i), store.lr(i)) for i in range(len(store)))
        return iter(GivenPairs(islice(triples, self._most), scale=store.scale, tiles=self._tiles))


def flagged_benchmarks(settings: Evaluate) -> tuple[dict[str, Iterable[Pair]], list[str]]:
    """({name: pairs}, failures) of --benchmarks. Raises UserError when there is none."""
    asked = settings.comparison
    if not asked.benchmarks:
        raise UserError("--benchmarks: which pictures? Write NAME:FOLDER, such as Set5:pictures/Set5")
    benchmarks, failures = folder_benchmarks(
        asked.benchmarks, scale=settings.pictures.scale, data_root=asked.data_root, tiles=settings.measures.tiles
    )
    for failure in failures:
        logging.error("%s", failure)
    return benchmarks, failures


def folder_benchmarks(
    words: Iterable[str], *, scale: int, data_root: str | None = None, tiles: int | None = None
) -> tuple[dict[str, Iterable[Pair]], list[str]]:
    """["Set5:DIR", "noisy:HR_DIR:LR_DIR", "Set14", …] to ({name: pairs}, [what is wrong with one,
    in one line]).

    One folder: LR is made by MATLAB's bicubic. Two: pairs matched by name, as data.paired has it.
    None: the folder of that name in data_root.
    tiles: side of the squares that the originals are cut into. Raises UserError for another form,
    and when no benchmark is left.
    """
    benchmarks, failures = {}, []
    for word in words:
        name, *folders = word.split(":")
        if data_root and not folders:
            folders = [str(Path(data_root) / name)]
        if not name or len(folders) not in (1, 2) or not all(folders):
            raise UserError(
                f"--benchmarks={word}: write NAME:FOLDER, such as Set5:pictures/Set5, or NAME:HR_FOLDER:LR_FOLDER, or NAME with --data_root"
            )
        if name in benchmarks:
            raise UserError(f"--benchmarks={word}: there are two of the name {name}; rename one")
        kind = FolderPairs if len(folders) == 1 else PairedFolders
        try:
            benchmarks[name] = kind(*folders, scale=scale, tiles=tiles)
        except UserError as error:
            failures.append(f"{name}: left out: {error}")
    if not benchmarks:
        raise UserError(f"--benchmarks: none of them can be read: {'; '.join(failures)}")
    return benchmarks, failures


def tiles_of(name: str, hr: np.ndarray, side: int | None) -> Iterator[tuple[str, int, int, np.ndarray]]:
    """(name, top, left, part) of all complete squares of `side` pixels of an image, row by row; the
    image itself where side is None.
    """
    if side is None:
        yield name, 0, 0, hr
        return
    height, width = hr.shape[:2]
    if min(height, width) < side:
        logging.warning("left out: %s: %dx%d holds no complete tile of %dx%d", name, width, height, side, side)
    for top in range(0, height - side + 1, side):
        for left in range(0, width - side + 1, side):
            yield f"{name}@{left},{top}", top, left, hr[top : top + side, left : left + side]


def aligned_pair(name: str, hr: np.ndarray, lr: np.ndarray, *, scale: int) -> Pair:
    """A Pair with hr cropped to `scale` times lr.

    Raises UserError when the two do not belong together.
    """
    height, width = lr.shape[0] * scale, lr.shape[1] * scale
    surplus = (hr.shape[0] - height, hr.shape[1] - width)  # what cropping to a multiple of the scale takes off
    if not all(0 <= rest < scale for rest in surplus):
        raise UserError(
            f"{name}: its LR picture of {lr.shape[1]}x{lr.shape[0]} does not belong to an HR picture "
            f"of {hr.shape[1]}x{hr.shape[0]} at scale {scale}"
        )
    return Pair(name, lr, hr[:height, :width])


def find_picture(files: Iterable[Path], name: str, *, folder: Path) -> Path | None:
    """The file of that name, or of that name with something appended: img_001.png, img_001_x4.png,
    0801x4.png; None if there is none.

    Raises UserError naming `folder` when several could be meant.
    """
    exact = [path for path in files if path.stem == name]
    found = exact or [path for path in files if re.fullmatch(re.escape(name) + _APPENDED, path.stem)]
    if len(found) > 1:
        raise UserError(f"{folder}: {found[0].name} and {found[1].name} could both be {name}; keep one of them")
    return found[0] if found else None
