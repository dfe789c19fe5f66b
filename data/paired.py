"""data/paired.py: two folders of images, originals and their low-resolution counterparts, matched
by name.

A low-resolution file belongs to the original of the same name below its folder, the suffix of the
format left aside and, where no original bears the whole name, an ending x2, _x4 or -x8 as well:

    HR/city/0001.png      LR/city/0001.jpg  or  LR/city/0001x4.png  or  LR/city/0001_x4.png

Pairs of one size (scale 1) teach a network to restore instead of to enlarge: a denoiser, for one.
"""

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

from absl import logging

from data.cutting import crop_to_shared, fits_scale
from data.folder import hold_out
from data.image_reader import image_size
from data.images import IMAGE_SUFFIXES, list_images, read_rgb
from data.source import Source, check_split, fingerprint, usable
from errors import UserError

_SCALE_ENDING = re.compile(r"[_-]?x\d+$", re.IGNORECASE)


class FilePair(NamedTuple):
    """Two files that belong together; `name` is the original's path below its folder, without
    suffix.
    """

    name: str
    hr: Path
    lr: Path


def paired(
    hr_dir: str | Path,
    lr_dir: str | Path,
    *,
    split: str,
    scale: int = 4,
    valid_dir: str | Path | None = None,
    valid_lr_dir: str | Path | None = None,
) -> Source:
    """The images of two folders as a Source, pair by pair.

    hr_dir, lr_dir: folders of originals and of their LR counterparts, searched with their
    subfolders; names match as the module says.
    split: "train" or "validation". With valid_dir and valid_lr_dir, those validate and all of
    hr_dir trains. Without them every 20th pair of the sorted list, counted from the last and at
    most 50, is held out for validation.
    scale: has to be that of the files: an LR side is the HR side divided by it, up to the rounding
    of whole pixels. Where HR is not a multiple, both are cropped at the bottom and right to the
    part they share.

    All names and sizes are checked before the first image is decoded. Every file without a
    counterpart and every pair of another scale is logged as an error, then UserError is raised. A
    pair with a damaged file is left out when it is decoded, with a warning that names the file.
    Raises UserError also for a missing folder, folders without images, one pair only and no folders
    for validation, one of the two validation folders without the other, and where no pair is
    usable; ValueError for another split.
    """
    check_split(split)
    if bool(valid_dir) != bool(valid_lr_dir):
        raise UserError("--dataset=paired takes --valid_dir and --valid_lr_dir together, or neither")
    roots = (hr_dir, lr_dir)
    if valid_dir and split == "validation":
        roots = (valid_dir, valid_lr_dir)
    hr_root, lr_root = (Path(root) for root in roots)
    pairs = match_files(hr_root, lr_root)
    check_scale(pairs, scale=scale, hr_root=hr_root, lr_root=lr_root)
    if not valid_dir:
        if len(pairs) < 2:
            raise UserError(f"{hr_root}: only one pair; give two or more, or --valid_dir and --valid_lr_dir")
        pairs = hold_out(pairs, split=split)
    files = [path for pair in pairs for path in (pair.hr, pair.lr)]
    return Source(
        key=fingerprint(files, dataset="paired", split=split, scale=scale),
        description=f"paired {hr_root}/ and {lr_root}/ ({len(pairs)} pairs for {split}, x{scale})",
        scale=scale,
        pairs=lambda: _read(pairs, scale=scale),
        count=len(pairs),
        degradation=f"files of {lr_root}/ x{scale}",
    )


