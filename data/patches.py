"""data/patches.py: training batches of aligned LR and HR crops.

Batch k is a pure function of (seed, k) and the store: all its random numbers come from one
counter-based generator keyed by the two. A run that resumes at step k asks for `start=k` and sees
exactly what it would have seen; workers take contiguous rows of the same global batch and so never
overlap, whatever their number.
"""

import atexit
import os
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from data.image_pixels import LUMA
from data.mixture import Mixture, labelled_rows
from data.orientations import ORIENTATIONS, orient
from data.store import PictureStore
from data.teacher_pictures import TeacherPictures
from errors import UserError

if TYPE_CHECKING:  # so that reading images does not wait for TensorFlow to load
    import tensorflow as tf


def batches(
    store: PictureStore | Mixture,
    *,
    batch_size: int,
    patch_size: int,
    seed: int,
    start: int = 0,
    detail: int = 2,
    shard_index: int = 0,
    shard_count: int = 1,
    teacher: TeacherPictures | None = None,
) -> "tf.data.Dataset":
    """An endless tf.data.Dataset of (lr, hr); its element j is batch start + j.

    lr: (batch_size / shard_count, patch_size, patch_size, 3), hr: the same with sides patch_size *
    scale; both float32 in [0, 1], shapes static. The global batch has batch_size rows; shard i of n
    holds rows i * batch_size / n onwards.

    store: of a `Mixture` the rows are drawn as `MixedSampler` says, and there is no `teacher`.

    teacher: a `TeacherPictures` of this store; the elements are then (lr, hr, sr_teacher), the
    third aligned with hr.

    Every crop of the LR images is about equally likely: an image is drawn in proportion to its
    pixels, a place and one of eight orientations evenly. detail: how many crops to draw for each
    row (each with an image of its own), keeping the busiest by the mean absolute luma gradient of
    its LR side; 1 keeps the first, hence draws evenly.

    Images smaller than a patch are left out with one warning that counts them. An image that the
    store's files no longer hold is named, skipped and counted: the next one that they do hold takes
    its place. Raises UserError where none is large enough or the batch cannot be split evenly,
    ValueError for sizes, detail or shards out of range.
    """
    import tensorflow as tf  # here, so that reading images does not wait for TensorFlow to load

    _check(
        batch_size=batch_size, patch_size=patch_size, detail=detail, shard_index=shard_index, shard_count=shard_count
    )
    sampler = _sampler(store, teacher, batch_size=batch_size, patch_size=patch_size, seed=seed, detail=detail)
    rows_per_shard = batch_size // shard_count
    rows = range(shard_index * rows_per_shard, (shard_index + 1) * rows_per_shard)
    hr_size = patch_size * store.scale

    def draw(k):
        with _CALLS:
            return sampler.batch(int(k), rows)

    sides = (patch_size, hr_size, hr_size)[: 2 if teacher is None else 3]
    types = (np.dtype(np.uint8), np.dtype(np.uint8), *([] if teacher is None else [teacher.dtype]))

    def load(k):
        crops = tf.numpy_function(draw, [k], types, stateful=False)
        crops = [tf.ensure_shape(crop, (len(rows), side, side, 3)) for crop, side in zip(crops, sides, strict=True)]
        return tuple(tf.cast(crop, tf.float32) / (255.0 if crop.dtype == tf.uint8 else 1.0) for crop in crops)

    atexit.unregister(_CALLS.wait)  # once only, and after TensorFlow's own, so that it runs before them
    atexit.register(_CALLS.wait)
    options = tf.data.Options()
    options.deterministic = True
    # The shards are cut here; a second, automatic cut would break "batch k is a function of (seed,
    # k)".
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    dataset = tf.data.Dataset.counter(start=start)
    dataset = dataset.map(load, num_parallel_calls=min(4, os.cpu_count() or 1), deterministic=True)
    return dataset.prefetch(4).with_options(options)


