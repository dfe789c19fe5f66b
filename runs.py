"""What a name, a run folder or a file means: the one look-up for every command, and the names of a run folder's files."""

import re
import subprocess
from pathlib import Path
from typing import Any

import weights
from errors import UserError
from records import DamagedError, read_json, read_text
from settings.fields import Command, from_text, names_where
from settings.training import Pictures

RUNS = Path("runs")
CONFIG = "config.txt"
REPORT = "report.json"
SUFFIX = ".weights.h5"
LAST = f"last{SUFFIX}"
ROLES = ("student", "teacher")

# What the records of a run hold, see `records`.
_SUMMARY = {"phase": str, "steps": int, "seconds": float, "metrics": {str: float}}
DONE = {**_SUMMARY, "weights_sha256": str}
_OPTIONAL = {f"{name}?": kind for name, kind in _SUMMARY.items() if name != "steps"}
_TEXTS = ("method", "teacher", "student", "float_student", "command", "finished", "commit")
_REPORT = {
    "phases": [{"steps": int, **_OPTIONAL}],
    "seed?": int,
    "seconds_this_time?": float,
    **{f"{name}?": (str, None) for name in _TEXTS},
}


def result_name(role: str, phase: str | None = None) -> str:
    """student.weights.h5, the result of a run; student.transfer.weights.h5, that of one phase."""
    return f"{role}.{phase}{SUFFIX}" if phase else f"{role}{SUFFIX}"


def read_config(path: str | Path) -> dict[str, str]:
    """{flag: value as text} of a config.txt. Raises FileNotFoundError where there is none, DamagedError where it is none of ours."""
    flags = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        found = re.fullmatch(r"--(\w+)=(.*)", line)
        if found:
            flags[found[1]] = found[2]
        elif line and not line.startswith("#"):
            raise DamagedError(f"{path}: line {number} is no --flag=value")
    return flags


def read_history(path: str | Path) -> list[str]:
    """The comments of a config.txt, a line each: what has changed in the course of the run."""
    try:
        return [line for line in read_text(path).split("\n") if line.startswith("#")]
    except FileNotFoundError:
        return []


def read_report(folder: str | Path) -> dict[str, Any]:
    """The report.json of a run. Raises FileNotFoundError where there is none, DamagedError where it is none of ours."""
    return read_json(Path(folder) / REPORT, {**_REPORT, "earlier?": [{}]})


def is_run(path: str | Path) -> bool:
    """Whether a folder is a training run."""
    return (Path(path) / CONFIG).is_file() or any(Path(path).glob(f"*{SUFFIX}"))


def find_weights(path: str | Path, *, phase: str | None = None) -> Path:
    """The weight file that `path` means: itself; of a run folder its result, or that of one phase; of a shipped network its weights.

    phase: "pixel" or "adversarial". Raises UserError when there is none.
    """
    path = Path(path)
    if path.is_file():
        return path
    if not path.exists():
        return _shipped(str(path), phase)
    names = [result_name(role, phase) for role in ROLES]
    for name in names:
        if (path / name).is_file():
            return path / name
    raise UserError(
        f"{path}: holds neither {names[0]} nor {names[1]}; a finished or running training leaves them there"
    )


def _shipped(name: str, phase: str | None) -> Path:
    both = weights.fidelity_and_perceptual(name) if phase else None
    path = both[phase == "adversarial"] if both else weights.keras_file(name)
    if path is None:
        listed = f", nor a shipped network ({', '.join(weights.names())})" if weights.names() else ""
        raise UserError(f"{name}: no such weight file or run folder{listed}")
    return path


def find_teacher(path: str | Path, *, phase: str) -> Path:
    """The teacher's weights from the end of that phase. Raises UserError that names the command which makes them."""
    if not Path(path).exists() and not weights.keras_file(str(path)):
        raise UserError(
            f"--teacher={path}: no such weight file or run folder; train one first: python train_teacher.py"
        )
    try:
        return find_weights(path, phase=phase)
    except UserError as error:
        remedy = "with --adversarial_steps above 0" if phase == "adversarial" else "until its pixel phase is done"
        raise UserError(
            f"--teacher={path}: holds no teacher.{phase}.weights.h5; run train_teacher.py {remedy}"
        ) from error


def find_discriminator(teacher: str | Path) -> Path:
    """The critic that a teacher was trained against, beside its weights. Raises UserError that names the command which makes it."""
    folder = Path(teacher) if Path(teacher).is_dir() else Path(teacher).parent
    path = folder / f"discriminator{SUFFIX}"
    if not path.is_file():
        raise UserError(
            f"--teacher={teacher}: {path} is missing, the discriminator that the teacher was trained against; "
            f"run train_teacher.py with --adversarial_steps above 0"
        )
    return path


def newest_student() -> Path:
    """The run folder under runs/, or one level deeper, whose student is the newest. Raises UserError when there is none."""
    name = result_name("student")
    found = sorted([*RUNS.glob(f"*/{name}"), *RUNS.glob(f"*/*/{name}")], key=lambda file: file.stat().st_mtime)
    if not found:
        raise UserError(f"{RUNS}/: no run holds a student yet; make one: python distill.py or python train_student.py")
    return found[-1].parent


def newest_student_or_none() -> Path | None:
    """The same; None where none was trained and the shipped networks stand in for it. Raises UserError where there are none either."""
    try:
        return newest_student()
    except UserError:
        if not weights.names():
            raise
        return None


def with_pictures_of(run: Path, command: Command) -> Command:
    """`command` with the images of an earlier run, where it does not say otherwise itself.

    --dataset on the command line stands for other images: then only the scale is taken. Raises UserError where neither says which
    images, or the run's config.txt holds a value of another type.
    """
    config, others = run / CONFIG, "dataset" in command.given
    if not config.is_file():
        if others:
            return command
        raise UserError(
            f"{config}: no such file, so the pictures of that run are not known; name others with --dataset"
        )
    taken = {"scale"} if others else names_where(Pictures, fixed=True)
    values = {}
    for group, item in command.items():
        text = read_config(config).get(item.name)
        if text is not None and item.name in taken - command.given:
            try:
                values[item.name] = from_text(group, item, text)
            except ValueError as error:
                raise UserError(f"{config}: --{item.name}={text}: {error}") from error
    return command.with_values(**values)


def commit() -> str | None:
    """The commit of the source tree, "-dirty" when it was changed since; None outside a git checkout."""
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
