"""The decoded image store: content, zero copy, races, killed builds, errors."""

import binascii
import json
import multiprocessing
import os
import shutil
import signal
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.folder import folder
from data.source import Source
from data.store import open_store
from errors import UserError


def made_up(key="abc", *, pictures=3, wait=0.0):
    """A source of random pairs that takes `wait` seconds for each."""

    def pairs():
        for number in range(pictures):
            rng = np.random.default_rng(number)
            time.sleep(wait)
            lr = rng.integers(0, 256, (4 + number, 6, 3), dtype=np.uint8)
            yield f"picture {number}", rng.integers(0, 256, (8 + 2 * number, 12, 3), dtype=np.uint8), lr

    return Source(key=key, description="made up", scale=2, pairs=pairs)


def failing(error):
    def pairs():
        yield from made_up().pairs()
        raise error

    return Source(key="abc", description="failing", scale=2, pairs=pairs)


def assert_holds(store, source):
    pairs = list(source.pairs())
    assert len(store) == len(pairs)
    for i, (name, hr, lr) in enumerate(pairs):
        assert store.names[i] == name
        assert store.lr_shape(i) == lr.shape[:2]
        np.testing.assert_array_equal(store.hr(i), hr)
        np.testing.assert_array_equal(store.lr(i), lr)


def test_holds_the_sources_pairs_at_first_and_when_reopened(photos, tmp_path):
    source = folder(photos, split="train", scale=4)
    built = open_store(source, cache_dir=tmp_path)
    assert_holds(built, source)
    for picture in (tmp_path / source.key).iterdir():
        picture.chmod(0o444)
    reopened = open_store(source, cache_dir=tmp_path)
    assert_holds(reopened, source)
    assert (reopened.scale, reopened.key, reopened.description) == (4, source.key, source.description)
    assert sorted(path.name for path in tmp_path.iterdir()) == [source.key]


def test_reopening_decodes_nothing(tmp_path):
    open_store(made_up(), cache_dir=tmp_path)
    broken = Source(key="abc", description="made up", scale=2, pairs=lambda: pytest.fail("decoded again"))
    assert len(open_store(broken, cache_dir=tmp_path)) == 3


def test_pictures_that_were_left_out_are_counted_each_time(photos, tmp_path, warnings_of_absl):
    """The first time each is named; a later run must not take the store for the whole folder in
    silence.
    """
    shutil.copytree(photos, tmp_path / "photos")
    (tmp_path / "photos" / "0.png").write_bytes(b"damaged")
    for _ in range(2):
        warnings_of_absl.clear()
        source = folder(tmp_path / "photos", split="train", scale=4)
        assert len(open_store(source, cache_dir=tmp_path)) == 3
        assert "(4 pictures for train, LR: MATLAB bicubic x4): 1 of them were left out" in warnings_of_absl.text
        assert f"delete {tmp_path / source.key}" in warnings_of_absl.text
    assert "0.png" not in warnings_of_absl.text
    warnings_of_absl.clear()
    open_store(folder(photos, split="train", scale=4), cache_dir=tmp_path)
    assert not warnings_of_absl.text


def test_another_key_builds_another_store(tmp_path):
    open_store(made_up("one"), cache_dir=tmp_path)
    assert len(open_store(made_up("two", pictures=2), cache_dir=tmp_path)) == 2
    assert len(open_store(made_up("one"), cache_dir=tmp_path)) == 3


def test_pictures_are_read_only_views_of_one_memory_map(tmp_path):
    store = open_store(made_up(), cache_dir=tmp_path)

    def owner(array):
        while isinstance(array.base, np.ndarray):
            array = array.base
        return array

    for picture in (store.hr(1), store.lr(1)):
        assert not picture.flags.owndata and not picture.flags.writeable
        assert isinstance(owner(picture), np.memmap)
    assert np.shares_memory(store.hr(1), store.hr(1))


def test_subset_is_the_first_pictures(tmp_path):
    store = open_store(made_up(), cache_dir=tmp_path)
    first = store.subset(2)
    assert first.names == ["picture 0", "picture 1"] and len(first) == 2
    assert first.key != store.key
    np.testing.assert_array_equal(first.hr(1), store.hr(1))
    assert store.subset(9) is store
    with pytest.raises(ValueError, match="0 pictures"):
        store.subset(0)


def open_and_report(barrier, cache_dir, queue):
    source = made_up(wait=0.05)
    barrier.wait()
    store = open_store(source, cache_dir=cache_dir)
    queue.put([int(store.hr(i).sum()) for i in range(len(store))])


