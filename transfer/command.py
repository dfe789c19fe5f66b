"""How a transfer method is run: what distill.py and `python -m transfer.<method>` both do."""

from dataclasses import replace
from pathlib import Path

from absl import logging

import data
from cli import app
from data.teacher_pictures import export_lr
from errors import UserError
from models import clone
from runs import find_weights
from settings.transfer import Distill
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
        count = export_lr(_to_be_upscaled(settings, method), settings.transfer.export_lr)
        logging.info("%s: %d low-resolution images", settings.transfer.export_lr, count)
        return
    quantised = settings.transfer.qat
    trained = qat.METHOD if quantised else method
    published = {name: value for name, value in trained.published.items() if name not in settings.given}
    settings = settings.with_values(**published)
    _name_weights_without_term(settings, trained)
    if (share := settings.transfer.labelled_share) is not None and method.images is None:
        raise UserError(f"--labelled_share={share:g}: for --method=adapt; all images of {method.name} have originals")
    finished = find_weights(settings.network.init or f"runs/{method.name}") if quantised else None
    run_dir = settings.run.run_dir or (f"{finished.parent}_qat" if finished else f"runs/{method.name}")
    settings = settings.with_values(run_dir=run_dir)
    teacher, labels = _teachers(settings, method, finished)
    open_pictures = method.images(settings, labels) if labels else data.open_pictures
    data.check_pictures(settings.pictures, originals=labels is None)
    with open_run(settings, role="student") as folder:
        live = teacher.load()
        if finished:
            if labels:
                labels.load()
            store = data.open_pictures(settings.pictures, "train", originals=labels is None)
            student = qat.quantised_student(finished, store, settings.run.seed)
        else:
            student = new_generator(settings, settings.network.student)
        job = TransferJob(settings=settings, model=student, average=clone(student), teacher=live)
        train(
            settings,
            folder,
            trained.phases(job),
            open_pictures=open_pictures,
            teacher_pictures=None if labels else teacher.pictures,
            teacher_network=teacher.network,
            student=settings.network.student,
            parameters=student.count_params(),
            method=f"{method.name}+qat" if finished else method.name,
            teacher=teacher.name,
            **({"labels": labels.name} if labels else {}),
            **({"float_student": str(finished), "guide": settings.transfer.guide} if finished else {}),
        )


def _teachers(settings: Distill, method: Method, finished: Path | None) -> tuple[Teacher, Teacher | None]:
    """Whom the student imitates, and whose images are its labels; with labels and no finished student both are one."""
    labels = Teacher(settings, phase=method.teacher, labels=True) if method.images else None
    if labels and not finished:
        return labels, labels
    if labels:  # these flags speak of the labels
        settings = settings.with_values(teacher_images=None, cache_teacher=False, self_ensemble=False)
    guide = finished if settings.transfer.guide == "student" else None
    return Teacher(settings, phase=method.teacher, guide=guide), labels


def _to_be_upscaled(settings: Distill, method: Method) -> list[data.PictureStore]:
    """The images of which a teacher's are wanted: for training and, where they stand in for originals, for validation."""
    if method.images is None:
        return [data.open_pictures(settings.pictures, "train")]
    data.check_pictures(settings.pictures, originals=False)
    stores = [data.open_pictures(settings.pictures, split, originals=False) for split in ("train", "validation")]
    return [store for store in stores if not store.originals]


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
