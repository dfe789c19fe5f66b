"""What a name, a run folder or a file means: the one look-up for every command, and the names of a
run folder's files.
"""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from absl import logging

import weights
from errors import UserError
from records import DamagedError, read_json, read_text
from settings.fields import Command, from_text, names_where
from settings.pictures import Pictures

RUNS = Path("runs")
CONFIG = "config.txt"
REPORT = "report.json"
SUFFIX = ".weights.h5"
LAST = f"last{SUFFIX}"
ROLES = ("student", "teacher")
EXPORTED = "student.tflite"
RESULTS = tuple(f"{role}{SUFFIX}" for role in ROLES)
BICUBIC = "bicubic"
FOREIGN = (
    ".pth.tar",
    ".safetensors",
    ".pth",
    ".pt",
    ".ckpt",
    ".h5",
    ".hdf5",
)  # how names end of what import_weights.py reads
_KINDS = {".tflite": "tflite", ".keras": "keras", SUFFIX: "weights"}


class Found(NamedTuple):
    """What a word stands for. kind: "weights", "keras", "tflite" or "saved_model", a network;
    "images", a folder of them; "bicubic".
    """

    kind: str
    path: Path


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
    """{flag: value as text} of a config.txt.

    Raises FileNotFoundError where there is none, DamagedError where it is none of ours.
    """
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
    """The report.json of a run.

    Raises FileNotFoundError where there is none, DamagedError where it is none of ours.
    """
    return read_json(Path(folder) / REPORT, {**_REPORT, "earlier?": [{}]})


def is_run(path: str | Path) -> bool:
    """Whether a folder is a training run."""
    return (Path(path) / CONFIG).is_file() or any(Path(path).glob(f"*{SUFFIX}"))


def look_up(word: str | Path, *, fastest: bool = False, engine: str = "auto") -> Found:
    """What a word of --models or --model stands for.

    A shipped network (compact_s, compact_s.int8) stands for its .tflite file, or else its weights.
    A run folder stands for its trained weights; with `fastest` for its student.tflite before them.
    engine: "tflite" or "keras" takes that kind of network only. A folder that holds no network is
    one of images. Raises UserError for what is none of these.
    """
    if str(word) == BICUBIC:
        return Found(BICUBIC, Path(word))
    path, kind = Path(word), None
    if not path.exists():
        path = weights.network_file(str(word), kind=engine) or path
    if path.is_dir():
        wanted = (EXPORTED, *RESULTS) if fastest else RESULTS
        names = [name for name in wanted if engine == "auto" or (name == EXPORTED) == (engine == "tflite")]
        found = _first(path, names)
        saved = found is None and (path / "saved_model.pb").is_file()
        if found is None and not saved and (fastest or is_run(path)):
            raise _lacks(path, names)
        kind = None if found else "saved_model" if saved else "images"
        path = found or path
    if not path.exists():
        raise _no_such(word)
    kind = kind or next((kind for suffix, kind in _KINDS.items() if path.name.endswith(suffix)), None)
    if kind is None and path.suffix in {Path(f"x{ending}").suffix for ending in FOREIGN}:
        raise UserError(
            f"{path}: somebody else's network; python import_weights.py {path} makes a .weights.h5 file of it, or, for a Keras model "
            "that it does not know, save it as a .keras file with the code that made it: model.save('NAME.keras')"
        )
    if kind is None:
        raise UserError(f"{path}: not a network; give a .tflite, .weights.h5 or .keras file, or a run folder")
    if engine != "auto" and (kind == "tflite") != (engine == "tflite"):
        remedy = "make one with export_tflite.py" if engine == "tflite" else "give its .weights.h5 file"
        raise UserError(f"{path}: not for --engine={engine}; {remedy}, or leave --engine=auto")
    return Found(kind, path)


def find_weights(path: str | Path, *, phase: str | None = None) -> Path:
    """The weight file that `path` means: itself; of a run folder its result, or that of one phase;
    of a shipped network its weights.

    phase: "pixel", "content" or "adversarial"; of a shipped network's two trainings the latter is
    the perceptual one. Raises UserError when there is none.
    """
    path = Path(path)
    if path.is_file():
        return path
    if not path.exists():
        both = weights.fidelity_and_perceptual(path) if phase else None
        found = both[phase == "adversarial"] if both else weights.keras_file(str(path))
        if found is None:
            raise _no_such(path)
        return found
    names = [result_name(role, phase) for role in ROLES]
    found = _first(path, names)
    if found is None:
        raise _lacks(path, names)
    return found


def finished_file(word: str | Path) -> Path | None:
    """The .tflite file that `word` means, a path or a shipped file's name such as compact_s.int8;
    None where it means weights.
    """
    if Path(word).suffix == ".tflite":
        return Path(word)
    name = str(word)
    return None if Path(word).exists() or weights.keras_file(name) else weights.tflite_file(name)


