"""How a transfer method is run: what distill.py and `python -m transfer.<method>` both do."""

from dataclasses import replace

from absl import logging

import data
from cli import app
from data.teacher_pictures import export_lr
from errors import UserError
from models import clone
from runs import find_weights
from settings.training import Distill
from training.job import new_generator
from training.trainer import open_run, train
from transfer import qat
from transfer.job import Method, TransferJob
from transfer.teacher import Teacher

_OPTIONAL = {"content_weight": "content", "kd_weight": "imitation", "affinity_weight": "affinity"}


def distill(settings: Distill, method: Method) -> None:
    """Load the teacher, build the student, train the method's phases (or --qat's), write the report. With --export_lr only
    write the low-resolution training images. Raises UserError.
    """
    if settings.transfer.export_lr:
        count = export_lr(data.open_pictures(settings.pictures, "train"), settings.transfer.export_lr)
        logging.info("%s: %d low-resolution training images", settings.transfer.export_lr, count)
        return
    quantised = settings.transfer.qat
    trained = qat.METHOD if quantised else method
    published = {name: value for name, value in trained.published.items() if name not in settings.given}
    settings = settings.with_values(**published)
    _name_weights_without_term(settings, trained)
    finished = find_weights(settings.network.init or f"runs/{method.name}") if quantised else None
    run_dir = settings.run.run_dir or (f"{finished.parent}_qat" if finished else f"runs/{method.name}")
    settings = settings.with_values(run_dir=run_dir)
    guide = finished if settings.transfer.guide == "student" else None
    teacher = Teacher(settings, phase=method.teacher, guide=guide)
    data.check_pictures(settings.pictures)
    with open_run(settings, role="student") as folder:
        live = teacher.load()
        if finished:
            student = qat.quantised_student(finished, data.open_pictures(settings.pictures, "train"), settings.run.seed)
        else:
            student = new_generator(settings, settings.network.student)
        job = TransferJob(settings=settings, model=student, average=clone(student), teacher=live)
        train(
            settings,
            folder,
            trained.phases(job),
            teacher_pictures=teacher.pictures,
            teacher_network=teacher.network,
            student=settings.network.student,
            parameters=student.count_params(),
            method=f"{method.name}+qat" if finished else method.name,
            teacher=str(teacher.file or settings.transfer.teacher_images),
            **({"float_student": str(finished), "guide": settings.transfer.guide} if finished else {}),
        )


def _name_weights_without_term(settings: Distill, method: Method) -> None:
    for name in sorted(set(_OPTIONAL) & settings.given - set(method.published)):
        value = settings.values()[name]
        logging.warning("--%s=%g: %s has no %s term; it has no effect", name, value, method.name, _OPTIONAL[name])


def run(method: Method) -> None:
    """`python -m transfer.<method>`: the same run as `distill.py --method <method>`."""
    defaults = Distill()
    defaults = replace(defaults, transfer=replace(defaults.transfer, method=method.name))

    def main(settings: Distill) -> None:
        if (asked := settings.transfer.method) != method.name:
            raise UserError(f"--method={asked}: this is {method.name}; call distill.py, or python -m transfer.{asked}")
        distill(settings, method)

    app.run(main, defaults, description=Distill.__doc__)
