"""Export a trained student as a TFLite file, proven against the student before it is kept.

Takes the newest student under runs/ unless --student says otherwise, and writes student.tflite (student.int8.tflite and so on when quantised) beside
it, with a .json that describes it and holds the proof.
"""

from pathlib import Path

from absl import flags, logging

from cli import app
from cli import flags as common

FLAGS = flags.FLAGS
_GROUP = app.GROUP + "Export"

flags.DEFINE_string(
    "student",
    None,
    "A run folder, a weight file, or a shipped network by name; with --check any network's name. The newest student under runs/ by default.",
    module_name=_GROUP,
)
flags.DEFINE_string("output", None, "The file to write; beside the weights by default.", module_name=_GROUP)
flags.DEFINE_integer("height", None, "Fix the input height, in pixels; any height by default.", 1, module_name=_GROUP)
flags.DEFINE_integer("width", None, "Fix the input width, in pixels; any width by default.", 1, module_name=_GROUP)
flags.DEFINE_enum(
    "quantize",
    "none",
    common.QUANTIZATION_NAMES,
    "none: float32; float16: half the file; dynamic: int8 weights; int8: integers throughout, uint8 in and out.",
    module_name=_GROUP,
)
flags.DEFINE_string(
    "calibration_dir",
    None,
    "Folder of low-resolution pictures that set the ranges of --quantize=int8; the training pictures of the student's run by default.",
    module_name=_GROUP,
)
flags.DEFINE_float(
    "max_drop_db",
    None,
    "PSNR the file may lose, in dB, or it is not kept: against Keras and, after --qat, against the float student too; 0.15 for int8 and 0.05 "
    "otherwise by default.",
    0.0,
    module_name=_GROUP,
)
flags.DEFINE_string(
    "licence",
    None,
    "Of the weights, for the file's metadata; by default what the weight file says, or unknown.",
    module_name=_GROUP,
)
flags.DEFINE_string(
    "saved_model", None, "Folder to write a SavedModel into, instead of a TFLite file.", module_name=_GROUP
)
flags.DEFINE_boolean(
    "check",
    False,
    "Only say whether the network converts and what XNNPACK would run; needs no weights.",
    module_name=_GROUP,
)
common.define_pictures()


def main():
    """Load, convert, prove, keep."""
    from cli.networks import find_weights, newest_student
    from errors import UserError
    from export import write_saved_model
    from models import load_generator

    if (FLAGS.height is None) != (FLAGS.width is None):
        raise UserError("--height and --width fix the input together: give both or neither")
    if FLAGS.check:
        return _check()
    weights = find_weights(FLAGS.student or newest_student())
    model = load_generator(weights)
    if FLAGS.saved_model:
        write_saved_model(model, FLAGS.saved_model)
        logging.info("%s: SavedModel of %s", FLAGS.saved_model, weights)
        return 0
    return _export(model, weights)


def _export(model, weights):
    import sys

    from cli.exporting import calibration, float_student, proof_pairs
    from errors import UserError
    from export import Limits, write_checked
    from models import read_facts
    from training.checkpoints import sha256

    suffix = "" if FLAGS.quantize == "none" else f".{FLAGS.quantize}"
    output = Path(FLAGS.output or f"{str(weights).removesuffix('.weights.h5')}{suffix}.tflite")
    if output.suffix != ".tflite":
        raise UserError(f"--output={output}: the name has to end in .tflite")
    facts = read_facts(weights)
    description = write_checked(
        model,
        output,
        pairs=proof_pairs(weights, model.scale),
        limits=Limits.of(FLAGS.quantize, max_drop_db=FLAGS.max_drop_db),
        height=FLAGS.height,
        width=FLAGS.width,
        quantize=FLAGS.quantize,
        calibration=calibration(model, weights) if FLAGS.quantize == "int8" else (),
        float_student=float_student(model, weights),
        weights=str(weights),
        weights_sha256=sha256(weights),
        training=facts,
        licence=FLAGS.licence or facts.get("licence", "unknown"),
        command=" ".join(sys.argv),
    )
    if facts.get("step") == 0:
        logging.warning(
            "%s: weights of step 0, from before any training; let the training run on and export again", weights
        )
    proof = description["proof"]
    logging.info(
        "%s: %s, %d parameters, %.0f kB, input of %s",
        *(output, description["network"], description["parameters"], description["bytes"] / 1000),
        f"{FLAGS.height}×{FLAGS.width}" if FLAGS.height else "any size",
    )
    logging.info(
        "differs from Keras by at most %.2g, loses %.3f dB on %d real pictures; %.0f %% of its operations run in XNNPACK; %.1f ms for %d×%d",
        *(proof["max_difference"], proof["psnr_drop_db"], proof["pictures"], 100 * proof["share_in_xnnpack"]),
        *(proof["milliseconds"], *proof["timed_input"]),
    )
    if "drop_from_float_db" in proof:
        logging.info("loses %.3f dB against the float student it was trained from", proof["drop_from_float_db"])
    return 0


def _check():
    from cli.networks import find_weights, newest_student
    from export.lint import check, report
    from models import GENERATORS, build_generator, load_generator

    name = FLAGS.student
    model = build_generator(name) if name in GENERATORS else load_generator(find_weights(name or newest_student()))
    findings = check(model)
    print("\n".join(report(findings)))
    return 1 if all(finding.refused for finding in findings) else 0


if __name__ == "__main__":
    app.run(main, description=__doc__)
