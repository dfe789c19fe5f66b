"""Training batches: purity, shards, alignment, choice of crops."""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from data.bicubic import downscale
from data.orientations import inverse_orient
from data.patches import PatchSampler, _CallsInFlight, batches, busiest, crop_pair
from data.source import Source
from data.store import open_store
from data.teacher_pictures import open_teacher_pictures
from errors import UserError


def take(dataset, count):
    return [(lr.numpy(), hr.numpy()) for lr, hr in dataset.take(count)]


def assert_same(one, other):
    assert len(one) == len(other)
    for (lr, hr), (other_lr, other_hr) in zip(one, other, strict=True):
        np.testing.assert_array_equal(lr, other_lr)
        np.testing.assert_array_equal(hr, other_hr)


def store_of(pictures, tmp_path, *, scale=2):
    """A store of made-up pairs from a list of LR images; every HR pixel repeats its LR pixel."""

    def pairs():
        for number, lr in enumerate(pictures):
            yield str(number), lr.repeat(scale, axis=0).repeat(scale, axis=1), lr

    source = Source(key="made-up", description="made up", scale=scale, pairs=pairs)
    return open_store(source, cache_dir=tmp_path)


OPTIONS = {"batch_size": 4, "patch_size": 20, "seed": 5}


def test_shapes_are_static_and_values_in_range(store):
    dataset = batches(store, **OPTIONS, shard_index=1, shard_count=2)
    lr_spec, hr_spec = dataset.element_spec
    assert (lr_spec.shape.as_list(), lr_spec.dtype.name) == ([2, 20, 20, 3], "float32")
    assert (hr_spec.shape.as_list(), hr_spec.dtype.name) == ([2, 80, 80, 3], "float32")
    [(lr, hr)] = take(dataset, 1)
    for images in (lr, hr):
        assert images.min() >= 0 and images.max() <= 1
        np.testing.assert_allclose(images * 255, np.round(images * 255), atol=1e-4)  # 8-bit levels, of which many
        assert len(np.unique(images)) > 50


def test_batch_k_depends_on_seed_and_k_alone(store):
    whole = take(batches(store, **OPTIONS), 7)
    assert_same(take(batches(store, **OPTIONS, start=3), 4), whole[3:])
    assert_same(take(batches(store, **OPTIONS, start=3), 4), whole[3:])  # and again
    assert_same(take(batches(store, **OPTIONS).skip(5), 2), whole[5:])
    far = 2_000_000
    assert_same(take(batches(store, **OPTIONS, start=far + 1), 1), take(batches(store, **OPTIONS, start=far), 2)[1:])


def test_batches_and_seeds_differ(store):
    first, second = take(batches(store, **OPTIONS), 2)
    [other_seed] = take(batches(store, **{**OPTIONS, "seed": 6}), 1)
    assert (first[0] != second[0]).any()
    assert (first[0] != other_seed[0]).any()


@pytest.mark.parametrize("shard_count", [2, 4])
def test_shards_are_the_rows_of_the_global_batch(store, shard_count):
    shards = [take(batches(store, **OPTIONS, shard_index=i, shard_count=shard_count), 2) for i in range(shard_count)]
    joined = [tuple(np.concatenate([shard[step][side] for shard in shards]) for side in range(2)) for step in range(2)]
    assert_same(joined, take(batches(store, **OPTIONS), 2))


@pytest.mark.parametrize("detail", [1, 3])
def test_lr_is_the_downscaled_hr_inside(store, detail):
    """Aligned in place and orientation: the kernel reaches 8 HR pixels, so all but a 2-pixel LR
    border must agree.
    """
    for lr, hr in take(batches(store, **{**OPTIONS, "batch_size": 16}, detail=detail), 2):
        for lr_crop, hr_crop in zip(np.round(lr * 255), np.round(hr * 255), strict=True):
            small = downscale(hr_crop.astype(np.uint8), 4)
            np.testing.assert_array_equal(lr_crop[2:-2, 2:-2], small[2:-2, 2:-2])
            assert lr_crop.std() > 1


