"""data/teacher_pictures.py: a teacher's images of a store's LR images, made once and kept on disc
beside it.

A frozen teacher gives the same image at every step, and is many times slower than the student that
learns from it. Layout, below the cache folder; the key belongs to the store, the teacher and the
format, so a changed one builds anew:

    <key>/sr.uint8 or <key>/sr.float16   all images one after the other, (H * scale, W * scale, 3) each
    <key>/index.json                     names and sizes
"""

import hashlib
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from absl import logging
from PIL import Image
from tqdm import tqdm

from data.image_pixels import round_levels
from data.images import IMAGE_SUFFIXES, list_images, read_rgb
from data.mapped_file import MappedFile, open_folder
from data.source import fingerprint
from data.store import PictureStore
from errors import UserError, reason


class TeacherPictures:
    """sr(i): the teacher's image of LR image i, a read-only (H * scale, W * scale, 3) view into a
    memory map.

    dtype: uint8, levels in 0..255, or float16, in [0, 1]. pixels: the `MappedFile` behind it.
    """

    def __init__(self, *, pixels: MappedFile, shapes: list[tuple[int, int]], dtype: str) -> None:
        """pixels: `MappedFile` of all images. shapes: (height, width) of each."""
        self.dtype = np.dtype(dtype)
        self.pixels, self._shapes = pixels, shapes
        sizes = [height * width * 3 for height, width in shapes]
        self._starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).tolist()

    def sr(self, i: int) -> np.ndarray:
        """The teacher's image of the i-th LR image."""
        return self.pixels.values[self._starts[i] : self._starts[i + 1]].reshape(*self._shapes[i], 3)

    def readable(self, i: int) -> bool:
        """Whether the file still holds the i-th image, as of a store."""
        return self.pixels.holds(self._starts[i + 1])


def open_teacher_pictures(
    store: PictureStore,
    *,
    upscale: Callable[[np.ndarray], np.ndarray],
    teacher_key: str,
    cache_dir: str | Path,
    dtype: str = "uint8",
) -> TeacherPictures:
    """The teacher's images of all of `store`, made at the first call and reopened afterwards.

    upscale: lr (H, W, 3) uint8 to (H * scale, W * scale, 3) float32 in [0, 1], or uint8.
    teacher_key: text that tells this teacher from others.
    Raises UserError where the cache folder cannot be written or has too little room, which is known
    before the first image, and whatever `upscale` raises.
    """
    key = hashlib.sha256(f"{store.key} {teacher_key} {dtype}".encode()).hexdigest()[:40]
    folder = Path(cache_dir) / f"teacher-{key}"
    shapes = [tuple(side * store.scale for side in store.lr_shape(i)) for i in range(len(store))]
    _, (pixels,) = open_folder(
        folder,
        files=(f"sr.{dtype}",),
        dtype=dtype,
        schema={"names": [str], "shapes": [[int]], "dtype": str},
        lengths=lambda index: [_length(index, shapes, dtype)],
        write=lambda file: _write(store, upscale, file, shapes, dtype, cache_dir),
        what="teacher's images",
    )
    return TeacherPictures(pixels=pixels, shapes=shapes, dtype=dtype)