def phase_files(run: str | Path) -> tuple[Path, Path]:
    """The weight files that --strength mixes, (fidelity, perceptual), of a run folder or a shipped
    network. Raises UserError without both.
    """
    run = Path(run)
    if not run.exists() and weights.of_one_form(str(run)) and (files := weights.fidelity_and_perceptual(str(run))):
        return files
    for role in ROLES:
        perceptual = run / result_name(role, "adversarial")
        for phase in ("transfer", "pixel"):  # those that end in fidelity to the original, the latest first
            fidelity = run / result_name(role, phase)
            if fidelity.is_file() and perceptual.is_file():
                return fidelity, perceptual
    both = [name for name in weights.names() if not name.endswith(weights.PERCEPTUAL) and weights.of_one_form(name)]
    raise UserError(
        f"--strength: {run} does not hold the weights of two phases (student.transfer.weights.h5 and student.adversarial.weights.h5, "
        f"say); it takes a run folder that went through both, or a shipped network with both trainings of one form: {', '.join(both)}"
    )


def _first(folder: Path, names: Iterable[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _lacks(folder: Path, names: list[str]) -> UserError:
    listed = " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    return UserError(f"{folder}: a folder without {listed}; a finished or running training leaves its weights there")


def _no_such(word: str | Path) -> UserError:
    listed = f", or a shipped network: {', '.join(weights.names())}" if weights.names() else ""
    return UserError(f"{word}: no such file or folder; give a network's file, a run folder{listed}")


def find_teacher(path: str | Path, *, phase: str) -> Path:
    """The teacher's weights from the end of that phase; a weight file is taken for what it is.

    Where a teacher has no content phase, that of its pixel phase stands in, and one line says so.
    Raises UserError that names the command which makes them.
    """
    if not Path(path).exists() and not weights.keras_file(str(path)):
        raise UserError(
            f"--teacher={path}: no such weight file or run folder; train one (python train_teacher.py) or take the shipped one "
            f"(--teacher={weights.TEACHER})"
        )
    if phase == "content" and not Path(path).is_file():
        trained_on = _first(Path(path), [result_name(role, phase) for role in ROLES])
        if trained_on:
            return trained_on
        found = find_teacher(path, phase="pixel")
        logging.info(
            "--teacher=%s: no content phase, which train_teacher.py --content_steps=2500 adds; %s is taken instead",
            path,
            found,
        )
        return found
    try:
        return find_weights(path, phase=phase)
    except UserError as error:
        remedy = "with --adversarial_steps above 0" if phase == "adversarial" else "until its pixel phase is done"
        raise UserError(
            f"--teacher={path}: holds no teacher.{phase}.weights.h5; run train_teacher.py {remedy}"
        ) from error


def find_discriminator(teacher: str | Path) -> Path:
    """The critic that a teacher was trained against, beside its weights.

    Raises UserError that names the command which makes it.
    """
    folder = Path(teacher) if Path(teacher).is_dir() else Path(teacher).parent
    path = folder / f"discriminator{SUFFIX}"
    if not path.is_file():
        raise UserError(
            f"--teacher={teacher}: {path} is missing, the discriminator that the teacher was trained against; "
            f"run train_teacher.py with --adversarial_steps above 0"
        )
    return path


def newest_student() -> Path:
    """The run folder under runs/, or one level deeper, whose student is the newest.

    Raises UserError when there is none.
    """
    name = result_name("student")
    found = sorted([*RUNS.glob(f"*/{name}"), *RUNS.glob(f"*/*/{name}")], key=lambda file: file.stat().st_mtime)
    if not found:
        raise UserError(f"{RUNS}/: no run holds a student yet; make one: python distill.py or python train_student.py")
    return found[-1].parent


def newest_student_or_none() -> Path | None:
    """The same; None where none was trained and the shipped networks stand in for it.

    Raises UserError where there are none either.
    """
    try:
        return newest_student()
    except UserError:
        if not weights.names():
            raise
        return None


def with_pictures_of(run: Path, command: Command) -> Command:
    """`command` with the images of an earlier run, where it does not say otherwise itself.

    --dataset on the command line stands for other images: then only the scale is taken. Raises
    UserError where neither says which images, or the run's config.txt holds a value of another
    type.
    """
    config, others = run / CONFIG, "dataset" in command.given
    if not config.is_file():
        if others:
            return command
        raise UserError(
            f"{config}: no such file, so the pictures of that run are not known; name others with --dataset"
        )
    taken = {"scale"} if others else names_where(Pictures, fixed=True)
    values, texts = {}, read_config(config)
    for group, item in command.items():
        text = texts.get(item.name)
        if text is not None and item.name in taken - command.given:
            try:
                values[item.name] = from_text(group, item, text)
            except ValueError as error:
                raise UserError(f"{config}: --{item.name}={text}: {error}") from error
    return command.with_values(**values)


def commit() -> str | None:
    """The commit of the source tree, "-dirty" when it was changed since; None outside a git
    checkout.
    """
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
