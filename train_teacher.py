"""Train a teacher: a pixel phase, then a GAN phase.

Writes runs/teacher/teacher.pixel.weights.h5 and runs/teacher/teacher.adversarial.weights.h5, which distill.py finds by itself.
"""

from absl import flags

from cli import app, training_flags
from cli import flags as common
from errors import UserError

FLAGS = flags.FLAGS


def _is_fraction(word):
    try:
        return 0 <= float(word) <= 1
    except ValueError:
        return False


common.define_network("teacher", default="srresnet")
common.define_pictures()
training_flags.define_training(steps=100_000, learning_rate=1e-4, batch_size=16, patch_size=24)
training_flags.define_losses(adversarial_steps=50_000)
common.define_run(run_dir="runs/teacher")
flags.DEFINE_list(
    "interpolate_alpha",
    [],
    "After the GAN phase, also write teacher.alpha_<a>.weights.h5 with the weights (1 - a) pixel + a GAN, for these a in [0, 1], with commas.",
    module_name=app.GROUP + "Losses",
)
flags.register_validator(
    "interpolate_alpha",
    lambda words: all(map(_is_fraction, words)),
    message="--interpolate_alpha wants numbers from 0 to 1, with commas",
)


def main():
    """Build the network, train it, write the report."""
    from cli import training  # TensorFlow takes seconds to import: --help and a typo in a flag need not wait for it

    if FLAGS.interpolate_alpha and not FLAGS.adversarial_steps:
        raise UserError("--interpolate_alpha: there is nothing to go to without a GAN phase; --adversarial_steps is 0")
    with training.open_run("teacher") as folder:
        model = training.new_generator(FLAGS.teacher)
        phases = training.phases_without_teacher(model)
        training.train(folder, phases, teacher=FLAGS.teacher, parameters=model.count_params())
        training.write_interpolations(folder)


if __name__ == "__main__":
    app.run(main, description=__doc__)
