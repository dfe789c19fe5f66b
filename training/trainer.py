"""From the settings of a run to a finished run: the machine set up, the folder opened, the phases
trained, the report written.
"""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from absl import logging

import data
from errors import UserError
from evaluation.validation import Validator
from models import save_weights
from models.interpolation import interpolate
from runs import commit
from settings.fields import as_config, as_text, names_where
from settings.pictures import Pictures
from settings.training import TrainingCommand
from training.distribution import (
    check_batch_size,
    is_chief,
    make_strategy,
    refuse_disagreement,
    synchronise_batch_statistics,
    worker,
)
from training.loop import LoopOptions, Phase, run_phases
from training.run_folder import RunFolder

_REST_OF_THE_PROCESS = ExitStack()  # holds the scope of the strategy, which would else be left at once


def open_run(settings: TrainingCommand, *, role: str, teacher: Path | None = None) -> RunFolder:
    """The run folder of --run_dir, claimed; a run of another kind is refused.

    Its config.txt is written when training begins.

    Seeds the random numbers, and sets --strategy, --precision and --deterministic for the networks
    that are built from now on. teacher: the weight file that the run learns from.
    Raises UserError for settings that do not fit the machine or the run that is there; the images
    are `data.check_pictures`' to check, before TensorFlow is loaded.
    """
    _set_up_machine(settings)
    _compare_workers(settings)
    folder = RunFolder(settings.run.run_dir, role=role)
    if is_chief():
        changed = folder.open(
            as_config(settings),
            fixed=names_where(*settings.groups().values(), fixed=True),
            defaults=_defaults(settings),
            new_run=settings.run.new_run,
            teacher=teacher,
        )
        for name, (before, now) in changed.items():
            logging.info("--%s was %s in this run, is now %s", name, before, now)
    keras.utils.set_random_seed(settings.run.seed)
    return folder


def _compare_workers(settings: TrainingCommand) -> None:
    """Every worker has the chief's settings, but for the places of its own machine.

    Raises UserError on all of them.
    """
    places = names_where(*settings.groups().values(), place=True)
    facts = {f"--{name}": as_text(value) for name, value in settings.values().items() if name not in places}
    refuse_disagreement(facts, remedy="start all with the same flags")


def _defaults(settings: TrainingCommand) -> dict[str, str]:
    """What a run has that began before there was such a setting; `python -m transfer.<method>` once
    wrote no method.
    """
    defaults = as_config(type(settings)())
    return {name: as_config(settings)[name] if name == "method" else text for name, text in defaults.items()}


def _set_up_machine(settings: TrainingCommand) -> None:
    machine = settings.machine
    strategy = make_strategy(machine.strategy, worker_timeout=machine.worker_timeout)
    _REST_OF_THE_PROCESS.enter_context(strategy.scope())
    if strategy.num_replicas_in_sync > 1 and machine.jit_compile:
        raise UserError(f"--jit_compile: for one device only; --strategy={machine.strategy} has more")
    check_batch_size(settings.training.batch_size, parts=machine.accumulate)
    keras.config.set_dtype_policy(machine.precision)
    if machine.deterministic:
        tf.config.experimental.enable_op_determinism()
        # Grappler rewrites one and the same graph differently from process to process, and sums of
        # four and more gradients then round differently.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def train(
    settings: TrainingCommand,
    folder: RunFolder,
    phases: Sequence[Phase],
    *,
    open_pictures: Callable[[Pictures, str], data.PictureStore | data.Mixture] = data.open_pictures,
    teacher_pictures: Callable[[data.PictureStore], Any] | None = None,
    teacher_network: keras.Model | None = None,
    **facts: Any,
) -> None:
    """Run the phases in `folder` on the images of the settings, and write its report.

    open_pictures: `f(images, split)` opens the images of "train" and "validation".
    teacher_pictures: `f(store)`, the teacher's images that go with the training images, for steps
    that take them from the batch; it may give None. teacher_network: whose images the panels of the
    validation show beside the student's. facts: what else the report should say.
    """
    pictures, training = settings.pictures, settings.training
    store, validation = (open_pictures(pictures, split) for split in ("train", "validation"))
    shard_index, shard_count = worker()
    if shard_count > 1:
        stores = {"training images": store, "validation images": validation}
        images = {name: f"{each.names} {[*map(each.lr_shape, range(len(each)))]}" for name, each in stores.items()}
        refuse_disagreement(images, remedy="give all the same ones, under the same names")
    data.check_patch_size(store, training.patch_size)
    teacher = teacher_pictures and teacher_pictures(store)
    for network in (item for phase in phases for item in phase.step.state.values() if isinstance(item, keras.Model)):
        synchronise_batch_statistics(network)

    def batches(start: int) -> tf.data.Dataset:
        return data.batches(
            store,
            batch_size=training.batch_size,
            patch_size=training.patch_size,
            seed=settings.run.seed,
            detail=training.detail,
            start=start,
            shard_index=shard_index,
            shard_count=shard_count,
            teacher=teacher,
        )

    began = time.monotonic()
    summaries = run_phases(
        phases,
        folder=folder,
        batches=batches,
        validator=Validator(
            validation,
            pictures=pictures.validation_pictures,
            size=pictures.validation_size,
            teacher=teacher_network,
        ),
        save_weights=save_weights,
        options=_loop_options(settings),
    )
    if not is_chief():
        return
    if folder.reports(summaries):
        logging.info("%s: finished; nothing trained; --steps or --new_run", folder.path)
        return
    folder.write_report(
        {
            "command": " ".join(sys.argv),
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "seconds_this_time": round(time.monotonic() - began, 1),
            "training_pictures": store.description,
            "validation_pictures": validation.description,
            "protocol": f"PSNR and SSIM on Y, {pictures.scale} px border, middle {pictures.validation_size} px, "
            f"{validation.degradation}, 8-bit output",
            "seed": settings.run.seed,
            "commit": commit(),
            **facts,
            "phases": summaries,
        }
    )
    for summary in summaries:
        metrics = ", ".join(f"{name} {value:.4f}" for name, value in summary["metrics"].items())
        logging.info("%s: %d steps, %s", summary["phase"], summary["steps"], metrics)
    logging.info("kept: %s", folder.weights)


def _loop_options(settings: TrainingCommand) -> LoopOptions:
    run, machine = settings.run, settings.machine
    return LoopOptions(
        checkpoint_every=run.checkpoint_every,
        validate_every=run.validate_every,
        log_every=run.log_every,
        keep=run.keep,
        average_decay=settings.training.ema_decay,
        accumulate=machine.accumulate,
        jit_compile=machine.jit_compile,
    )


def write_interpolations(folder: RunFolder, alphas: Sequence[float]) -> None:
    """<role>.alpha_<a>.weights.h5 for each alpha, between the weights after the pixel phase and
    after the GAN phase.
    """
    for alpha in alphas if is_chief() else []:
        model = interpolate(folder.phase_weights("pixel"), folder.phase_weights("adversarial"), alpha=alpha)
        path = folder.phase_weights(f"alpha_{alpha:g}")
        save_weights(model, path, alpha=alpha)
        logging.info("interpolated at %g: %s", alpha, path)
