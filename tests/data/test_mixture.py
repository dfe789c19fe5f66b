"""Batches from two stores: which rows come from which, the same whoever asks, and the same as each
store gives alone.
"""

import numpy as np
import pytest

from data.mixture import Mixture, labelled_rows
from data.patches import batches, check_patch_size
from data.source import Source
from data.store import open_store
from data.teacher_pictures import open_teacher_pictures
from errors import UserError

OPTIONS = {"batch_size": 8, "patch_size": 10, "seed": 3}


def store_of(low, high, tmp_path, *, side=30, name="x"):
    """Three images whose levels lie in low..high, so that a row tells where it is from."""

    def pairs():
        for number in range(3):
            rng = np.random.default_rng(number)
            lr = rng.integers(low, high, (side + number, side, 3), dtype=np.uint8)
            yield str(number), lr.repeat(2, axis=0).repeat(2, axis=1), lr

    source = Source(key=f"{name}{low}", description=f"{low} to {high}", scale=2, pairs=pairs)
    return open_store(source, cache_dir=tmp_path)


@pytest.fixture
def stores(tmp_path):
    return store_of(0, 100, tmp_path), store_of(150, 250, tmp_path)


def take(dataset, count):
    return [tuple(tensor.numpy() for tensor in batch) for batch in dataset.take(count)]


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(("batch_size", "share", "count"), [(16, 0.5, 8), (16, 0.3, 5), (10, 0.1, 1), (7, 0.9, 6)])
def test_as_many_rows_as_the_share_says_evenly_spread(batch_size, share, count):
    rows = labelled_rows(batch_size, share)
    assert rows.dtype == bool and rows.sum() == count
    gaps = np.diff(np.flatnonzero(rows))
    assert not len(gaps) or gaps.max() - gaps.min() <= 1
    assert abs(int(rows[: batch_size // 2].sum()) - count / 2) <= 1


@pytest.mark.parametrize("share", [0.01, 0.97, 1.0, 0.0])
def test_both_kinds_need_a_row(share):
    with pytest.raises(UserError, match=f"--labelled_share={share:g}: that is .* of the 16 crops of a batch"):
        labelled_rows(16, share)


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_each_row_is_that_of_one_store_in_every_batch(stores, share):
    mixed = take(batches(Mixture(*stores, share), **OPTIONS), 3)
    alone = [take(batches(store, **OPTIONS), 3) for store in stores]
    for k, (lr, hr) in enumerate(mixed):
        labelled = lr.min(axis=(1, 2, 3)) > 0.5
        assert labelled.sum() == 8 * share
        for row in range(8):
            its_lr, its_hr = alone[int(labelled[row])][k]
            np.testing.assert_array_equal(lr[row], its_lr[row])
            np.testing.assert_array_equal(hr[row], its_hr[row])


def test_batch_k_depends_on_seed_and_k_alone(stores):
    mixture = Mixture(*stores, 0.5)
    whole = take(batches(mixture, **OPTIONS), 5)
    assert_same(take(batches(mixture, **OPTIONS, start=3), 2), whole[3:])
    [other] = take(batches(mixture, **{**OPTIONS, "seed": 4}), 1)
    assert (other[0] != whole[0][0]).any()


@pytest.mark.parametrize("shard_count", [2, 8])
def test_shards_are_the_rows_of_the_global_batch(stores, shard_count):
    mixture = Mixture(*stores, 0.5)
    shards = [take(batches(mixture, **OPTIONS, shard_index=i, shard_count=shard_count), 2) for i in range(shard_count)]
    joined = [tuple(np.concatenate([shard[k][side] for shard in shards]) for side in range(2)) for k in range(2)]
    assert_same(joined, take(batches(mixture, **OPTIONS), 2))


def test_what_a_mixture_says_of_itself(stores, tmp_path):
    mixture = Mixture(*stores, 0.25)
    assert mixture.description == "0 to 100; 0.25 of each batch: 150 to 250"
    assert len(mixture) == 6 and mixture.names == ["0", "1", "2"] * 2 and mixture.scale == 2
    assert [mixture.lr_shape(i) for i in range(6)] == [(30, 30), (31, 30), (32, 30)] * 2
    teacher = open_teacher_pictures(
        stores[0], upscale=lambda lr: lr.repeat(2, 0).repeat(2, 1), teacher_key="", cache_dir=tmp_path
    )
    with pytest.raises(ValueError, match="no teacher's images"):
        batches(mixture, **OPTIONS, teacher=teacher)


def test_a_patch_that_one_of_the_two_cannot_hold_is_named(stores, tmp_path):
    small = store_of(150, 250, tmp_path, side=5, name="small")
    check_patch_size(Mixture(*stores, 0.5), 30)
    with pytest.raises(
        UserError, match="--patch_size=10 is larger than every LR picture of 150 to 250; choose at most 5"
    ):
        check_patch_size(Mixture(stores[0], small, 0.5), 10)