def test_two_processes_may_build_at_once(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(2), context.Queue()
    workers = [context.Process(target=open_and_report, args=(barrier, tmp_path, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    reports = [queue.get(timeout=20) for _ in workers]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert reports == [[int(hr.sum()) for _, hr, _ in made_up().pairs()]] * 2
    assert [path.name for path in tmp_path.iterdir()] == ["abc"]


def test_a_killed_build_is_not_taken_for_a_store(tmp_path):
    worker = multiprocessing.get_context("fork").Process(
        target=open_store, args=(made_up(wait=30.0),), kwargs={"cache_dir": tmp_path}
    )
    worker.start()
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob(".building-*/lr.uint8")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    assert not (tmp_path / "abc").exists()
    assert_holds(open_store(made_up(), cache_dir=tmp_path), made_up())


@pytest.mark.parametrize("error", [UserError("no picture is usable"), KeyboardInterrupt()])
def test_a_failed_build_leaves_nothing(tmp_path, error):
    with pytest.raises(type(error)):
        open_store(failing(error), cache_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file/cache: cannot keep.*choose another"):
        open_store(made_up(), cache_dir=tmp_path / "file" / "cache")


def written_over(path, content):
    """As a copy that went wrong: another file of that name, so that no check of this process is
    remembered.
    """
    path.unlink()
    path.write_bytes(content)


def damage(folder, kind):
    hr, index = folder / "hr.uint8", folder / "index.json"
    if kind == "cut short":
        written_over(hr, hr.read_bytes()[:100])
    elif kind == "zeros":
        written_over(hr, bytes(hr.stat().st_size))
    elif kind == "one bit":
        content = bytearray((folder / "lr.uint8").read_bytes())
        content[-1] ^= 1
        written_over(folder / "lr.uint8", content)
    elif kind == "gone":
        hr.unlink()
    elif kind == "no index":
        index.unlink()
    elif kind == "empty folder":
        for path in folder.iterdir():
            path.unlink()
    else:
        written_over(index, kind.encode())


INDICES = ["", "{}", "[]", "null", "7", '"text"', '{"lr_shapes": 3}', "[" * 9999]


@pytest.mark.parametrize("kind", ["cut short", "zeros", "one bit", "gone", "no index", "empty folder", *INDICES])
def test_an_incomplete_or_damaged_store_is_built_again(tmp_path, kind, warnings_of_absl):
    open_store(made_up(), cache_dir=tmp_path)
    damage(tmp_path / "abc", kind)
    (tmp_path / "abc" / "notes.txt").write_text("mine")
    assert_holds(open_store(made_up(), cache_dir=tmp_path), made_up())
    assert "abc: the decoded images are incomplete or damaged" in warnings_of_absl.text
    assert (tmp_path / "abc" / "notes.txt").read_text() == "mine"
    broken = Source(key="abc", description="made up", scale=2, pairs=lambda: pytest.fail("decoded again"))
    assert_holds(open_store(broken, cache_dir=tmp_path), made_up())


def test_a_store_that_describes_other_images_is_built_again(tmp_path):
    """Its sums are right, its sizes add up, and its images would be garbled."""
    open_store(made_up(), cache_dir=tmp_path)
    index = tmp_path / "abc" / "index.json"
    described = json.loads(index.read_text())
    assert described["lr_shapes"] == [[4, 6], [5, 6], [6, 6]]
    described["lr_shapes"] = [[6, 6], [5, 6], [4, 6]]
    written_over(index, json.dumps(described).encode())
    assert_holds(open_store(made_up(), cache_dir=tmp_path), made_up())


@given(place=st.integers(0, 10**6), byte=st.integers(0, 255))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_byte_of_an_index_may_be_wrong(tmp_path, place, byte):
    """With check sums and, as an earlier version wrote it, without: then a name may be another one,
    the pixels may not.
    """
    open_store(made_up(), cache_dir=tmp_path)
    index = tmp_path / "abc" / "index.json"
    sound = index.read_bytes()
    old = json.dumps({name: value for name, value in json.loads(sound).items() if name != "crc32"}).encode()
    for content in (sound, old):
        content = bytearray(content)
        content[place % len(content)] = byte
        written_over(index, content)
        store = open_store(made_up(), cache_dir=tmp_path)
        for i, (_, hr, lr) in enumerate(made_up().pairs()):
            np.testing.assert_array_equal(store.hr(i), hr)
            np.testing.assert_array_equal(store.lr(i), lr)
        written_over(index, sound)


def test_a_store_of_an_earlier_version_gets_check_sums(tmp_path):
    """The CRC-32 of the whole file, as any program computes it."""
    open_store(made_up(), cache_dir=tmp_path)
    index = tmp_path / "abc" / "index.json"
    written = json.loads(index.read_text())
    for name in ("hr.uint8", "lr.uint8"):
        assert written["crc32"][name] == binascii.crc32((tmp_path / "abc" / name).read_bytes())
    without = {name: value for name, value in written.items() if name != "crc32"}
    written_over(index, json.dumps(without).encode())
    broken = Source(key="abc", description="made up", scale=2, pairs=lambda: pytest.fail("decoded again"))
    assert_holds(open_store(broken, cache_dir=tmp_path), made_up())
    assert json.loads(index.read_text()) == written


def test_an_older_shared_cache_that_cannot_be_written_is_read(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("nothing is unwritable for root")
    open_store(made_up(), cache_dir=tmp_path)
    index = tmp_path / "abc" / "index.json"
    described = {name: value for name, value in json.loads(index.read_text()).items() if name != "crc32"}
    written_over(index, json.dumps(described).encode())
    (tmp_path / "abc").chmod(0o555)
    assert_holds(open_store(made_up(), cache_dir=tmp_path), made_up())


def test_an_empty_source_and_an_unaligned_pair_are_refused(tmp_path):
    with pytest.raises(UserError, match="made up: no pictures"):
        open_store(made_up(pictures=0), cache_dir=tmp_path)
    hr, lr = np.zeros((9, 8, 3), np.uint8), np.zeros((4, 4, 3), np.uint8)
    crooked = Source(key="abc", description="crooked", scale=2, pairs=lambda: iter([("a", hr, lr)]))
    with pytest.raises(ValueError, match=r"a: HR \(9, 8, 3\)"):
        open_store(crooked, cache_dir=tmp_path)
