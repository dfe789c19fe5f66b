"""PyTorch's files, without PyTorch: the zip archive of today, and the chain of pickles of before
1.6 (.pth, .pt, .pth.tar).

Sources: torch/serialization.py of PyTorch, `_save` and `_legacy_save`.
"""

import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from errors import UserError, reason
from published.pickles import BFLOAT16, PickleError, Storage, View, read_pickle
from published.tensors import Tensor, widened

_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_BYTES_AN_INSTRUCTION = 16  # of a file with weights in it, at least
_FREE_INSTRUCTIONS = 20_000


def is_zip(head: bytes) -> bool:
    """Whether a file that begins so is a zip archive."""
    return head.startswith(b"PK\x03\x04")


def is_legacy(head: bytes) -> bool:
    """Whether a file that begins so is a pickle of protocol 2 or later."""
    return head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")


def read_zip(path: Path) -> Any:
    """What a zip archive of torch.save holds, as `published.pickles.read_pickle` gives it, with
    `Tensor` in the place of views.

    Raises UserError for a damaged archive, and for a pickle that wants to run something.
    """
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename.partition("/")[2]: entry for entry in archive.infolist()}
            _check_entries(path, entries, size)
            with archive.open(entries["data.pkl"]) as file:
                content = _told(path, read_pickle, file, most=_most(size))
            if "byteorder" in entries and archive.read(entries["byteorder"]).strip() != b"little":
                raise UserError(f"{path}: holds numbers of a big-endian machine; save it again on another one")
    except UserError:
        raise
    except Exception as error:  # of a damaged archive zipfile raises whatever it trips over
        raise UserError(f"{path}: damaged ({reason(error, 100)})") from error

    def read(storage: Storage) -> bytes:
        try:
            with zipfile.ZipFile(path) as archive:
                return archive.read(entries[f"data/{storage.key}"])
        except Exception as error:  # as above; the numbers have a check sum
            raise UserError(f"{path}: damaged ({reason(error, 100)})") from error

    stored = {
        name.removeprefix("data/"): entry.file_size for name, entry in entries.items() if name.startswith("data/")
    }
    return _with_tensors(path, content, stored, read)


def _check_entries(path, entries, size):
    """Raises UserError for an archive that is none of PyTorch's, or that would grow when it is
    unpacked.
    """
    if "data.pkl" not in entries:
        listed = ", ".join(sorted(entries)[:3])
        raise UserError(f"{path}: a zip archive, but none of PyTorch's: it holds {listed} and no data.pkl")
    if "constants.pkl" in entries:
        raise UserError(f"{path}: a TorchScript program; give the file of the network's state_dict() instead")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
        raise UserError(f"{path}: compressed, which PyTorch's files are not; unpack it and save it again")
    if sum(entry.file_size for entry in entries.values()) > size:
        raise UserError(f"{path}: damaged: claims to hold more bytes than it has")


def read_legacy(path: Path) -> Any:
    """The same of a file as PyTorch wrote it before 1.6: five pickles, then the numbers of one
    storage after the other.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        pickles = _Bounded(file, size)
        magic, protocol, system, content, keys = (_told(path, read_pickle, pickles, most=_most(size)) for _ in range(5))
        if magic != _MAGIC or protocol != _LEGACY_PROTOCOL:
            raise UserError(f"{path}: a pickle, but not one that torch.save wrote")
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise UserError(f"{path}: holds numbers of a big-endian machine; save it again on another one")
        storages = {view.storage.key: view.storage for view in _views(content)}
        places, stored = _places(path, file, keys, storages, size)

    def read(storage: Storage) -> bytes:
        with path.open("rb") as again:
            again.seek(places[storage.key])
            return again.read(stored[storage.key])

    return _with_tensors(path, content, stored, read)


class _Bounded:
    """A file that is asked for no more than it has: Python makes room for all that it is asked for,
    and then reads.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size
        self.readline, self.tell = file.readline, file.tell

    def read(self, count: int) -> bytes:
        return self._file.read(max(0, min(count, self._size - self._file.tell())))


def _places(path: Path, file: BinaryIO, keys: Any, storages: dict[str, Storage], size: int):
    """Where in the file each storage begins, and its bytes: {key: number} twice."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise UserError(f"{path}: damaged: the list of its storages is none")
    places, stored, at = {}, {}, file.tell()
    for key in keys:
        file.seek(at)
        length = int.from_bytes(file.read(8), "little")
        if key not in storages:
            raise UserError(f"{path}: damaged: the storage {ascii(key)[:50]} belongs to no tensor")
        places[key], stored[key] = at + 8, length * _bytes(storages[key])
        at += 8 + stored[key]
        if at > size:
            raise UserError(f"{path}: cut off: {at - size:,} bytes of its numbers are missing")
    return places, stored


def _most(size):
    return _FREE_INSTRUCTIONS + size // _BYTES_AN_INSTRUCTION


def _told(path, function, *arguments, **named):
    """`function(…)`, its PickleError with the file's name."""
    try:
        return function(*arguments, **named)
    except PickleError as error:
        raise UserError(f"{path}: {error}") from error


def _bytes(storage):
    """Of one number."""
    return 2 if storage.kind == BFLOAT16 else storage.kind.itemsize


def _views(content):
    """All views in dictionaries, lists and tuples, however deep, each container looked into
    once.
    """
    waiting, seen = [content], set()
    while waiting:
        item = waiting.pop()
        if isinstance(item, View):
            yield item
        elif isinstance(item, (dict, list, tuple)) and id(item) not in seen:
            seen.add(id(item))
            waiting += item.values() if isinstance(item, dict) else item


def _with_tensors(path, content, stored, read):
    """Put a `Tensor` for each view, in place.

    Raises UserError where a storage is missing or has another size.
    """
    for storage in {view.storage for view in _views(content)}:
        if storage.key not in stored:
            raise UserError(f"{path}: damaged: the numbers of storage {ascii(storage.key)[:50]} are missing")
        if stored[storage.key] != storage.length * _bytes(storage):
            raise UserError(
                f"{path}: damaged: storage {ascii(storage.key)[:50]} has {stored[storage.key]:,} bytes, "
                f"not the {storage.length * _bytes(storage):,} of its {storage.length:,} numbers"
            )

    def tensor(view: View) -> Tensor:
        return Tensor(shape=view.shape, kind=str(view.storage.kind), read=lambda: _numbers(view, read(view.storage)))

    waiting, seen = [content], set()
    while waiting:
        item = waiting.pop()
        if not isinstance(item, (dict, list)) or id(item) in seen:
            continue
        seen.add(id(item))
        for key, value in list(item.items() if isinstance(item, dict) else enumerate(item)):
            if isinstance(value, View):
                item[key] = tensor(value)
            else:
                waiting.append(value)
    return content


def _numbers(view, content):
    """The tensor's numbers; bfloat16 as float32."""
    kind = np.dtype("<u2") if view.storage.kind == BFLOAT16 else view.storage.kind
    flat = np.frombuffer(content, kind, count=view.storage.length)[view.offset :]
    strides = [stride * kind.itemsize for stride in view.strides]
    values = np.lib.stride_tricks.as_strided(flat, view.shape, strides, writeable=False)
    return widened(values) if view.storage.kind == BFLOAT16 else values