class PatchSampler:
    """Draws batches of uint8 crops from a store; the arguments are those of `batches`."""

    def __init__(
        self,
        store: PictureStore,
        *,
        batch_size: int,
        patch_size: int,
        seed: int,
        detail: int,
        teacher: TeacherPictures | None = None,
    ) -> None:
        self._store = store
        self._teacher = teacher
        self._batch_size = batch_size
        self._patch_size = patch_size
        self._seed = seed
        self._detail = detail
        self._pictures = _large_enough(store, patch_size)
        shapes = np.array([store.lr_shape(i) for i in self._pictures], np.int64)
        self._places = shapes - patch_size + 1  # how many offsets there are, (images, 2)
        self._pixels = np.cumsum(shapes.prod(axis=1))
        self._lost = set()

    def batch(self, k: int, rows: Sequence[int] | np.ndarray) -> tuple[np.ndarray, ...]:
        """Rows of global batch k: lr (R, p, p, 3) and hr (R, p * scale, p * scale, 3), uint8; with
        a teacher its image too.
        """
        rows = np.asarray(rows, np.int64)
        crops, orientations = (drawn[rows] for drawn in self._draw(k))
        self._replace_lost(crops)
        size, scale = self._patch_size, self._store.scale
        candidates = np.empty((len(rows), self._detail, size, size, 3), np.uint8)
        for row, draws in enumerate(crops):
            for candidate, (picture, top, left) in enumerate(draws):
                candidates[row, candidate] = self._store.lr(picture)[top : top + size, left : left + size]
        chosen = busiest(candidates)
        lr = np.empty((len(rows), size, size, 3), np.uint8)
        hr = np.empty((len(rows), size * scale, size * scale, 3), np.uint8)
        sr_teacher = None if self._teacher is None else np.empty(hr.shape, self._teacher.dtype)
        for row, k_orient in enumerate(orientations):
            picture, top, left = crops[row, chosen[row]]
            _, hr_crop = crop_pair(self._store, picture, top=top, left=left, patch_size=size)
            _copy(orient(candidates[row, chosen[row]], k_orient), lr[row])
            _copy(orient(hr_crop, k_orient), hr[row])
            if sr_teacher is not None:
                at = np.s_[top * scale : (top + size) * scale, left * scale : (left + size) * scale]
                _copy(orient(self._teacher.sr(picture)[at], k_orient), sr_teacher[row])
        return (lr, hr) if sr_teacher is None else (lr, hr, sr_teacher)

    def _draw(self, k):
        """All random choices of global batch k: crops (B, detail, [image, top, left]) and
        orientations (B,).
        """
        key = np.array([self._seed % 2**64, k], np.uint64)
        generator = np.random.Generator(np.random.Philox(key=key))
        draws = generator.random((self._batch_size, self._detail, 3))
        orientations = generator.integers(ORIENTATIONS, size=self._batch_size)
        number = np.searchsorted(self._pixels, (draws[..., 0] * self._pixels[-1]).astype(np.int64), side="right")
        corners = (draws[..., 1:] * self._places[number]).astype(np.int64)
        return np.concatenate([self._pictures[number][..., np.newaxis], corners], axis=-1), orientations

    def _replace_lost(self, crops):
        """Point the crops (R, detail, 3), in place, from images that can no longer be read to the
        next that can.
        """
        if self._readable(len(self._store) - 1):  # the last in the files: then all are there
            return
        for crop in crops.reshape(-1, 3):
            position = int(np.searchsorted(self._pictures, crop[0]))
            order = [*range(position, len(self._pictures)), *range(position)]
            found = next((at for at in order if self._readable(self._pictures[at])), None)
            self._lose(self._pictures[order[: order.index(found) if found is not None else None]])
            if found is None:
                raise UserError(f"{self._store.description}: none of the decoded pictures can be read any more")
            crop[0], crop[1:] = self._pictures[found], np.minimum(crop[1:], self._places[found] - 1)

    def _readable(self, i):
        return self._store.readable(i) and (self._teacher is None or self._teacher.readable(i))

    def _lose(self, pictures):
        for i in set(pictures.tolist()) - self._lost:
            self._lost.add(i)
            logging.warning(
                "%s: its decoded pixels cannot be read any more, it is skipped from now on (%d pictures so far)",
                *(self._store.names[i], len(self._lost)),
            )


class MixedSampler:
    """Draws batches from a `Mixture`: row r of batch k is row r of batch k of one of its two
    stores.

    Which one does not depend on k (`labelled_rows`). options: those of `PatchSampler`.
    """

    def __init__(self, mixture: Mixture, **options: int) -> None:
        labelled = labelled_rows(options["batch_size"], mixture.share)
        stores = ((mixture.unlabelled, ~labelled), (mixture.labelled, labelled))
        self._parts = [(PatchSampler(store, **options), its_rows) for store, its_rows in stores]

    def batch(self, k: int, rows: Sequence[int] | np.ndarray) -> tuple[np.ndarray, ...]:
        """As `PatchSampler.batch`."""
        rows = np.asarray(rows, np.int64)
        drawn = [(its_rows[rows], sampler.batch(k, rows[its_rows[rows]])) for sampler, its_rows in self._parts]
        whole = tuple(np.empty((len(rows), *images.shape[1:]), images.dtype) for images in drawn[0][1])
        for at, part in drawn:
            for images, its_images in zip(whole, part, strict=True):
                images[at] = its_images
        return whole


