"""Train a teacher: a pixel phase, then a GAN phase; with --content_steps also a side branch of the
pixel phase, on content alone.

    python train_teacher.py --dataset=folder --hr_dir=PHOTOS               SRGAN's generator, on your photographs
    python train_teacher.py --teacher=edsr_8x64 --adversarial_steps=0      smaller, for fidelity only
    python train_teacher.py --flagfile=recipes/esrgan.txt                  a published system

Writes runs/teacher/teacher.pixel.weights.h5 and teacher.adversarial.weights.h5, and with
--content_steps teacher.content.weights.h5, which distill.py finds by itself.
"""

from cli import app
from errors import UserError
from settings.training import TrainTeacher


def main(settings: TrainTeacher) -> None:
    """Build the network, train it, write the report."""
    alphas = _alphas(settings)
    from data import check_pictures  # imports stand here so that neither --help nor a mistake waits for TensorFlow

    check_pictures(settings.pictures)
    from models import clone
    from training.job import Job, new_generator, phases_without_teacher
    from training.trainer import open_run, train, write_interpolations

    with open_run(settings, role="teacher") as folder:
        model = new_generator(settings, settings.network.teacher)
        job = Job(settings, model, clone(model))
        phases = phases_without_teacher(job, content_steps=settings.content.content_steps)
        train(settings, folder, phases, teacher=settings.network.teacher, parameters=model.count_params())
        write_interpolations(folder, alphas)


def _alphas(settings: TrainTeacher) -> list[float]:
    alphas = [float(word) for word in settings.interpolation.interpolate_alpha]
    if alphas and not settings.losses.adversarial_steps:
        raise UserError("--interpolate_alpha: there is nothing to go to without a GAN phase; --adversarial_steps is 0")
    return alphas


if __name__ == "__main__":
    app.run(main, TrainTeacher(), description=__doc__)
