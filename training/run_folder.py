"""What a run leaves behind: one folder with its flags, checkpoints, logs, weights and report.

config.txt                     every flag; `--flagfile=<run>/config.txt` runs it again; comments say what changed, and when
checkpoints/<phase>/step-…     all that exact resume needs; `step-….damaged` is one that was set aside
checkpoints/<phase>/done.json  summary of a finished phase, and the check sum of what it kept
teacher.json                   of a student: the weight file it learns from, and its check sum
logs/                          TensorBoard
<role>.weights.h5              the result so far: best (or last, where no metric ranks) averaged weights of the latest phase
<role>.<phase>.weights.h5      the same for each phase of its own; teacher.content.weights.h5 is a side branch of the pixel phase
discriminator.weights.h5       of a teacher with a GAN phase: its critic, for `transfer.adversarial`
last.weights.h5                the averaged weights of the last validation
report.json                    final metrics, time, command, data set, seed; `history` and `earlier` where the run went on later
.lock                          held by the process that trains here; a dead one does not hold it
"""

import json
import os
import re
import shutil
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import filelock
from absl import logging

from errors import UserError
from records import DamagedError, half_written, is_half_written, read_json, read_text, set_aside, sha256, write_text
from runs import CONFIG, DONE, LAST, REPORT, read_config, read_history, read_report, result_name
from training.checkpoints import remove_checkpoint

_EARLIER = ("command", "finished", "seconds_this_time", "commit", "phases")  # of a report, kept by the next one


