"""Checkpoints that are whole or absent: each is a folder, written under another name, sealed with
check sums, then renamed.
"""

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import tensorflow as tf
from absl import logging

from errors import UserError, reason
from records import DamagedError, half_written, read_json, set_aside, sha256, write_text

_PREFIX = "state"
_SEAL = "seal.json"
_SEALS = ({"files": {str: str}, "facts": {str: str}}, {str: str})  # the second: of runs begun before there were facts


class Checkpoints:
    """The checkpoints of one phase in `folder`, at most `keep` of them; damaged ones, set aside, do
    not count.

    state: what to save, {name: Keras network, built Keras optimizer, or tf.Variable}. facts: of the
    checkpoint that was restored, {name: text}.
    """

    def __init__(self, folder: Path, state: dict[str, Any], *, keep: int = 3) -> None:
        self.folder, self.keep, self.facts = Path(folder), keep, {}
        variables = {name: _variables(item) for name, item in state.items()}
        self.variables = [v for item in variables.values() for v in (item if isinstance(item, list) else [item])]
        self._checkpoint = tf.train.Checkpoint(**variables)

    def path(self, step: int) -> Path:
        """Where the checkpoint of a step lies."""
        return self.folder / f"step-{step:09d}"

    def save(self, step: int, **facts: str) -> Path:
        """Write the state as `step-<step>` with these facts, remove the oldest beyond `keep`,
        return the path.

        Raises UserError when the disc is full or not writable.
        """
        target = self.path(step)
        temporary = half_written(target)
        try:
            remove_checkpoint(temporary)
            temporary.mkdir(parents=True)
            self._checkpoint.write(str(temporary / _PREFIX))
            _seal(temporary, facts)
            remove_checkpoint(target)
            os.replace(temporary, target)
        except (OSError, tf.errors.OpError) as error:
            remove_checkpoint(temporary)
            raise UserError(f"{target}: the checkpoint could not be written ({reason(error)})") from error
        for _, old in self._found()[: -self.keep]:
            if old != target:
                remove_checkpoint(old)
        return target

    def restore(self) -> int | None:
        """Restore the newest sound checkpoint and return its step; None where there is none yet.

        A damaged one is set aside with a warning, and the one before it is tried. Raises UserError
        when all are damaged, and when a sound one does not fit the networks.
        """
        for step, path in reversed(self._found()):
            try:
                self.facts = _sound_facts(path)
            except DamagedError as error:
                logging.warning("%s: damaged (%s); set aside as %s", path, error, set_aside(path).name)
                continue
            try:
                self._checkpoint.read(str(path / _PREFIX)).assert_consumed()
            except (AssertionError, ValueError, LookupError, TypeError, tf.errors.OpError) as error:
                raise UserError(
                    f"{path}: does not fit the networks of this run ({reason(error)}); start afresh with --new_run"
                ) from error
            return step
        damaged = sorted(self.folder.glob("step-*.damaged*"))
        if damaged:
            raise UserError(
                f"{damaged[-1]}: damaged, and no sound checkpoint is left; put one back, or begin again with --new_run"
            )
        return None

    def newest(self) -> Path | None:
        """Path of the newest checkpoint, or None."""
        found = self._found()
        return found[-1][1] if found else None

    def _found(self):
        """(step, path) of each finished checkpoint, oldest first."""
        paths = self.folder.glob("step-*") if self.folder.is_dir() else []
        return sorted((int(path.name[5:]), path) for path in paths if re.fullmatch(r"step-[0-9]{1,18}", path.name))


def _variables(item):
    """The tf.Variables of a network or optimizer, as a list.

    The lists are what is saved, not the objects: TensorFlow's checkpoints do not see layers that a
    Keras network holds in a Python list, and would leave them out without a word.
    """
    return item if isinstance(item, tf.Variable) else [variable.value for variable in item.variables]


def remove_checkpoint(folder: Path) -> None:
    """Remove the files of a checkpoint, and their folder where it then is empty.

    Neither follows nor removes a link.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    with suppress(OSError):
        for path in [*folder.glob(f"{_PREFIX}.*"), folder / _SEAL]:
            if path.is_file() and not path.is_symlink():
                path.unlink()
        folder.rmdir()


def _seal(folder, facts):
    sums = {path.name: sha256(path) for path in sorted(folder.iterdir())}
    write_text(folder / _SEAL, json.dumps({"files": sums, "facts": facts}))


def _sound_facts(folder):
    """The facts of a checkpoint.

    Raises DamagedError where it is not what was sealed, UserError where it may not be read.
    """
    try:
        seal = read_json(folder / _SEAL, _SEALS)
        sums = seal["files"] if isinstance(seal.get("files"), dict) else seal
        present = {path.name for path in folder.glob(f"{_PREFIX}.*")}
        differing = sorted(present ^ set(sums)) or [name for name in sums if sha256(folder / name) != sums[name]]
    except PermissionError as error:
        raise UserError(f"{error.filename}: cannot be read ({error.strerror})") from error
    except OSError as error:
        raise DamagedError(reason(error)) from error
    if differing or not sums:
        raise DamagedError(f"{differing[0] if differing else _SEAL} has changed since it was written")
    return seal["facts"] if sums is not seal else {}