def match_files(hr_root: Path, lr_root: Path) -> list[FilePair]:
    """The FilePairs of two folders, sorted by name.

    Raises UserError where a folder is missing or empty, and where a file has no counterpart or more
    than one; each of them is logged first.
    """
    hr_files, lr_files = (_by_name(root) for root in (hr_root, lr_root))
    counterparts = defaultdict(list)
    for name, paths in lr_files.items():
        bare = _SCALE_ENDING.sub("", name)
        counterparts[name if name in hr_files else bare] += paths
    problems = []
    for name in sorted({*hr_files, *counterparts}):
        hr, lr = hr_files.get(name, []), counterparts.get(name, [])
        if not lr:
            problems += [f"{path}: no low-resolution picture of that name in {lr_root}" for path in hr]
        elif not hr:
            problems += [f"{path}: no original of that name in {hr_root}" for path in lr]
        elif len(hr) > 1 or len(lr) > 1:
            problems.append(f"more than one picture of one name: {', '.join(str(path) for path in (*hr, *lr))}")
    _refuse(
        problems, f"{hr_root} and {lr_root}: {_count(hr_files)} originals, {_count(lr_files)} low-resolution pictures"
    )
    return [FilePair(name, hr_files[name][0], counterparts[name][0]) for name in sorted(hr_files)]


def check_scale(pairs: list[FilePair], *, scale: int, hr_root: Path, lr_root: Path) -> None:
    """Raise UserError unless all pairs are of that scale, by the sizes in the files' headers; those
    that are not are logged first.

    A file whose header cannot be read is passed over: decoding will name it.
    """
    sizes = {pair: (_size(pair.hr), _size(pair.lr)) for pair in pairs}
    sizes = {pair: both for pair, both in sizes.items() if None not in both}
    scales = Counter(_scale_of(*both) for both in sizes.values())
    if len(scales) == 1 and None not in scales and scale not in scales:
        [found] = scales
        raise UserError(
            f"--scale={scale}: the pictures of {hr_root} are {found} times as large as those of {lr_root}; give --scale={found}"
        )
    problems = [
        f"{pair.hr} ({hr[1]}x{hr[0]}) and {pair.lr} ({lr[1]}x{lr[0]}): {_describe(_scale_of(hr, lr))}, not of scale {scale}"
        for pair, (hr, lr) in sizes.items()
        if not _is_pair(hr, lr, scale)
    ]
    _refuse(problems, f"{hr_root} and {lr_root}: {len(problems)} of {len(pairs)} pairs are not of --scale={scale}")


def _by_name(root):
    """{name: paths} of the images below a folder."""
    files = defaultdict(list)
    for path in list_images(root):
        files[path.relative_to(root).with_suffix("").as_posix()].append(path)
    if not files:
        raise UserError(f"{root}: no pictures in this folder; looked for {' '.join(IMAGE_SUFFIXES)} at any depth")
    return files


def _count(files):
    return sum(len(paths) for paths in files.values())


def _refuse(problems, summary):
    """Log every problem, then raise UserError; nothing where there is none."""
    if not problems:
        return
    for problem in problems:
        logging.error("%s", problem)
    more = f" and {len(problems) - 1} more, each named above" if len(problems) > 1 else ""
    raise UserError(f"{summary}: {problems[0]}{more}; put that right or remove the files")


def _size(path):
    """(height, width) as `read_rgb` would give it, from the header alone; None where it cannot be
    read.
    """
    try:
        return image_size(path)
    except UserError:  # read_rgb says it when it gets there
        return None


def _scale_of(hr, lr):
    """The whole factor between two (height, width), or None."""
    scale = max(1, round(hr[0] / lr[0]))
    return scale if _is_pair(hr, lr, scale) else None


def _is_pair(hr, lr, scale):
    return all(fits_scale(large, small, scale) for large, small in zip(hr, lr, strict=True))


def _describe(scale):
    return f"of scale {scale}" if scale else "of no whole scale"


def _read(pairs, *, scale):
    """Yield (name, hr, lr)."""

    def read(pair):  # sizes do not fit where a header and the content disagree
        return pair.name, *crop_to_shared(read_rgb(pair.hr), read_rgb(pair.lr), scale=scale, name=pair.name)

    none = f"none of {len(pairs)} pairs is usable, the first being {pairs[0].hr} and {pairs[0].lr}"
    return usable(pairs, read, otherwise=none)
