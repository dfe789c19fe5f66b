"""data/mapped_file.py: folders of pixels, built once, checked once a run and read through memory
maps.

A build is written under a temporary name and renamed when complete. index.json describes the files
and holds their CRC-32.
"""

import json
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging
from tqdm import tqdm

from errors import UserError
from records import DamagedError, read_json, write_text

INDEX = "index.json"
_CHUNK = 1 << 24
_checked = set()  # (path, inode, size, time of change) of what this process has read once


class MappedFile:
    """values: all that the file holds, a read-only 1-D array on a memory map; nothing is copied
    into memory.

    A deleted file can be read to the end of the program. One that is cut short cannot: a read
    beyond its new end kills the process, so ask `holds` before. Raises OSError where the file
    cannot be opened, ValueError where it has not `length` values.
    """

    def __init__(self, path: str | Path, *, dtype: Any, length: int) -> None:
        self._file = open(path, "rb")  # noqa: SIM115  as long as the map is used
        size, expected = os.fstat(self._file.fileno()).st_size, length * np.dtype(dtype).itemsize
        if size != expected:
            raise ValueError(f"{Path(path).name} has {size} bytes instead of {expected}")
        # Viewed as a plain array (still on the map): slicing np.memmap itself costs several
        # microseconds.
        self.values = np.memmap(self._file, dtype, mode="r", shape=(length,)).view(np.ndarray)

    def holds(self, end: int) -> bool:
        """Whether the first `end` values are still there."""
        return os.fstat(self._file.fileno()).st_size >= end * self.values.itemsize


class _Output:
    """A file that is being written, and the CRC-32 of what was written."""

    def __init__(self, path):
        self._file, self.crc = open(path, "wb"), 0  # noqa: SIM115  closed by `close`

    def write(self, array: np.ndarray) -> None:
        data = np.ascontiguousarray(array).data
        self.crc = zlib.crc32(data, self.crc)
        self._file.write(data)

    def close(self):
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


def open_folder(
    folder: Path,
    *,
    files: tuple[str, ...],
    dtype: Any,
    schema: dict,
    lengths: Callable[[dict], list[int]],
    write: Callable[..., dict],
    what: str,
) -> tuple[dict, list[MappedFile]]:
    """The index and the mapped files of a folder in the cache: built at the first call, reopened
    afterwards.

    Where it is incomplete or damaged it is built again, with a warning. The check sums of the files
    are compared once in a process.
    schema: of the index, as in `records`. lengths: `f(index)`, values in each of the files; raises
    ValueError for an index that is no sound one.
    write: `f(*outputs)` gives each file's `write` the arrays and returns the index. what: what is
    in them, for messages.

    Raises UserError where the cache cannot be written, is full or fails to keep what was written,
    and whatever `write` raises.
    """

    def opened():
        index = read_json(folder / INDEX, {**schema, "crc32?": {str: int}})
        maps = [
            MappedFile(folder / name, dtype=dtype, length=length)
            for name, length in zip(files, lengths(index), strict=True)
        ]
        _check(folder, index, files)
        return index, maps

    faulty = folder.is_dir()
    try:
        return opened()
    except PermissionError as error:
        raise UserError(f"{folder}: the {what} cannot be read ({error.strerror})") from error
    except (OSError, ValueError, DamagedError) as error:
        if faulty:
            logging.warning("%s: the %s are incomplete or damaged (%s); making them again", folder, what, error)
    _build(folder, files, write, faulty=faulty, what=what)
    try:
        return opened()
    except (OSError, ValueError, DamagedError) as error:
        raise UserError(f"{folder}: the {what} are damaged as soon as written ({error}); delete that folder") from error


def _build(folder, files, write, *, faulty, what):
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".building-{folder.name[:20]}-", dir=folder.parent))
        temporary.chmod(0o755)  # mkdtemp makes it private; a cache may be shared
        outputs = [_Output(temporary / name) for name in files]
        try:
            index = write(*outputs)
        finally:
            for output in outputs:
                output.close()
        _write_index(temporary, index, {name: output.crc for name, output in zip(files, outputs, strict=True)})
        _publish(temporary, folder, files, faulty=faulty)
    except OSError as error:
        raise UserError(
            f"{folder.parent}: cannot keep the {what} there ({error.strerror or error}); make room or choose another cache folder"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _publish(temporary, folder, files, *, faulty):
    try:
        os.rename(temporary, folder)
    except OSError:
        if not folder.is_dir():
            raise
        if (folder / INDEX).is_file() and not faulty:
            logging.info("%s: another process has built it meanwhile", folder)
            return
        for name in [*files, INDEX]:  # one by one: whatever else lies there stays
            os.replace(temporary / name, folder / name)


def _check(folder, index, files):
    """Compare the check sums, once in a process.

    A folder without any, of an earlier version, gets them.
    """
    sums = {}
    for name in files:
        path = folder / name
        status = path.stat()
        known = (str(path.resolve()), status.st_ino, status.st_size, status.st_mtime_ns)
        if "crc32" in index and known in _checked:
            continue
        sums[name] = _crc32(path)
        if "crc32" in index and sums[name] != index["crc32"].get(name):
            raise ValueError(f"{name} is not what was written there")
        _checked.add(known)
    if "crc32" not in index:
        try:
            _write_index(folder, index, sums)
        except OSError as error:
            logging.info("%s: cannot be given check sums (%s)", folder, error.strerror)
    elif index["crc32"].get(INDEX) != _crc32_of_index(index):
        raise ValueError(f"{INDEX} is not what was written there")


def _write_index(folder, index, sums):
    write_text(folder / INDEX, json.dumps({**index, "crc32": {**sums, INDEX: _crc32_of_index(index)}}))


def _crc32_of_index(index):
    described = {name: value for name, value in index.items() if name != "crc32"}
    return zlib.crc32(json.dumps(described, sort_keys=True).encode())


def _crc32(path):
    total, size = 0, path.stat().st_size
    quiet = not sys.stderr.isatty()
    with (
        open(path, "rb", buffering=0) as file,
        tqdm(total=size, desc=f"checking {path.name}", unit="B", unit_scale=True, delay=2, disable=quiet) as bar,
    ):
        buffer = memoryview(bytearray(_CHUNK))
        while count := file.readinto(buffer):
            total = zlib.crc32(buffer[:count], total)
            bar.update(count)
    return total