def _sampler(store, teacher, **options):
    if not isinstance(store, Mixture):
        return PatchSampler(store, teacher=teacher, **options)
    if teacher is not None:
        raise ValueError("a mixture has no teacher's images of its own")
    return MixedSampler(store, **options)


def crop_pair(store: PictureStore, i: int, *, top: int, left: int, patch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Views of the crop of image i at LR row `top`, LR column `left`: lr (p, p, 3), hr (p * scale,
    p * scale, 3).
    """
    scale = store.scale
    lr = store.lr(i)[top : top + patch_size, left : left + patch_size]
    hr = store.hr(i)[top * scale : (top + patch_size) * scale, left * scale : (left + patch_size) * scale]
    return lr, hr


def busiest(candidates: np.ndarray) -> np.ndarray:
    """Index of the crop with the largest mean absolute luma gradient: (R, n, p, p, 3) uint8 to (R,)
    int.
    """
    if candidates.shape[1] == 1:
        return np.zeros(len(candidates), np.int64)
    luma = candidates @ LUMA
    across = np.abs(np.diff(luma, axis=-1)).sum(axis=(-2, -1))  # crops are of one size: sums order them as means do
    down = np.abs(np.diff(luma, axis=-2)).sum(axis=(-2, -1))
    return np.argmax(across + down, axis=1)


def _copy(turned, target):
    for channel in range(3):  # three times as fast as in one go: long strides instead of runs of three bytes
        target[..., channel] = turned[..., channel]


class _CallsInFlight:
    """Lets the exit of the program wait until tf.data's threads are out of Python.

    tf.data works ahead in threads of its own. One that needs the interpreter while it shuts down is
    never answered, and an iterator still alive waits for that thread: the program would print its
    last line and hang for ever. The work ahead is bounded, so the threads fall idle by themselves a
    moment after the last batch was taken.
    """

    _IDLE_SECONDS = 0.2  # far longer than from the end of one call to the start of the next
    _PATIENCE_SECONDS = 10.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._last_end = -self._IDLE_SECONDS

    def __enter__(self):
        with self._lock:
            self._running += 1

    def __exit__(self, *exception):
        with self._lock:
            self._running -= 1
            self._last_end = time.monotonic()

    def wait(self) -> None:
        """Return once no call has run for a moment; at once where none has for longer."""
        deadline = time.monotonic() + self._PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if not self._running and time.monotonic() - self._last_end > self._IDLE_SECONDS:
                return
            time.sleep(0.01)


_CALLS = _CallsInFlight()


def check_patch_size(store: PictureStore | Mixture, patch_size: int) -> None:
    """Raise UserError where no LR image of a store holds a patch: `batches` would, but perhaps
    after a teacher's hours.
    """
    for part in (store.unlabelled, store.labelled) if isinstance(store, Mixture) else (store,):
        largest = max(min(part.lr_shape(i)) for i in range(len(part)))
        if largest < patch_size:
            raise UserError(
                f"--patch_size={patch_size} is larger than every LR picture of {part.description}; choose at most {largest}"
            )


def _large_enough(store, patch_size):
    """Indices of the images that hold a patch, int64."""
    check_patch_size(store, patch_size)
    usable = np.flatnonzero([min(store.lr_shape(i)) >= patch_size for i in range(len(store))])
    if len(usable) < len(store):
        small = len(store) - len(usable)
        logging.warning("%d of %d pictures are smaller than --patch_size=%d: left out", small, len(store), patch_size)
    return usable


def _check(*, batch_size, patch_size, detail, shard_index, shard_count):
    if min(batch_size, patch_size, detail, shard_count) < 1 or not 0 <= shard_index < shard_count:
        raise ValueError(
            f"batch_size {batch_size}, patch_size {patch_size}, detail {detail} and shard_count {shard_count} "
            f"must be at least 1, and shard_index {shard_index} below shard_count"
        )
    if batch_size % shard_count:
        raise UserError(f"--batch_size={batch_size} does not split evenly over {shard_count} workers")
