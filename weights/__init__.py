"""The trained networks that come with the repository, by name.

compact_s is the network trained for fidelity to the original, compact_s_perceptual the same network
trained on for realism. `.weights.h5` files hold a network for Keras, `.tflite` files for devices;
compact_s.int8 is the integer file. weights/README.md lists what there is and how good it is.
"""

import json
from pathlib import Path

from errors import UserError

FOLDER = Path(__file__).parent
PERCEPTUAL, PHOTO_SUFFIX = "_perceptual", "_photo"

# What enlarges an image where nobody says what should, PHOTO where the image was compressed with
# losses and DEFAULT else; and whom a student can learn from without training one.
DEFAULT = "compact_s"
PHOTO = "compact_s" + PHOTO_SUFFIX
TEACHER = "edsr_8x64"
_KERAS, _TFLITE = ".weights.h5", ".tflite"


def names() -> list[str]:
    """The shipped networks, in alphabetical order."""
    return sorted(path.name.removesuffix(_KERAS) for path in FOLDER.glob(f"*{_KERAS}"))


def keras_file(name: str, *, folder: Path = FOLDER) -> Path | None:
    """NAME.weights.h5 of a shipped network, None where there is no such network."""
    return _file(name, _KERAS, folder)


def tflite_file(name: str, *, folder: Path = FOLDER) -> Path | None:
    """NAME.tflite of a shipped network, also for a name such as compact_s.int8; None where there is
    no such file.
    """
    return _file(name, _TFLITE, folder)


def network_file(name: str, *, kind: str = "auto", folder: Path = FOLDER) -> Path | None:
    """The file of a shipped network: kind "tflite" or "keras", or with "auto" the first of them
    that is there; None where none is.
    """
    tflite, keras = tflite_file(name, folder=folder), keras_file(name, folder=folder)
    return (kind != "keras" and tflite) or (kind != "tflite" and keras) or None


def scale_of(name: str, *, folder: Path = FOLDER) -> int:
    """How many times a shipped network enlarges, by its .json file, without opening it."""
    return json.loads((folder / f"{name}.json").read_text())["scale"]


def fidelity_and_perceptual(name: str) -> tuple[Path, Path] | None:
    """The .weights.h5 files of both trainings of the network that `name`, with or without
    _perceptual, means; None without both.
    """
    name = str(name).removesuffix(PERCEPTUAL)
    files = keras_file(name), keras_file(name + PERCEPTUAL)
    return files if all(files) else None


def of_one_form(name: str) -> bool:
    """Whether there are both trainings of a network and they can be mixed: the same architecture,
    as their .json files say.
    """
    name = str(name).removesuffix(PERCEPTUAL)
    files = [FOLDER / f"{each}.json" for each in (name, name + PERCEPTUAL)]
    if not all(file.is_file() for file in files):
        return False
    first, second = (json.loads(file.read_text()) for file in files)
    return (first["network"], first["config"]) == (second["network"], second["config"])


def for_init(name: str) -> Path:
    """The .weights.h5 file that --init=shipped means for the network `name`.

    Raises UserError that lists the networks which have one.
    """
    path = keras_file(name)
    if path is None:
        raise UserError(f"--init=shipped: there are no weights of {name}; there are those of {', '.join(names())}")
    return path


def refuse_as_output(path: str | Path, *, flag: str) -> None:
    """Raises UserError where `path` lies in this folder, which only `python -m tools.ship` writes
    into.
    """
    if Path(path).resolve().is_relative_to(FOLDER.resolve()):
        raise UserError(f"--{flag}={path}: the folder of the shipped networks stays as it is; name another place")


def _file(name, suffix, folder=FOLDER):
    path = folder / f"{name}{suffix}"
    if path.parent != folder or not path.is_file():
        return None
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
