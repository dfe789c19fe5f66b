"""Checkpoints that are whole or absent: each is a folder, written under another name, sealed with check sums, then renamed."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import tensorflow as tf
from absl import logging

from errors import UserError

_PREFIX = "state"
_SEAL = "seal.json"


class Checkpoints:
    """The checkpoints of one phase in `folder`, at most `keep` of them.

    state: what to save, {name: Keras network, built Keras optimizer, or tf.Variable}.
    """

    def __init__(self, folder, state, *, keep=3):
        self.folder, self.keep = Path(folder), keep
        variables = {name: _variables(item) for name, item in state.items()}
        self.variables = [v for item in variables.values() for v in (item if isinstance(item, list) else [item])]
        self._checkpoint = tf.train.Checkpoint(**variables)

    def save(self, step):
        """Write the state as `step-<step>` and remove the oldest beyond `keep`. Raises UserError when the disc is full or not writable."""
        target = self.folder / f"step-{step:09d}"
        temporary = self.folder / f".{target.name}.{os.getpid()}"
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            self._checkpoint.write(str(temporary / _PREFIX))
            _seal(temporary)
            shutil.rmtree(target, ignore_errors=True)
            os.replace(temporary, target)
        except (OSError, tf.errors.OpError) as error:
            shutil.rmtree(temporary, ignore_errors=True)
            raise UserError(f"{target}: the checkpoint could not be written ({_first_line(error)})") from error
        for _, old in self._found()[: -self.keep]:
            shutil.rmtree(old, ignore_errors=True)

    def restore(self):
        """Restore the newest sound checkpoint and return its step; None where there is none.

        A damaged one is named in a warning, and the one before it is tried. Raises UserError when a sound one does not fit the networks.
        """
        for step, path in reversed(self._found()):
            flaw = _flaw(path)
            if flaw:
                logging.warning("%s: damaged (%s); trying the one before it", path, flaw)
                continue
            try:
                self._checkpoint.read(str(path / _PREFIX)).assert_consumed()
            except (AssertionError, ValueError, tf.errors.OpError) as error:
                raise UserError(
                    f"{path}: does not fit the networks of this run ({_first_line(error)}); start afresh with --new_run"
                ) from error
            return step
        return None

    def newest(self):
        """Path of the newest checkpoint, or None."""
        found = self._found()
        return found[-1][1] if found else None

    def _found(self):
        """(step, path) of each finished checkpoint, oldest first."""
        paths = self.folder.glob("step-*") if self.folder.is_dir() else []
        return sorted((int(path.name[5:]), path) for path in paths if re.fullmatch(r"step-\d+", path.name))


def _variables(item):
    """The tf.Variables of a network or optimizer, as a list.

    The lists are what is saved, not the objects: TensorFlow's checkpoints do not see layers that a Keras network holds in a Python list, and would
    leave them out without a word.
    """
    return item if isinstance(item, tf.Variable) else [variable.value for variable in item.variables]


def _seal(folder):
    sums = {path.name: sha256(path) for path in sorted(folder.iterdir())}
    with open(folder / _SEAL, "w") as file:
        json.dump(sums, file)
        file.flush()
        os.fsync(file.fileno())


def _flaw(folder):
    """What is wrong with a checkpoint folder, or None."""
    try:
        sums = json.loads((folder / _SEAL).read_text())
        wrong = [name for name, expected in sums.items() if sha256(folder / name) != expected]
    except (OSError, ValueError) as error:
        return _first_line(error)
    return f"{wrong[0]} has changed since it was written" if wrong else None


def sha256(path):
    """Check sum of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _first_line(error):
    return str(error).strip().split("\n")[0][:200] or type(error).__name__
