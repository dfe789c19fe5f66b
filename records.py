"""The small files that the program keeps for itself: written whole or not at all, read as if a
stranger had written them.

A schema says what a JSON file must hold: `str`, `float` (any number), `int` (whole, of 64 bits),
`None`, `[schema]` (a list), `{str: schema}` (any names), `{"a": schema, "b?": schema}` (these
names, "b" may be missing, others are left alone), or a tuple of schemas (one of them).
"""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from errors import UserError

_HALF_WRITTEN = re.compile(r"\.half-written-\d+\..+")


class DamagedError(UserError):
    """A file of our own that does not hold what we write there.

    The message names the file and the fault.
    """


def sha256(path: Path) -> str:
    """Check sum of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def read_text(path: Path) -> str:
    """The text of a file.

    Raises FileNotFoundError where there is none, DamagedError for what is no file or cannot be
    read, UserError where it may not be read.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait for ever
            raise DamagedError(f"{path}: not a file")
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        raise
    except PermissionError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except OSError as error:
        raise DamagedError(f"{path}: cannot be read ({error.strerror})") from error


def read_json(path: Path, schema: Any) -> Any:
    """What a JSON file holds.

    Raises as `read_text` does, and DamagedError where it does not fit the schema.
    """
    text = read_text(path)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path}: no JSON ({error})") from error
    fault = _fault(value, schema, "it")
    if fault:
        raise DamagedError(f"{path}: {fault}")
    return value


def _fault(value, schema, where):
    """What keeps `value` from fitting the schema, or None."""
    if isinstance(schema, tuple):
        faults = [_fault(value, one, where) for one in schema]
        return None if None in faults else faults[0]
    if isinstance(schema, list):
        if not isinstance(value, list):
            return f"{where} is no list"
        return next(filter(None, (_fault(item, schema[0], f"{where}[{i}]") for i, item in enumerate(value))), None)
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            return f"{where} is no object"
        if str in schema:
            wanted = dict.fromkeys(value, schema[str])
        else:
            missing = [name for name in schema if not name.endswith("?") and name not in value]
            if missing:
                return f"{missing[0]} is missing"
            wanted = {name.rstrip("?"): one for name, one in schema.items() if name.rstrip("?") in value}
        return next(filter(None, (_fault(value[name], one, name) for name, one in wanted.items())), None)
    return None if _is(value, schema) else f"{where} is {json.dumps(value)[:40]}"


def _is(value, kind):
    if kind is None:
        return value is None
    if kind is str:
        return isinstance(value, str)
    whole = isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    return whole or (kind is float and isinstance(value, float))


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all. Raises OSError where it cannot be written."""
    temporary = half_written(Path(path))
    try:
        with open(temporary, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def half_written(path: Path) -> Path:
    """Where this process writes `path` before it takes its place: beside it, hidden, with our mark
    and our process number.
    """
    return path.with_name(f".half-written-{os.getpid()}.{path.name}")


def is_half_written(path: Path) -> bool:
    """Whether the name is one of `half_written`'s, of any process."""
    return bool(_HALF_WRITTEN.fullmatch(path.name))


def set_aside(path: Path) -> Path:
    """Rename what is damaged to `<name>.damaged`, or `.damaged-2` and so on; nothing is deleted.

    Returns the new path.
    """
    aside, number = path.with_name(f"{path.name}.damaged"), 1
    while os.path.lexists(aside):
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{number}")
    try:
        os.rename(path, aside)
    except OSError as error:
        raise UserError(f"{path}: damaged, and cannot be set aside ({error.strerror})") from error
    return aside
