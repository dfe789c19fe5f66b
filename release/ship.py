"""python -m release.ship --run=RUN --name=NAME [--int8_run=RUN]: a finished run becomes a shipped network.

Writes into weights/: NAME.weights.h5 with the branches of a compact network collapsed, NAME.tflite and, of a run of `distill.py --qat`,
NAME.int8.tflite, both proven as by export_tflite.py, and NAME.flags.txt with every flag of the run but the paths.
"""

from pathlib import Path

from absl import flags, logging

from cli import app
from cli import flags as common

FLAGS = flags.FLAGS
_GROUP = app.GROUP + "Shipping"

flags.DEFINE_string("run", None, "The finished run.", required=True, module_name=_GROUP)
flags.DEFINE_string("name", None, "What the network is called from now on.", required=True, module_name=_GROUP)
flags.DEFINE_string("int8_run", None, "A finished run of distill.py --qat, for the integer file.", module_name=_GROUP)
flags.DEFINE_string("output", None, "Folder to write into; weights/ by default.", module_name=_GROUP)
common.define_pictures()

LICENCE = "MIT; the training pictures keep theirs, see weights/README.md"

# Flags that name places on the machine of whoever trained, and switches of the run that leave the result alone.
_PLACES = ("run_dir", "hr_dir", "lr_dir", "valid_dir", "valid_lr_dir", "cache_dir", "data_dir", "vgg_weights", "keep")
_MAX_BYTES = 3_000_000


def main():
    """Write the files of one network."""
    import weights
    from models import save_weights

    run, target = Path(FLAGS.run), Path(FLAGS.output or weights.FOLDER) / FLAGS.name
    model, origin = _open(run, target)
    path = target.with_name(f"{FLAGS.name}.weights.h5")
    save_weights(model, path, origin=origin, licence=LICENCE)
    _write_flags(run, target)
    _export(model, target.with_name(f"{FLAGS.name}.tflite"), run, path, origin, quantize="none")
    if FLAGS.int8_run:
        int8_run = Path(FLAGS.int8_run)
        target = target.with_name(f"{FLAGS.name}.int8")
        model, origin = _open(int8_run, target)
        _write_flags(int8_run, target)
        file = int8_run / "student.weights.h5"
        _export(model, target.with_name(f"{target.name}.tflite"), int8_run, file, origin, quantize="int8")


def _open(run, target):
    """The network of a finished run, its branches collapsed, and where it comes from. Raises UserError for a run that is not finished."""
    import json

    from cli.networks import find_weights

    import weights
    from errors import UserError
    from export.tflite import fused
    from models import load_generator
    from runs import read_config

    report = run / "report.json"
    if not report.is_file():
        raise UserError(f"--run={run}: holds no report.json; only a finished run is shipped")
    report = json.loads(report.read_text())
    phases, init = report["phases"], read_config(run / "config.txt").get("init")
    if init == "shipped":
        init = report.get("student") or report["teacher"]
    if init and init not in weights.names():
        raise UserError(f"--run={run}: began from {init}, which is not shipped; nobody could do it again")
    origin = {
        "command": f"python {_script(report)} --flagfile=weights/{target.name}.flags.txt",
        "commit": report["commit"],
        "began_from": init or None,
        "seed": report["seed"],
        "finished": report["finished"],
        "steps": {phase["phase"]: phase["steps"] for phase in phases},
        "hours": round(sum(phase["seconds"] for phase in phases) / 3600, 2),
        "validation": {phase["phase"]: phase["metrics"] for phase in phases},
        "protocol": report["protocol"],
    }
    return fused(load_generator(find_weights(run))), origin


def _script(report):
    if "teacher" in report and "student" not in report:
        return "train_teacher.py"
    return "train_student.py" if report["method"] == "alone" else "distill.py"


def _write_flags(run, target):
    from runs import read_config

    config = {name: value for name, value in read_config(run / "config.txt").items() if name not in _PLACES}
    target.with_name(f"{target.name}.flags.txt").write_text("".join(f"--{k}={v}\n" for k, v in config.items()))


def _export(model, path, run, weight_file, origin, *, quantize):
    from cli.exporting import float_student, proof_pairs
    from errors import UserError
    from export import Limits, write_checked
    from training.checkpoints import sha256

    description = write_checked(
        model,
        path,
        pairs=proof_pairs(run / "report.json", model.scale),
        limits=Limits.of(quantize),
        quantize=quantize,
        float_student=float_student(model, run / "student.weights.h5"),
        weights=weight_file.name,
        weights_sha256=sha256(weight_file),
        licence=LICENCE,
        origin=origin,
    )
    if description["bytes"] > _MAX_BYTES:
        raise UserError(f"{path}: {description['bytes']} bytes; what is shipped has to stay below {_MAX_BYTES}")
    logging.info("%s: %.0f kB, loses %.3f dB", path, description["bytes"] / 1000, description["proof"]["psnr_drop_db"])


if __name__ == "__main__":
    app.run(main, description=__doc__)
