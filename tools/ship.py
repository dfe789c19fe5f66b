"""A finished run becomes a shipped network: python -m tools.ship --run=RUN --name=NAME
[--int8_run=RUN].

Writes into weights/: NAME.weights.h5 with the branches of a compact network collapsed, NAME.tflite
and, of a run of `distill.py --qat`, NAME.int8.tflite, both proven as by export_tflite.py, and
NAME.flags.txt with every flag of the run but the paths.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from absl import logging

import weights
from cli import app
from errors import UserError
from records import sha256
from runs import CONFIG, REPORT, SUFFIX, find_weights, read_config, read_history, read_report
from settings.fields import Command, names_where, setting
from settings.pictures import Pictures
from settings.transfer import TRAINING_GROUPS

LICENCE = "MIT; the training pictures keep theirs, see weights/README.md"
_MAX_BYTES = 3_000_000


@dataclass(frozen=True)
class Shipping:
    """What is shipped, under which name."""

    heading: ClassVar[str] = "Shipping"
    run: str | None = setting(None, "The finished run; has to be given.")
    name: str | None = setting(None, "What the network is called from now on; has to be given.")
    int8_run: str | None = setting(None, "A finished run of distill.py --qat, for the integer file.")
    output: str | None = setting(None, "Folder to write into; weights/ by default.")


@dataclass(frozen=True)
class Ship(Command):
    """python -m tools.ship."""

    shipping: Shipping = Shipping()
    pictures: Pictures = Pictures()


def main(settings: Ship) -> None:
    """Write the files of one network.

    Raises UserError for a run that is not finished, or that nobody could do again.
    """
    from export import Limits, write_checked  # TensorFlow takes seconds to import
    from export.calibration import float_student, proof_pairs
    from export.tflite import fused
    from models import load_generator, save_weights

    shipping = settings.shipping
    if not shipping.run or not shipping.name:
        raise UserError(f"--{'name' if shipping.run else 'run'}: has to be given; --help says more")
    forms = [(Path(shipping.run), shipping.name, "none")]
    if shipping.int8_run:
        forms.append((Path(shipping.int8_run), f"{shipping.name}.int8", "int8"))
    folder = Path(shipping.output or weights.FOLDER)
    for run, name, quantize in forms:
        origin, trained = read_origin(run, name), find_weights(run)
        model, file = fused(load_generator(trained)), trained
        if quantize == "none":
            file = folder / f"{name}{SUFFIX}"
            save_weights(model, file, origin=origin, licence=LICENCE)
        (folder / f"{name}.flags.txt").write_text(flags_of(run))
        path = folder / f"{name}.tflite"
        description = write_checked(
            model,
            path,
            pairs=proof_pairs(settings, run, scale=model.scale),
            limits=Limits.of(quantize),
            quantize=quantize,
            float_student=float_student(model, trained),
            weights=file.name,
            weights_sha256=sha256(file),
            licence=LICENCE,
            origin=origin,
        )
        size, lost = description["bytes"], description["proof"]["psnr_drop_db"]
        if size > _MAX_BYTES:
            raise UserError(f"{path}: {size} bytes; what is shipped has to stay below {_MAX_BYTES}")
        logging.info("%s: %.0f kB, loses %.3f dB", path, size / 1000, lost)


def read_origin(run: Path, name: str) -> dict[str, Any]:
    """Where the network of a finished run comes from, JSON values. name: that it is shipped under.

    Raises UserError for a run that is not finished, and for one that began from weights which are
    not shipped.
    """
    try:
        report = read_report(run)
    except FileNotFoundError as error:
        raise UserError(f"--run={run}: holds no {REPORT}; only a finished run is shipped") from error
    phases, init = report["phases"], read_config(run / CONFIG).get("init")
    if init == "shipped":
        init = report.get("student") or report["teacher"]
    if init and init not in weights.names():
        raise UserError(f"--run={run}: began from {init}, which is not shipped; nobody could do it again")
    return {
        "command": f"python {_script(report)} --flagfile=weights/{name}.flags.txt",
        "commit": report["commit"],
        "began_from": init or None,
        "seed": report["seed"],
        "finished": report["finished"],
        "steps": {phase["phase"]: phase["steps"] for phase in phases},
        "hours": round(sum(phase["seconds"] for phase in phases) / 3600, 2),
        "validation": {phase["phase"]: phase["metrics"] for phase in phases},
        "protocol": report["protocol"],
        **({"history": report["history"]} if "history" in report else {}),
    }


def _script(report: dict[str, Any]) -> str:
    if "teacher" in report and "student" not in report:
        return "train_teacher.py"
    return "train_student.py" if report["method"] == "alone" else "distill.py"


def flags_of(run: Path) -> str:
    """The flags of a run, one a line, but those that name places on the machine of whoever trained.

    Comments above them tell of flags that changed in the course of the run.
    """
    places = names_where(*TRAINING_GROUPS, place=True)
    flags = [f"--{name}={value}" for name, value in read_config(run / CONFIG).items() if name not in places]
    return "".join(f"{line}\n" for line in [*read_history(run / CONFIG), *flags])


if __name__ == "__main__":
    app.run(main, Ship(), description=__doc__)
