"""data/unlabelled.py: a folder of low-resolution images that have no originals, as an app shows
them.

A teacher's images of them are the labels (`data.teacher_pictures`, `PictureStore.with_labels`).
Each image is taken as it is: its blur, its noise and its JPEG blocks are what the student is to
know.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data.cutting import even_grid, middle
from data.folder import folder, hold_out, usable_images
from data.images import IMAGE_SUFFIXES, list_images
from data.source import Source, check_split, fingerprint
from errors import UserError

_TILE = 1024  # at most so many LR pixels to a side: a teacher's image of a tile is then at most 50 MB at scale 4
_MIN_HR = 64


def unlabelled(
    lr_dir: str | Path,
    *,
    split: str,
    scale: int = 4,
    hr_dir: str | Path | None = None,
    valid_dir: str | Path | None = None,
    **degradation: Any,
) -> Source:
    """The images below a folder as a Source without originals.

    split: "train" or "validation". With valid_dir, that folder of originals validates, as
    `data.folder.folder` has it under `degradation`, and all of lr_dir trains. Without it every 20th
    image of the sorted list, counted from the last and at most 50, is held out for validation; the
    rest trains. An image of more than 1024 pixels to a side is cut into an even grid of tiles,
    "NAME tile 3"; in validation its middle is taken. Images whose shorter side is below 64 / scale
    pixels are left out with a warning, and so are damaged ones.
    hr_dir: not read; the originals that share a batch with these images are a data set of their
    own.

    Raises UserError for a missing folder, a folder without images, a single image and no valid_dir,
    and, once the images are read, where none is usable; what `folder` raises for valid_dir.
    ValueError for another split.
    """
    check_split(split)
    if valid_dir and split == "validation":
        return folder(valid_dir, split=split, scale=scale, valid_dir=valid_dir, **degradation)
    root = Path(lr_dir)
    paths = _split_paths(root, split=split, whole=bool(valid_dir))
    smallest = max(1, -(-_MIN_HR // scale))

    def pairs():
        for _, name, lr in usable_images(paths, root=root, what=f"images for {split}", smallest=smallest):
            yield from ((label, None, tile) for label, tile in _tiles(name, lr, split=split))

    return Source(
        key=fingerprint(
            paths,
            dataset="unlabelled",
            root=str(root.resolve()),
            split=split,
            scale=scale,
            smallest=smallest,
            tile=_TILE,
        ),
        description=f"unlabelled {root}/ ({len(paths)} images for {split}, x{scale})",
        scale=scale,
        pairs=pairs,
        degradation=f"images of {root}/ as they are",
        originals=False,
    )


def _split_paths(root: Path, *, split: str, whole: bool) -> list[Path]:
    paths = list_images(root)
    if not paths:
        raise UserError(
            f"--lr_dir={root}: no images in this folder; looked for {' '.join(IMAGE_SUFFIXES)} at any depth"
        )
    if whole:
        return paths
    if len(paths) < 2:
        raise UserError(
            f"--lr_dir={root}: only one image; give at least two, as one is held out for validation, or originals for that "
            "with --valid_dir"
        )
    return hold_out(paths, split=split)


def _tiles(name: str, lr: np.ndarray, *, split: str) -> Iterator[tuple[str, np.ndarray]]:
    """(name, (h, w, 3)) of an image, or of its tiles, row by row; in validation of its middle."""
    height, width = lr.shape[:2]
    if max(height, width) <= _TILE:
        yield name, lr
    elif split == "validation":
        yield f"{name} middle", middle(lr, (_TILE, _TILE))
    else:
        grid = even_grid(lr, counts=(-(-height // _TILE), -(-width // _TILE)))
        yield from ((f"{name} tile {number}", tile) for number, tile in enumerate(grid))