def export_lr(stores: Sequence[PictureStore], folder: str | Path) -> int:
    """Write the low-resolution images of the stores as PNG files, for any upscaler.

    Returns how many.

    folder: must not hold anything yet. Their names are those that `teacher_images` looks for.
    Raises UserError where it cannot be written, and where two images differ in the suffix of their
    file alone.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"--export_lr={folder}: is there already, and not an empty folder; name another one")
    images = [(store, i) for store in stores for i in range(len(store))]
    stems = _stems([store.names[i] for store, i in images], flag=f"--export_lr={folder}")
    try:
        for stem, (store, i) in zip(stems, images, strict=True):
            path = folder / f"{stem}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.array(store.lr(i))).save(path)
    except OSError as error:
        raise UserError(f"--export_lr={folder}: cannot be written ({reason(error)})") from error
    return len(images)


def _stems(names, *, flag):
    """The names of images without the suffixes of their files.

    Raises UserError where two are one then.
    """
    by_stem = {}
    for name in names:
        stem = Path(name).with_suffix("").as_posix() if Path(name).suffix.lower() in IMAGE_SUFFIXES else name
        if stem in by_stem:
            raise UserError(f"{flag}: {by_stem[stem]} and {name} would both be {stem}; rename one of them")
        by_stem[stem] = name
    return list(by_stem)


def teacher_images(folder: str | Path, store: PictureStore, *, cache_dir: str | Path) -> TeacherPictures:
    """Images that any upscaler made of the store's LR images, as TeacherPictures of format uint8.

    folder: holds one image for each of `store.names`, under the same path but for the suffix, or
    with _x4 (the scale) before it, as upscale.py names its results. Raises UserError where one is
    missing, damaged or not the scale times as large as the image it was made of.
    """
    files = list_images(folder)
    found = {path.relative_to(folder).with_suffix("").as_posix(): path for path in files}
    paths = {}
    for name, stem in zip(store.names, _stems(store.names, flag=f"--teacher_images={folder}"), strict=True):
        paths[name] = found.get(stem) or found.get(f"{stem}_x{store.scale}")
        if paths[name] is None:
            raise UserError(f"--teacher_images={folder}: holds no picture {stem}, one of {len(store)} that are wanted")
    order = iter(range(len(store)))

    def read(_):
        i = next(order)
        picture, (height, width) = read_rgb(paths[store.names[i]]), store.lr_shape(i)
        wanted = (height * store.scale, width * store.scale)
        if picture.shape[:2] != wanted:
            raise UserError(
                f"{paths[store.names[i]]}: {picture.shape[1]}x{picture.shape[0]} pixels; the image that it goes with has "
                f"{width}x{height}, times {store.scale} {wanted[1]}x{wanted[0]}"
            )
        return picture

    return open_teacher_pictures(store, upscale=read, teacher_key=fingerprint(paths.values()), cache_dir=cache_dir)


def _length(index, shapes, dtype):
    if ([tuple(shape) for shape in index["shapes"]], index["dtype"]) != (shapes, np.dtype(dtype).name):
        raise ValueError("index.json describes something else")
    return sum(height * width * 3 for height, width in shapes)


def _write(store, upscale, file, shapes, dtype, cache_dir):
    """Let the teacher upscale every image into the file; returns the index."""
    quiet = not sys.stderr.isatty()
    gigabytes = sum(height * width * 3 for height, width in shapes) * np.dtype(dtype).itemsize / 1e9
    free = shutil.disk_usage(cache_dir).free / 1e9
    if gigabytes > free:
        raise UserError(
            f"--cache_dir={cache_dir}: the teacher's images take {gigabytes:.3g} GB, {free:.3g} GB are free; make room, "
            "or choose another"
        )
    logging.info("making the teacher's images: %d, %.3g GB in %s", len(store), gigabytes, cache_dir)
    for i in tqdm(range(len(store)), "the teacher's images", unit="", file=sys.stderr, disable=quiet):
        image = _as(upscale(store.lr(i)), dtype)
        if image.shape != (*shapes[i], 3):
            raise ValueError(f"{store.names[i]}: the teacher gave {image.shape}, not {(*shapes[i], 3)}")
        file.write(image)
    return {"names": store.names, "shapes": [list(shape) for shape in shapes], "dtype": dtype}


def _as(picture, dtype):
    if picture.dtype == np.uint8 and dtype == "float16":
        return (picture / np.float32(255.0)).astype(np.float16)
    if picture.dtype == np.uint8 or dtype == "float16":
        return picture.astype(dtype)
    return round_levels(picture * np.float32(255.0))
