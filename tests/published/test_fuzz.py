"""Damaged files of every kind: a line or a network, nothing run, and no memory beyond ten times the
file.
"""

import io
import random
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest

from errors import UserError
from published import recognise
from tests.published.test_recognise import keras_2_file

# What would be run, if anything were: a pickle's import, a program, a connection.
FORBIDDEN = (
    "exec",
    "compile",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess",
    "socket",
    "pickle",
    "ctypes",
)
WATCHING, SEEN = [], []
EVIL = [
    b"cos\nsystem\n(X\x04\x00\x00\x00truetR",
    b"cbuiltins\neval\nX\x03\x00\x00\x001+1\x85R",
    b"(ios\ngetcwd\n",
    b"cbuiltins\nobject\n)\x81",
    b"\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R",
    b"j\xff\xff\xff\x7f",
    b"r\xff\xff\xff\xff",
    b"\x8a\x08" + b"\xff" * 8,
    b"X\xff\xff\xff\x7f",
    b"]" * 3000,
]


def watch(event, arguments):
    if WATCHING and event.startswith(FORBIDDEN):
        SEEN.append((event, arguments))


sys.addaudithook(watch)


def damaged(content, chance):
    """The bytes with a few changed, a piece zeroed, doubled or moved, instructions put in, or the
    end cut off.
    """
    content, kind = bytearray(content), chance.randrange(6)
    at = chance.randrange(min(len(content), chance.choice([200, 4000, len(content)])))
    if kind == 0:
        for _ in range(chance.choice([1, 4, 32])):
            content[chance.randrange(at + 1)] = chance.randrange(256)
    elif kind == 1:
        del content[at:]
    elif kind == 2:
        content[at : at + chance.choice([1, 8, 64, 512])] = bytes(chance.choice([0, 8, 64]))
    elif kind == 3:
        content[at:at] = content[at : at + chance.choice([1, 16, 300])]
    elif kind == 4:
        content[at:at] = chance.choice(EVIL)
    else:
        number = chance.choice([0, 1, 255, 2**31 - 1, 2**32 - 1, 2**63, 2**64 - 1])
        content[at : at + 8] = number.to_bytes(8, chance.choice(["little", "big"]))
    return bytes(content)


def with_damaged_pickle(content, chance):
    """A zip archive whose other entries and check sums are right: the damage reaches the reader of
    the pickle.
    """
    archive, buffer = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as changed:
        for name in archive.namelist():
            held = archive.read(name)
            changed.writestr(name, damaged(held, chance) if name.endswith("data.pkl") else held)
    return buffer.getvalue()


def look(path):
    """Read the file as far as it goes. Returns whether it holds a network."""
    WATCHING.append(True)
    try:
        for tensor in recognise(path).tensors.values():
            assert tensor.read().shape == tensor.shape
        return True
    except UserError as error:
        assert "\n" not in str(error) and str(path) in str(error)
        return False
    finally:
        WATCHING.clear()


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Files of a quarter of a megabyte and more: of smaller ones the reader's own modules take more
    than ten times the size.
    """
    from tests.published.test_reader import compact

    folder = tmp_path_factory.mktemp("large")
    wide = {"body.2.weight": np.ones((96, 96, 3, 3), "<f4")}
    compact(folder / "zip.pth", change=lambda held: {**held, **wide})
    keras_2_file(folder / "keras.h5", depth=1, width=32)
    return folder


KINDS = ["rrdb_old_x4.pth", "rrdb_new_x4.pth", "compact_x3.safetensors", "zip.pth", "keras.h5"]


def mutations(path, folder, kind, *, seed, count):
    """How many of the damaged copies still hold a network."""
    chance, content, whole = random.Random(seed), path.read_bytes(), 0
    for i in range(count):
        in_pickle = kind.endswith(".pth") and content[:2] == b"PK" and i % 2
        changed = with_damaged_pickle(content, chance) if in_pickle else damaged(content, chance)
        target = folder / f"m{i % 2}.{kind.rpartition('.')[2]}"
        target.write_bytes(changed)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        whole += look(target)
        assert tracemalloc.get_traced_memory()[1] - before < 10 * max(len(changed), 250_000), (kind, seed, i)
    return whole


@pytest.fixture
def watched():
    tracemalloc.start()
    yield
    tracemalloc.stop()
    assert SEEN == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_damaged_files(files, large, tmp_path, watched, kind):
    path = (files if (files / kind).exists() else large) / kind
    assert 0 <= mutations(path, tmp_path, kind, seed=1, count=20) < 20


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_damaged_files(files, large, tmp_path, watched, kind):
    path = (files if (files / kind).exists() else large) / kind
    assert 5 < mutations(path, tmp_path, kind, seed=2, count=500) < 400


def test_the_watch_sees_what_is_run():
    WATCHING.append(True)
    exec("1")
    WATCHING.clear()
    assert {event for event, _ in SEEN} == {"compile", "exec"}
    SEEN.clear()
