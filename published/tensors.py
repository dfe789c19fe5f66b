"""A tensor of a file, read when it is wanted; and the files that hold nothing else, safetensors.

Source: the format's description in the README of github.com/huggingface/safetensors.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from errors import UserError, reason

_KINDS = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
_FREE_HEADER = 100_000  # bytes; beyond it a header may be a quarter of the file


@dataclass(frozen=True)
class Tensor:
    """shape, and kind as a name ("float32", "bfloat16"). read(): the numbers, as an array of that
    shape.
    """

    shape: tuple[int, ...]
    kind: str
    read: Callable[[], np.ndarray] = field(repr=False)

    @property
    def size(self) -> int:
        """How many numbers."""
        return math.prod(self.shape)


def widened(upper_halves: np.ndarray) -> np.ndarray:
    """bfloat16, given as uint16, to float32: it is the upper half of one."""
    return (upper_halves.astype(np.uint32) << 16).view(np.float32)


def is_safetensors(head: bytes) -> bool:
    """Whether a file that begins so may be one of safetensors: the length of a header, then
    JSON.
    """
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**40


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """{name: Tensor} of a .safetensors file.

    Raises UserError where its header is damaged or claims more than the file has.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(size - 8, max(_FREE_HEADER, size // 4)):
            raise UserError(f"{path}: damaged: its header claims {length:,} bytes")
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}: damaged: its header cannot be read ({reason(error, 100)})") from error
    begin, tensors, held = 8 + length, {}, 0
    for name, entry in header.items():
        if name != "__metadata__":
            tensors[name] = _tensor(path, name, entry, begin=begin, size=size)
            held += _KINDS[entry["dtype"]].itemsize * tensors[name].size
    if held > size:
        raise UserError(f"{path}: damaged: claims {held:,} bytes of tensors, more than it has")
    return tensors


def _tensor(path: Path, name: str, entry: Any, *, begin: int, size: int) -> Tensor:
    entry = entry if isinstance(entry, dict) else {}
    kind, shape, place = _KINDS.get(str(entry.get("dtype"))), entry.get("shape"), entry.get("data_offsets")
    if kind is None:
        raise UserError(
            f"{path}: {ascii(name)[:80]} holds numbers of type {ascii(entry.get('dtype'))[:20]}, not read here"
        )
    if not _naturals(shape) or not _naturals(place) or len(place) != 2 or len(shape) > 8:
        raise UserError(f"{path}: damaged: {ascii(name)[:80]} has no shape or no place")
    first, last = place
    if last - first != math.prod(shape) * kind.itemsize or begin + last > size:
        raise UserError(f"{path}: damaged: {ascii(name)[:80]} of shape {shape} does not fit its place in the file")

    def read() -> np.ndarray:
        with path.open("rb") as file:
            file.seek(begin + first)
            values = np.frombuffer(file.read(last - first), kind).reshape(shape)
        return widened(values) if entry["dtype"] == "BF16" else values

    return Tensor(tuple(shape), "bfloat16" if entry["dtype"] == "BF16" else kind.name, read)


def _naturals(values):
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**48 for value in values)
