"""How a transfer method is run: what distill.py and `python -m transfer.<method>` both do."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from absl import logging

import data
import weights
from cli import app
from data.teacher_pictures import export_lr
from errors import UserError
from models import GENERATORS, build_generator, clone, read_network
from models.compact import Compact
from runs import SUFFIX, find_weights, is_run
from settings.transfer import Distill
from training.job import new_generator
from training.loop import Phase
from training.run_folder import RunFolder
from training.trainer import open_run, train
from transfer import qat
from transfer.job import Method, TransferJob
from transfer.teacher import Teacher

_OPTIONAL = {
    "content_weight": "content",
    "kd_weight": "imitation",
    "affinity_weight": "affinity",
    "adversarial_weight": "adversarial",
}


def distill(settings: Distill, method: Method) -> None:
    """Train the method's phases, or do what --qat or --export_lr ask for instead.

    Raises UserError.
    """
    if settings.transfer.export_lr:
        count = export_lr(_to_be_upscaled(settings, method), settings.transfer.export_lr)
        logging.info("%s: %d low-resolution images", settings.transfer.export_lr, count)
        return
    if (share := settings.transfer.labelled_share) is not None and method.images is None:
        raise UserError(f"--labelled_share={share:g}: for --method=adapt; all images of {method.name} have originals")
    (_fine_tune if settings.transfer.qat else _teach)(settings, method)


def _teach(settings: Distill, method: Method) -> None:
    settings = _with_published_values(settings, method, run_dir=f"runs/{method.name}")
    labels = _labels(settings, method)
    teacher = labels or Teacher(settings, phase=method.teacher)
    images = _images(settings, method, labels)
    data.check_pictures(settings.pictures, originals=labels is None)
    with open_run(settings, role="student", teacher=teacher.file) as folder:
        live = teacher.load()
        student = new_generator(settings, settings.network.student)
        job = TransferJob(settings=settings, model=student, average=clone(student), teacher=live)
        _train(job, folder, method.phases(job), teacher, images, method=method.name)


def _fine_tune(settings: Distill, method: Method) -> None:
    """--qat: quantisation-aware fine-tuning of a student of the method, guided by its float self or
    by the teacher.
    """
    finished = _finished_student(settings, method)
    settings = settings.with_values(**_form_of(finished, settings))
    name = finished.name.removesuffix(SUFFIX)
    of = finished.parent if is_run(finished.parent) and name == "student" else Path("runs", name)
    settings = _with_published_values(settings, qat.METHOD, run_dir=f"{of}_qat")
    labels = _labels(settings, method)
    guide = finished if settings.transfer.guide == "student" else None
    if guide and settings.transfer.teacher_images and not labels:
        raise UserError(
            "--teacher_images: --qat imitates the student's float self; --guide=teacher imitates these images"
        )
    guided = settings
    if labels:  # these flags speak of the labels
        guided = settings.with_values(teacher_images=None, cache_teacher=False, self_ensemble=False)
    teacher = Teacher(guided, phase=method.teacher, guide=guide)
    images = _images(settings, method, labels)
    data.check_pictures(settings.pictures, originals=labels is None)
    with open_run(settings, role="student", teacher=teacher.file) as folder:
        live = teacher.load()
        if labels:
            labels.load()
        store = data.open_pictures(settings.pictures, "train", originals=labels is None)
        student = qat.quantised_student(finished, store, settings.run.seed)
        job = TransferJob(settings=settings, model=student, average=clone(student), teacher=live)
        facts = {"float_student": str(finished), "guide": settings.transfer.guide}
        _train(job, folder, qat.METHOD.phases(job), teacher, images, method=f"{method.name}+qat", **facts)


def _finished_student(settings: Distill, method: Method) -> Path:
    """The weight file that --qat begins with."""
    init = settings.network.init
    if init == "shipped":
        return weights.for_init(settings.network.student)
    return find_weights(init or f"runs/{method.name}")


def _form_of(finished: Path, settings: Distill) -> dict[str, Any]:
    """--student and the sizes of the compact network in that file, as config.txt and report are to
    tell of it.

    Raises UserError where flags that were given tell of another.
    """
    found = read_network(finished)
    if found is None or found[0] != "Compact":
        return {}  # `qat.quantised_student` says what is wrong
    form = {key: found[1][key] for key in ("depth", "width", "tail", "residual")}
    compact = {name: build_generator(name).get_config() for name, (cls, _) in GENERATORS.items() if cls is Compact}

    def others(name: str) -> dict[str, Any]:
        """The sizes in which the file differs from the network of that name."""
        return {key: value for key, value in form.items() if compact[name][key] != value}

    student = settings.network.student
    stated = {key: settings.values()[key] for key in form.keys() & settings.given}
    if "student" not in settings.given:
        student = min(compact, key=lambda name: len(others(name)))
    elif student in compact:
        stated = {key: compact[student][key] for key in form} | stated
    if student not in compact or any(stated[key] != form[key] for key in stated):
        sizes = ", ".join(f"--{key}={value}" for key, value in form.items())
        raise UserError(f"--student={student}: {finished} holds another network ({sizes}); leave these flags out")
    return {"student": student, **others(student)}


def _with_published_values(settings: Distill, method: Method, *, run_dir: str) -> Distill:
    """With the method's published values, and a folder, where no flag gives others."""
    given = settings.given | ({"learning_rate"} if "optimizer" in settings.given else set())  # it brings its own
    published = {name: value for name, value in method.published.items() if name not in given}
    settings = settings.with_values(**published)
    _warn_of_no_effect(settings, method)
    return settings.with_values(run_dir=settings.run.run_dir or run_dir)


def _labels(settings: Distill, method: Method) -> Teacher | None:
    """Whose images are the labels of a method whose images have no originals."""
    return Teacher(settings, phase=method.teacher, labels=True) if method.images else None


def _images(settings: Distill, method: Method, labels: Teacher | None) -> dict[str, Any]:
    """What `train` is told of the images."""
    return {"open_pictures": method.images(settings, labels), "labels": labels.name} if labels else {}


def _train(
    job: TransferJob, folder: RunFolder, phases: list[Phase], teacher: Teacher, images: dict[str, Any], **facts: Any
) -> None:
    train(
        job.settings,
        folder,
        phases,
        teacher_pictures=None if images else teacher.pictures,
        teacher_network=teacher.network,
        student=job.settings.network.student,
        parameters=job.model.count_params(),
        teacher=teacher.name,
        **images,
        **facts,
    )


def _to_be_upscaled(settings: Distill, method: Method) -> list[data.PictureStore]:
    """The images of which a teacher's are wanted: for training and, where they stand in for
    originals, for validation.
    """
    if method.images is None:
        return [data.open_pictures(settings.pictures, "train")]
    data.check_pictures(settings.pictures, originals=False)
    stores = [data.open_pictures(settings.pictures, split, originals=False) for split in ("train", "validation")]
    return [store for store in stores if not store.originals]


def _warn_of_no_effect(settings: Distill, method: Method) -> None:
    steps = settings.losses.adversarial_steps
    if settings.transfer.al == "jointly" and steps and "adversarial_steps" in settings.given:
        logging.warning("--adversarial_steps=%d: --al=jointly has one phase, of --steps; it has no effect", steps)
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
