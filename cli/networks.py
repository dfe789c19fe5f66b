"""Finds the weight files that a flag means: a file, or a run folder, or what the command before left."""

import subprocess
from pathlib import Path

import weights
from errors import UserError

RUNS = Path("runs")


def find_weights(path, *, phase=None):
    """The weight file that `path` means: the file itself; of a run folder its result, or that of one phase; of a shipped network its weights.

    phase: "pixel" or "adversarial". Raises UserError when there is none.
    """
    path = Path(path)
    if path.is_file():
        return path
    if not path.exists():
        return _shipped(path, phase)
    names = [f"{role}.{phase}.weights.h5" if phase else f"{role}.weights.h5" for role in ("student", "teacher")]
    for name in names:
        if (path / name).is_file():
            return path / name
    raise UserError(
        f"{path}: holds neither {names[0]} nor {names[1]}; a finished or running training leaves them there"
    )


def _shipped(name, phase):
    both = weights.fidelity_and_perceptual(name) if phase else None
    path = both[phase == "adversarial"] if both else weights.keras_file(name)
    if path is None:
        listed = f", nor a shipped network ({', '.join(weights.names())})" if weights.names() else ""
        raise UserError(f"{name}: no such weight file or run folder{listed}")
    return path


def find_teacher(path, *, phase):
    """The teacher's weights from the end of that phase. Raises UserError that names the command which makes them."""
    if not Path(path).exists() and not weights.keras_file(path):
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


def find_discriminator(teacher):
    """The critic that a teacher was trained against, beside its weights. Raises UserError that names the command which makes it."""
    folder = Path(teacher) if Path(teacher).is_dir() else Path(teacher).parent
    path = folder / "discriminator.weights.h5"
    if not path.is_file():
        raise UserError(
            f"--teacher={teacher}: {path} is missing, the discriminator that the teacher was trained against; "
            f"run train_teacher.py with --adversarial_steps above 0"
        )
    return path


def load_in_float32(path):
    """The generator in that weight file, computing in float32 whatever --precision says: for what is done once and counts in every bit."""
    import keras  # here: this module also serves commands that need no Keras

    from models import load_generator

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        return load_generator(path)
    finally:
        keras.config.set_dtype_policy(policy)


def newest_student():
    """The run folder under runs/, or one level deeper, whose student is the newest. Raises UserError when there is none."""
    files = [*RUNS.glob("*/student.weights.h5"), *RUNS.glob("*/*/student.weights.h5")]
    found = sorted(files, key=lambda file: file.stat().st_mtime)
    if not found:
        raise UserError(f"{RUNS}/: no run holds a student yet; make one: python distill.py or python train_student.py")
    return found[-1].parent


def newest_student_or_none():
    """The same; None where none was trained and the shipped networks stand in for it. Raises UserError where there are none either."""
    try:
        return newest_student()
    except UserError:
        if not weights.names():
            raise
        return None


def commit():
    """The commit of the source tree, "-dirty" when it was changed since; None outside a git checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
