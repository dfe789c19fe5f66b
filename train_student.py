"""Train a student without a teacher: the baseline that knowledge transfer is measured against.

Writes runs/student/student.weights.h5, which export_tflite.py, evaluate.py and upscale.py find by themselves.
"""

from absl import flags

from cli import app, training_flags
from cli import flags as common

FLAGS = flags.FLAGS

common.define_network("student", default="compact_s")
common.define_pictures()
training_flags.define_training(steps=100_000, learning_rate=5e-4, batch_size=16, patch_size=24)
training_flags.define_losses(adversarial_steps=0)
common.define_run(run_dir="runs/student")
_GROUP = app.GROUP + "Latency budget"
flags.DEFINE_float(
    "budget_ms",
    None,
    "Choose the largest compact student that takes at most so many milliseconds here through LiteRT, instead of --student.",
    lower_bound=0.0,
    module_name=_GROUP,
)
flags.DEFINE_integer(
    "budget_height", 180, "Height of the input that the budget is for, in pixels.", 1, module_name=_GROUP
)
flags.DEFINE_integer(
    "budget_width", 320, "Width of the input that the budget is for, in pixels.", 1, module_name=_GROUP
)


def main():
    """Build the network, train it, write the report."""
    from cli import training  # TensorFlow takes seconds to import: --help and a typo in a flag need not wait for it

    if FLAGS.budget_ms is not None:
        _choose_by_budget()
    with training.open_run("student") as folder:
        model = training.new_generator(FLAGS.student)
        phases = training.phases_without_teacher(model)
        training.train(folder, phases, student=FLAGS.student, parameters=model.count_params(), method="alone")


def _choose_by_budget():
    """Set --student, --depth and --width: as this run chose before, or by measuring now."""
    from pathlib import Path

    from export.budget import budget_table, largest_within, measure_candidates
    from training.run_folder import read_config

    FLAGS.student = "compact_s"
    config = Path(FLAGS.run_dir) / "config.txt"
    before = read_config(config) if config.is_file() and not FLAGS.new_run else {}
    sizes = [before.get(name, "") for name in ("depth", "width")]
    if before.get("budget_ms") == FLAGS["budget_ms"].serialize().partition("=")[2] and all(map(str.isdecimal, sizes)):
        FLAGS.depth, FLAGS.width = map(int, sizes)
        return
    rows = measure_candidates(height=FLAGS.budget_height, width=FLAGS.budget_width, scale=FLAGS.scale)
    chosen = largest_within(rows, FLAGS.budget_ms)
    print(budget_table(rows, chosen))
    FLAGS.depth, FLAGS.width = chosen.depth, chosen.width


if __name__ == "__main__":
    app.run(main, description=__doc__)