class RunFolder:
    """The folder of one run. role: "teacher" or "student", the stem of its weight files.

    `open` claims it and writes nothing; `begin` lets the run write; `settle` says that the first
    update is done. A run that fails before that deletes only the files and folders that it made
    itself, which it keeps a list of.
    """

    def __init__(self, path: str | Path, *, role: str) -> None:
        self.path, self.role = Path(path), role
        self._lock = filelock.FileLock(self.path / ".lock")
        self._config, self._changed, self._aside, self._text_before = None, {}, None, None
        self._teacher = None
        self._fresh = self._replaces = False
        self._created, self._curves_before = [], None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """Give up the lock.

        A run that failed before its first update leaves what was there before it.
        """
        if kind is not None and self._fresh:
            self._undo()
        self.close()

    def open(
        self,
        config: dict[str, str],
        *,
        fixed: Collection[str],
        defaults: dict[str, str] | None = None,
        new_run: bool = False,
        teacher: Path | None = None,
    ) -> dict[str, tuple[str | None, str | None]]:
        """Take the lock of the folder, which is made, and compare the run that is there with this
        one. Nothing else is written.

        config: {flag: value as text}. fixed: the flags that give a run its meaning; when one of
        them differs from the run that is there, it is refused with a UserError that lists the
        differences. defaults: of flags that did not exist when the run began. new_run: `begin`
        moves the run that is there aside. teacher: the weight file that the run learns from; a run
        that has learned from another one so far is refused with a UserError. The lock is held until
        the process ends, or `close`.
        Returns the flags that changed without changing the meaning, as {flag: (before, now)}.
        """
        broken = [name for name, value in config.items() if "\n" in value or "\r" in value]
        if broken:
            raise UserError(f"--{broken[0]}={config[broken[0]]!r}: config.txt cannot hold a line break; rename it")
        self._fresh, self._created = True, []
        try:
            self._take_lock()
            self._teacher = teacher and _identity(teacher)
            return self._compare(config, fixed=fixed, defaults=defaults, new_run=new_run)
        except BaseException:
            self.__exit__(UserError)
            raise

    def _compare(self, config, *, fixed, defaults, new_run):
        there = [path for path in self._results() if os.path.lexists(path)]
        self._config, self._changed = config, {}
        self._replaces = new_run and bool(there or self.config_path.exists())
        if self._replaces:
            return {}
        begun = self.config_path.exists() and self.path.joinpath("checkpoints").exists()
        if there and not self.config_path.exists():
            raise UserError(
                f"{there[0]}: lies there without a config.txt, so it is not known whose it is; choose another --run_dir, "
                "or --new_run to move the folder aside"
            )
        try:
            old = {**(defaults or {}), **read_config(self.config_path)} if self.config_path.exists() else config
        except DamagedError as error:
            raise UserError(
                f"{error}; put it back, choose another --run_dir, or --new_run to move all aside"
            ) from error
        if not begun:
            self._name_earlier()
            return {}
        self._fresh = False
        names = sorted({*old, *config})
        changed = {name: (old.get(name), config.get(name)) for name in names if old.get(name) != config.get(name)}
        same_teacher = self._refuse_other_teacher()
        broken = {
            name: change
            for name, change in changed.items()
            if name in fixed and not (name == "teacher" and same_teacher)
        }
        if broken:
            differences = ", ".join(f"--{name} was {was}, is {now}" for name, (was, now) in broken.items())
            raise UserError(
                f"{self.path}: holds a run of another kind ({differences}); choose another --run_dir, or --new_run to move the old one aside"
            )
        self._changed = changed
        return changed

    def _refuse_other_teacher(self):
        """One run, one teacher: which file --teacher stands for depends on the phases that it has
        by then. Returns whether it is known to be the same, by whatever name.
        """
        now = self._teacher
        try:
            before = read_json(self._teacher_path, {"file": str, "sha256": str})
        except (FileNotFoundError, DamagedError):  # runs of older code have none
            return False
        if now is None or before["sha256"] == now["sha256"]:
            return now is not None
        known = f"{self.path}: has learned from {before['file']}"
        if before["file"] == now["file"]:
            raise UserError(f"{known}, which has changed since; put it back, or --new_run to move the old run aside")
        raise UserError(
            f"{known}, and would now learn from {now['file']}; --teacher={before['file']} goes on with that one, "
            "--new_run moves the old run aside"
        )

    def _results(self):
        """What a run leaves here beside config.txt."""
        return [
            *(self.weights, self.last_weights, self._report, self._teacher_path, self.beside_weights("discriminator")),
            *self.path.glob(f"{self.role}.*.weights.h5"),
            *self.path.glob("checkpoints/*/step-*"),
        ]

    def _name_earlier(self):
        """--new_run may have been killed between moving the old run aside and its own first
        file.
        """
        if not self.config_path.exists():
            name = re.escape(self.path.name)
            for aside in self.path.parent.glob("*.old-*"):
                if re.fullmatch(rf"{name}\.old-\d+", aside.name):
                    logging.info("%s: holds no run; %s holds an earlier one", self.path, aside)

    def begin(self) -> None:
        """From now on the run may write here: move aside what --new_run replaces, else remove what
        a killed process had half written.
        """
        if self._config is None:
            return
        if self._replaces:
            self._move_aside()
        for path in [*self.path.glob(".*"), *self.path.glob("checkpoints/*/.*")]:
            if is_half_written(path) and not path.is_symlink():
                remove_checkpoint(path) if path.is_dir() else path.unlink()
        if self._fresh:
            self._curves_before = set(self._curves())
            self._text_before = read_text(self.config_path) if self.config_path.exists() else None
            self.writes(self.logs)
            lines = [f"# begun with --new_run; the run before lies in {self._aside}"] if self._aside else []
            self._write_config(lines)
        if self._teacher:
            self._write(self._teacher_path, json.dumps(self._teacher))

    def _move_aside(self):
        number, path = 1, Path(os.path.abspath(self.path))
        if Path.cwd().is_relative_to(path):
            raise UserError(
                f"--run_dir={self.path}: --new_run cannot move the current folder aside; start it elsewhere"
            )
        try:
            while os.path.lexists(aside := path.with_name(f"{path.name}.old-{number}")):
                number += 1
            os.rename(path, aside)
        except OSError as error:
            raise UserError(
                f"--run_dir={self.path}: --new_run cannot move it to {path.name}.old-{number} ({error.strerror}); choose another --run_dir"
            ) from error
        held, self._lock = self._lock, filelock.FileLock(self.path / ".lock")
        self._aside, self._replaces, self._created = aside, False, []
        self._take_lock()
        held.release(force=True)  # of the folder that was moved

    def writes(self, path: Path) -> Path:
        """Note, before its first update, that the run is about to make `path`, if it is not there.

        Returns the path.
        """
        if self._fresh:
            for part in [*reversed(path.parents), path]:
                if not os.path.lexists(part):
                    self._created.append(part)
        return path

    def settle(self, moment: str) -> None:
        """An update is done: from now on the run stays, whatever happens, and config.txt tells of
        flags that have changed.

        moment: of the update, such as "pixel step 401".
        """
        self._fresh = False
        if self._changed:
            time = datetime.now(timezone.utc).isoformat(timespec="seconds")
            changes = ", ".join(f"--{name} was {was}, is {now}" for name, (was, now) in self._changed.items())
            self._write_config([*read_history(self.config_path), f"# from {moment} on ({time}): {changes}"])
            self._changed = {}

    def _write_config(self, comments):
        flags = [f"--{name}={value}" for name, value in self._config.items()]
        self._write(self.config_path, "".join(f"{line}\n" for line in [*flags, *comments]))

    def _undo(self):
        """Take back what this run has made, never what is a link or holds something else, and put
        the old run back.
        """
        if self._text_before is not None:
            with suppress(OSError):
                write_text(self.config_path, self._text_before)
        if self._curves_before is not None:
            self._created += sorted(set(self._curves()) - self._curves_before)
        for path in reversed(self._created):
            with suppress(OSError):
                if path.is_symlink():
                    continue
                if path.name.startswith("step-"):
                    remove_checkpoint(path)
                elif path.is_dir():
                    path.rmdir()
                else:
                    path.unlink()
        if self._aside is not None:
            try:
                os.rename(self._aside, self.path)
            except OSError:
                logging.warning("%s: not empty, so the run before stays in %s", self.path, self._aside)

    def _curves(self):
        """TensorBoard's files of this process."""
        return self.logs.glob(f"events.out.tfevents.*.{os.getpid()}.*")

    def _take_lock(self):
        try:
            self.writes(self.path).mkdir(parents=True, exist_ok=True)
            lock = self.writes(self.path / ".lock")
            if lock.is_symlink():
                raise UserError(f"{lock}: a link; remove it, or choose another --run_dir")
            self._lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise UserError(
                f"--run_dir={self.path}: another process is training there; wait for it, stop it, or choose another --run_dir"
            ) from error
        except OSError as error:
            raise UserError(f"--run_dir={self.path}: cannot be written ({error.strerror})") from error

    def close(self) -> None:
        """Give up the lock."""
        self._lock.release(force=True)

    @property
    def flags(self) -> dict[str, str]:
        """{flag: value as text} of the run that `open` was given; empty before."""
        return self._config or {}

    @property
    def config_path(self) -> Path:
        return self.path / CONFIG

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def weights(self) -> Path:
        """The result of the run."""
        return self.path / result_name(self.role)

    @property
    def last_weights(self) -> Path:
        return self.path / LAST

    def phase_weights(self, phase: str) -> Path:
        return self.path / result_name(self.role, phase)

    def beside_weights(self, name: str) -> Path:
        """The file of a network that a phase saves beside its result."""
        return self.path / result_name(name)

    def checkpoints(self, phase: str) -> Path:
        return self.path / "checkpoints" / phase

    @property
    def _report(self):
        return self.path / REPORT

    def begun(self, phase: str) -> bool:
        """Whether that phase has a checkpoint."""
        return any(self.checkpoints(phase).glob("step-*"))

    def finish(self, phase: str, summary: dict[str, Any]) -> None:
        """Remember that a phase is done: a dict of JSON values with its "steps"."""
        done = {**summary, "weights_sha256": sha256(self.phase_weights(phase))}
        self._write(self._done(phase), json.dumps(done, indent=2))

    def finished(self, phase: str, *, steps: int, begun_after: Sequence[str]) -> dict[str, Any] | None:
        """The summary of a phase that is done, or None where it has yet to run.

        begun_after: later phases that have begun from its result. Raises UserError when these are
        now to stand on another number of steps.
        """
        try:
            summary = read_json(self._done(phase), DONE)
        except FileNotFoundError:
            summary = {"steps": None}
        except DamagedError as error:
            if begun_after:
                raise UserError(
                    f"{error}; phase {begun_after[0]} stands on it: put the file back, or begin again with --new_run"
                ) from error
            aside = set_aside(self._done(phase))
            logging.warning("%s; set aside as %s, the phase ends again from its last checkpoint", error, aside.name)
            return None
        if summary["steps"] == steps:
            summary.pop("weights_sha256")
            return summary
        if begun_after:
            raise UserError(
                f"{self.path}: phase {begun_after[0]} has begun from phase {phase} at {summary['steps']} steps, which is now to have {steps}; "
                "put the steps back, or begin again with --new_run"
            )
        return None

    def sound_phase_weights(self, phase: str, *, result: bool = False) -> Path:
        """The weight file of a finished phase.

        Raises UserError when it is gone or not what was written.

        result: put back the result of the run from it, where that is gone.
        """
        path = self.phase_weights(phase)
        expected = read_json(self._done(phase), DONE)["weights_sha256"]
        if not path.is_file() or sha256(path) != expected:
            fault = "has changed since the phase wrote it" if path.is_file() else "is gone"
            raise UserError(f"{path}: {fault}; put the file back, or begin again with --new_run")
        if result and not self.weights.exists():
            copy = half_written(self.weights)
            try:
                shutil.copyfile(path, copy)
                os.replace(copy, self.weights)
            except OSError as error:
                copy.unlink(missing_ok=True)
                raise UserError(f"{self.weights}: cannot be written ({error.strerror})") from error
        return path

    @property
    def _teacher_path(self):
        return self.path / "teacher.json"

    def _done(self, phase):
        return self.checkpoints(phase) / "done.json"

    def reports(self, summaries: Sequence[dict[str, Any]]) -> bool:
        """Whether report.json tells of these phases already: nothing was trained.

        One that is damaged is set aside.
        """
        report = self._old_report()
        return report is not None and all(summary in report["phases"] for summary in summaries)

    def write_report(self, report: dict[str, Any]) -> None:
        """Write report.json: a dict of JSON values.

        It keeps the reports of the same run before it, and the history of its flags.
        """
        old = self._old_report()
        earlier = [] if old is None else [*old.get("earlier", []), {name: old.get(name) for name in _EARLIER}]
        history = [line.removeprefix("# ") for line in read_history(self.config_path)]
        more = {name: lines for name, lines in (("history", history), ("earlier", earlier)) if lines}
        self._write(self._report, json.dumps({**report, **more}, indent=2) + "\n")

    def _old_report(self):
        try:
            return read_report(self.path)
        except FileNotFoundError:
            return None
        except DamagedError as error:
            logging.warning("%s; set aside as %s", error, set_aside(self._report).name)
            return None

    def _write(self, path, text):
        try:
            write_text(self.writes(path), text)
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror})") from error


def _identity(path):
    """What teacher.json holds."""
    try:
        return {"file": str(path), "sha256": sha256(path)}
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
