"""data/folder.py: any folder of images as a data set; the LR images are made from them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data.degradation import Degradation
from data.images import IMAGE_SUFFIXES, IN_BLOCKS, list_images, read_rgb
from data.source import Source, check_split, fingerprint, usable
from errors import UserError

_HOLD_OUT_EVERY = 20
_HOLD_OUT_AT_MOST = 50
_BLOCK = 8


def folder(
    hr_dir: str | Path,
    *,
    split: str,
    scale: int = 4,
    valid_dir: str | Path | None = None,
    min_size: int = 64,
    degradation: str = "bicubic",
    degradation_seed: int = 0,
    degradation_draws: int = 1,
) -> Source:
    """The images below a folder as a Source.

    split: "train" or "validation". With valid_dir, that folder validates and all of hr_dir trains
    (except what lies in valid_dir, where one holds the other). Without it, every 20th image of the
    sorted list, counted from the last and at most 50, is held out for validation; the rest trains.
    The choice depends on the names alone.
    min_size: images whose shorter side has fewer HR pixels are left out, with a warning that names
    them; so are damaged ones. HR is cropped at the bottom and right to a multiple of scale.
    Training images in a format of 8×8 blocks also lose 0 to 7 pixels at the top and left, by turns.
    Pixels across the edge of a block differ more than others (by a third, in smooth parts of
    photographs of quality 94 to 97). If these edges always lay where low-resolution pixels meet, a
    network would learn a step there.
    degradation, degradation_seed, degradation_draws: how LR is made of that, see data.degradation.
    Its "real" and "photo" make several pairs of a large training image.

    Raises UserError for a missing folder, a folder without images, a single image and no valid_dir,
    and, once the images are read, where none is usable. ValueError for another split.
    """
    check_split(split)
    degrade = Degradation(degradation, scale, degradation_seed, degradation_draws).of(split)
    root = Path(valid_dir if valid_dir and split == "validation" else hr_dir)
    paths = _split_paths(root, split=split, valid_dir=valid_dir)
    smallest = max(min_size, scale)

    def pairs():
        for number, name, hr in usable_images(paths, root=root, what=f"pictures for {split}", smallest=smallest):
            if split == "train":
                hr = _off_the_blocks(paths[number], hr, number=number, smallest=smallest)
            yield from degrade.pairs(name, hr, index=number, split=split)

    return Source(
        key=fingerprint(
            paths,
            dataset="folder",
            root=str(root.resolve()),
            split=split,
            scale=scale,
            min_size=smallest,
            **({"off_the_blocks": _BLOCK} if split == "train" and any(map(_in_blocks, paths)) else {}),
            **degrade.options,
        ),
        description=f"folder {root}/ ({len(paths)} pictures for {split}, LR: {degrade})",
        scale=scale,
        pairs=pairs,
        count=degrade.count(len(paths), split),
        degradation=str(degrade),
        draws=degrade.draws,
    )


def _split_paths(root, *, split, valid_dir):
    """The files of one split, or UserError where there are none."""
    paths = list_images(root)
    if valid_dir and split == "train":
        held_out = Path(valid_dir).resolve()
        if held_out == root.resolve():
            raise UserError(f"--valid_dir={valid_dir} is the training folder itself; leave it out to hold pictures out")
        paths = [path for path in paths if held_out not in path.resolve().parents]
    if not paths:
        raise UserError(
            f"{root}: no pictures for {split} in this folder; looked for {' '.join(IMAGE_SUFFIXES)} at any depth"
        )
    if valid_dir:
        return paths
    if len(paths) < 2:
        raise UserError(f"{root}: only one picture; give at least two, or a folder for validation with --valid_dir")
    return hold_out(paths, split=split)


def hold_out(items: list, *, split: str) -> list:
    """The items of one split: "validation" gets every 20th, counted from the last and at most 50,
    "train" the rest.
    """
    held_out = range(len(items) - 1, -1, -_HOLD_OUT_EVERY)[:_HOLD_OUT_AT_MOST]
    return [item for number, item in enumerate(items) if (number in held_out) == (split == "validation")]


def usable_images(paths: list[Path], *, root: Path, what: str, smallest: int) -> Iterator[tuple[int, str, np.ndarray]]:
    """Yield (number, name below root, (H, W, 3) uint8) of each file that is undamaged and has
    `smallest` pixels to a side.

    The others are left out with a warning that names them; their numbers are skipped. Raises
    UserError in the end where none is usable; what: "images for train", say, for that message.
    """

    def read(item):
        number, path = item
        image = read_rgb(path)
        height, width = image.shape[:2]
        if min(height, width) < smallest:
            raise UserError(f"{path}: {width}x{height} pixels, shorter side below {smallest}")
        return number, path.relative_to(root).as_posix(), image

    none = (
        f"{root}: none of {len(paths)} {what} is usable; looked for undamaged "
        f"{' '.join(IMAGE_SUFFIXES)} files of at least {smallest} pixels on the shorter side"
    )
    return usable(enumerate(paths), read, otherwise=none)


def _in_blocks(path):
    return path.suffix.lower() in IN_BLOCKS


def _off_the_blocks(path, hr, *, number, smallest):
    """The image without its first rows and columns, as many as the number says; small images stay
    whole.
    """
    top, left = number % _BLOCK, number // _BLOCK % _BLOCK
    if not _in_blocks(path) or min(hr.shape[0] - top, hr.shape[1] - left) < smallest:
        return hr
    return hr[top:, left:]
