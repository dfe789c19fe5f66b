"""What a run leaves behind: one folder with its flags, checkpoints, logs, weights and report.

config.txt                     every flag; `--flagfile=<run>/config.txt` runs it again
checkpoints/<phase>/step-…     all that exact resume needs
checkpoints/<phase>/done.json  summary of a finished phase, and the check sum of what it kept
logs/                          TensorBoard
<role>.weights.h5              the result so far: best (or last, where no metric ranks) averaged weights of the latest phase
<role>.<phase>.weights.h5      the same for each phase of its own
discriminator.weights.h5       of a teacher with a GAN phase: its critic, for `transfer.adversarial`
last.weights.h5                the averaged weights of the last validation
report.json                    final metrics, time, command, data set, seed
.lock                          held by the process that trains here; a dead one does not hold it
"""

import json
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

import filelock

from errors import UserError
from training.checkpoints import sha256


class RunFolder:
    """The folder of one run. role: "teacher" or "student", the stem of its weight files."""

    def __init__(self, path, *, role):
        self.path, self.role = Path(path), role
        self._lock = filelock.FileLock(self.path / ".lock")
        self._missing = self._before = self._aside = None
        self._fresh = False

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """Give up the lock. A run that failed before its first update leaves nothing behind; one that --new_run moved aside comes back."""
        if kind is not None and self._fresh:
            self._undo()
        self.close()

    def open(self, config, *, fixed, defaults=None, new_run=False):
        """Create the folder, take its lock and write config.txt, or go on with the run that is there.

        config: {flag: value as text}. fixed: the flags that give a run its meaning; when one of them differs from the run that is there, it is
        refused with a UserError that lists the differences. defaults: what flags have that the run was begun before. new_run moves the run
        that is there aside first.
        The lock is held until the process ends, or `close`. What a killed process had half written is removed.
        Returns the flags that changed without changing the meaning, as {flag: (before, now)}.
        """
        missing = [path for path in (self.path, *self.path.parents) if not path.exists()]
        before = set(self.path.glob("*"))
        self._take_lock()
        begun = self.config_path.exists() and self.path.joinpath("checkpoints").exists()
        if new_run and self.config_path.exists():
            self._move_aside()
            self._take_lock()
            missing, before, begun = [self.path], set(), False
        self._missing, self._before, self._fresh = missing, before, not begun
        self._clean()
        old = {**(defaults or {}), **read_config(self.config_path)} if begun else config
        changed = {
            name: (old.get(name), config.get(name))
            for name in sorted({*old, *config})
            if old.get(name) != config.get(name)
        }
        broken = {name: change for name, change in changed.items() if name in fixed}
        if broken:
            differences = ", ".join(f"--{name} was {was}, is {now}" for name, (was, now) in broken.items())
            raise UserError(
                f"{self.path}: holds a run of another kind ({differences}); choose another --run_dir, or --new_run to move the old one aside"
            )
        self._write(self.config_path, "".join(f"--{name}={value}\n" for name, value in config.items()))
        return changed

    def _move_aside(self):
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.old-{number}")).exists():
            number += 1
        self._lock.release()  # the file goes with the folder
        os.replace(self.path, aside)
        self._aside = aside

    def settle(self):
        """The first update is done: from now on the run stays, whatever happens."""
        self._fresh = False

    def _undo(self):
        for path in set(self.path.iterdir()) - self._before:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in self._missing:
            with suppress(OSError):  # another run has come into a parent meanwhile
                path.rmdir()
        if self._aside is not None:
            os.replace(self._aside, self.path)

    def _take_lock(self):
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise UserError(
                f"--run_dir={self.path}: another process is training there; wait for it, stop it, or choose another --run_dir"
            ) from error
        except OSError as error:
            raise UserError(f"--run_dir={self.path}: cannot be written ({error.strerror})") from error

    def _clean(self):
        for path in [*self.path.glob(".*"), *self.path.glob("checkpoints/*/.*")]:
            if re.fullmatch(r"\..+\.\d+(\.weights\.h5)?", path.name):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def close(self):
        """Give up the lock."""
        self._lock.release()

    @property
    def config_path(self):
        return self.path / "config.txt"

    @property
    def logs(self):
        return self.path / "logs"

    @property
    def weights(self):
        """The result of the run."""
        return self.path / f"{self.role}.weights.h5"

    @property
    def last_weights(self):
        return self.path / "last.weights.h5"

    def phase_weights(self, phase):
        return self.path / f"{self.role}.{phase}.weights.h5"

    def beside_weights(self, name):
        """The file of a network that a phase saves beside its result."""
        return self.path / f"{name}.weights.h5"

    def checkpoints(self, phase):
        return self.path / "checkpoints" / phase

    def begun(self, phase):
        """Whether that phase has a checkpoint."""
        return any(self.checkpoints(phase).glob("step-*"))

    def finish(self, phase, summary):
        """Remember that a phase is done: a dict of JSON values with its "steps"."""
        self._write(
            self._done(phase), json.dumps({**summary, "weights_sha256": sha256(self.phase_weights(phase))}, indent=2)
        )

    def finished(self, phase, *, steps, begun_after):
        """The summary of a phase that is done, or None where it has yet to run.

        begun_after: later phases that have begun from its result. Raises UserError when these are now to stand on another number of steps.
        """
        try:
            summary = json.loads(self._done(phase).read_text())
        except FileNotFoundError:
            summary = {"steps": None}
        except (OSError, ValueError) as error:
            raise UserError(f"{self._done(phase)}: damaged ({error}); begin again with --new_run") from error
        if summary["steps"] == steps:
            summary.pop("weights_sha256")
            return summary
        if begun_after:
            raise UserError(
                f"{self.path}: phase {begun_after[0]} has begun from phase {phase} at {summary['steps']} steps, which is now to have {steps}; "
                "put the steps back, or begin again with --new_run"
            )
        return None

    def sound_phase_weights(self, phase):
        """The weight file of a finished phase. Raises UserError when it is gone or not what was written."""
        path = self.phase_weights(phase)
        expected = json.loads(self._done(phase).read_text())["weights_sha256"]
        if not path.is_file() or sha256(path) != expected:
            fault = "has changed since the phase wrote it" if path.is_file() else "is gone"
            raise UserError(f"{path}: {fault}; put the file back, or begin again with --new_run")
        if not self.weights.exists():
            shutil.copyfile(path, self.weights)
        return path

    def _done(self, phase):
        return self.checkpoints(phase) / "done.json"

    def write_report(self, report):
        """Write report.json: a dict of JSON values."""
        self._write(self.path / "report.json", json.dumps(report, indent=2) + "\n")

    def _write(self, path, text):
        try:
            write_text(path, text)
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror})") from error


def read_config(path):
    """{flag: value as text} of a config.txt."""
    lines = (line for line in Path(path).read_text().splitlines() if line.startswith("--"))
    return dict(line[2:].partition("=")[::2] for line in lines)


def write_text(path, text):
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    os.replace(temporary, path)