def test_all_eight_orientations_are_drawn_evenly(tmp_path):
    """One image as large as the patch: whatever comes back is it, in one of its orientations."""
    picture = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    sampler = PatchSampler(store_of([picture], tmp_path), batch_size=800, patch_size=6, seed=1, detail=1)
    lr, _ = sampler.batch(0, range(800))
    counts = [sum((inverse_orient(crop, k) == picture).all() for crop in lr) for k in range(8)]
    assert sum(counts) == 800
    assert min(counts) > 60 and max(counts) < 145  # 100 +- 9.4 expected; beyond four standard deviations


def test_pictures_are_drawn_by_their_pixels_and_places_evenly(tmp_path):
    """A 10x10 image of zeros beside a 10x30 one that numbers its columns: 1 crop to 3; columns 1 to
    26 alike.
    """
    numbered = np.tile(np.arange(1, 31, dtype=np.uint8)[:, np.newaxis], (10, 1, 3))
    pictures = [np.zeros((10, 10, 3), np.uint8), numbered]
    sampler = PatchSampler(store_of(pictures, tmp_path), batch_size=5200, patch_size=5, seed=2, detail=1)
    lr, _ = sampler.batch(0, range(5200))
    smallest = lr.min(axis=(1, 2, 3))  # 0, or the number of the leftmost column
    counts = np.bincount(smallest, minlength=27)
    assert 0.22 < counts[0] / 5200 < 0.28
    assert len(counts) == 27 and counts[1:].min() > 100 and counts[1:].max() < 200  # 150 expected, deviation 12


def test_detail_keeps_the_busiest_crop(tmp_path):
    flat = np.full((16, 16, 3), 90, np.uint8)
    busy = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    store = store_of([flat, busy], tmp_path)
    shares = []
    for detail in (1, 4):
        lr, _ = PatchSampler(store, batch_size=400, patch_size=8, seed=3, detail=detail).batch(0, range(400))
        shares.append((lr.std(axis=(1, 2, 3)) > 0).mean())
    assert 0.4 < shares[0] < 0.6
    assert shares[1] > 0.88  # 1 - 1/16 = 0.94 expected


def test_busiest_by_hand():
    """Flat; one edge of 255 between columns 1 and 2 (3 rows); edges of 200 both ways (one bright
    corner of 3 x 3).
    """
    crops = np.zeros((1, 3, 3, 3, 3), np.uint8)
    crops[0, 1, :, 2:] = 255  # 3 steps of 255 = 765
    crops[0, 2, 0, 0] = 200  # 2 steps of 200 = 400
    assert busiest(crops).tolist() == [1]
    assert busiest(crops[:, [0, 2]]).tolist() == [1]
    assert busiest(crops[:, :1]).tolist() == [0]


def test_crop_pair_is_aligned(store):
    lr, hr = crop_pair(store, 0, top=3, left=5, patch_size=10)
    np.testing.assert_array_equal(lr, store.lr(0)[3:13, 5:15])
    np.testing.assert_array_equal(hr, store.hr(0)[12:52, 20:60])


def test_a_program_with_a_live_iterator_ends(tmp_path):
    """tf.data's threads are drawing the next batches at the very moment this program reaches its
    end.
    """
    program = """
import sys
from data import batches, open_store, sample
store = open_store(sample(split="validation"), cache_dir=sys.argv[1])
iterator = iter(batches(store, batch_size=16, patch_size=48, seed=0))
for _ in range(20):
    next(iterator)
print("last line")
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    root = Path(__file__).parents[2]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (0, "last line\n"), result.stderr


def test_the_exit_waits_for_calls_in_flight():
    calls, entered = _CallsInFlight(), threading.Event()
    start = time.monotonic()
    calls.wait()
    assert time.monotonic() - start < 0.1  # nothing was ever drawn

    def draw():
        with calls:
            entered.set()
            time.sleep(0.4)

    thread = threading.Thread(target=draw)
    thread.start()
    entered.wait()
    calls.wait()
    assert not thread.is_alive()


def test_small_pictures_are_left_out_with_a_warning(store, warnings_of_absl):
    """LR sizes 32x40, 32x24, 50x30 and 24x24: two hold no patch of 30."""
    take(batches(store, **{**OPTIONS, "patch_size": 30}), 2)
    assert "2 of 4 pictures are smaller than --patch_size=30" in warnings_of_absl.text
    take(batches(store, **{**OPTIONS, "patch_size": 32}), 1)  # exactly as large as the one that is left
    with pytest.raises(UserError, match="--patch_size=33.*at most 32"):
        batches(store, **{**OPTIONS, "patch_size": 33})


def test_refusals(store):
    with pytest.raises(UserError, match="--batch_size=4.*3 workers"):
        batches(store, **OPTIONS, shard_count=3)
    for wrong in ({"shard_index": 1}, {"detail": 0}, {"patch_size": 0}):
        with pytest.raises(ValueError, match="must be at least 1"):
            batches(store, **{**OPTIONS, **wrong})


def flat_pictures(count, side=16):
    """Picture i is of level i everywhere."""
    return [np.full((side, side, 3), level, np.uint8) for level in range(count)]


def test_pictures_that_a_shortened_file_has_lost_are_named_skipped_and_counted(tmp_path, caplog):
    """A read beyond the end of the file would kill this very process."""
    store = store_of(flat_pictures(5), tmp_path)
    arguments = {"batch_size": 8, "patch_size": 8, "seed": 0, "detail": 2}
    sampler = PatchSampler(store, **arguments)
    before = [sampler.batch(k, range(8)) for k in range(20)]
    assert {int(level) for lr, _ in before for level in np.unique(lr)} == {0, 1, 2, 3, 4}
    size = 3 * 16 * 16 * 3
    os.truncate(tmp_path / "made-up/lr.uint8", size)  # images 3 and 4 are lost
    after = [sampler.batch(k, range(8)) for k in range(20)]
    for (lr, hr), (lr_before, _) in zip(after, before, strict=True):
        np.testing.assert_array_equal(hr, lr.repeat(2, axis=1).repeat(2, axis=2))
        assert set(np.unique(lr)) <= {0, 1, 2}
        kept = lr_before[:, 0, 0, 0] < 3
        np.testing.assert_array_equal(lr[kept], lr_before[kept])  # what can still be read is what would have been read
    messages = [record.getMessage() for record in caplog.records]
    assert sorted(message[0] for message in messages) == ["3", "4"]
    assert messages[1].endswith("it is skipped from now on (2 pictures so far)")


def test_a_shortened_file_of_originals_or_of_the_teachers_pictures_counts_too(tmp_path, caplog):
    store = store_of(flat_pictures(4), tmp_path)
    teacher = open_teacher_pictures(
        store, upscale=lambda lr: lr.repeat(2, 0).repeat(2, 1), teacher_key="", cache_dir=tmp_path
    )
    sampler = PatchSampler(store, batch_size=8, patch_size=8, seed=0, detail=1, teacher=teacher)
    size = 32 * 32 * 3
    os.truncate(tmp_path / "made-up/hr.uint8", 3 * size)
    assert all(set(np.unique(part)) <= {0, 1, 2} for k in range(9) for part in sampler.batch(k, range(8)))
    os.truncate(next(tmp_path.glob("teacher-*/sr.uint8")), 1 * size)
    assert all(set(np.unique(part)) <= {0} for k in range(9) for part in sampler.batch(k, range(8)))
    assert "(3 pictures so far)" in caplog.text


def test_nothing_left_to_read_is_an_error_that_says_so(tmp_path):
    store = store_of(flat_pictures(2), tmp_path)
    sampler = PatchSampler(store, batch_size=2, patch_size=8, seed=0, detail=1)
    os.truncate(tmp_path / "made-up/lr.uint8", 0)
    with pytest.raises(UserError, match="made up: none of the decoded pictures can be read any more"):
        sampler.batch(0, range(2))


def test_deleted_files_are_read_to_the_end(tmp_path):
    store = store_of(flat_pictures(2), tmp_path)
    sampler = PatchSampler(store, batch_size=8, patch_size=8, seed=0, detail=1)
    before = sampler.batch(0, range(8))
    shutil.rmtree(tmp_path / "made-up")
    for a, b in zip(before, sampler.batch(0, range(8)), strict=True):
        np.testing.assert_array_equal(a, b)
