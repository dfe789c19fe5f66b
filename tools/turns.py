"""What tools.bench measures: the loop takes turns with what it is compared with.

A machine's speed wanders, and only neighbours in time compare.
"""

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import data
from data.bicubic import upscale
from data.teacher_pictures import TeacherPictures, open_teacher_pictures
from errors import UserError
from evaluation.validation import Validator
from losses.pixel import mae_loss
from models import build_generator, clone, save_weights
from settings.fields import about_fields, as_text
from settings.transfer import Distill
from training.job import Job, new_generator
from training.loop import LoopOptions, Phase, run_phases
from training.run_folder import RunFolder
from training.step import pixel
from training.update import MovingAverage, Update
from transfer import g2g
from transfer.job import TransferJob

_ROOT = Path(__file__).parent.parent
_STUDENT, _TEACHER = "compact_s", "srresnet"
_TEACHER_PICTURES = 8  # made for the run from cached pictures
_WARM_UP = 6  # updates of the loop that use up what the data threads prepared during the turns of others; not measured

Contenders = dict[str, tuple[Callable[[], Any], int]]  # {name: (function that does one update, updates in a turn)}


def measure(run: Distill, *, turns: int, updates: int, jit_compile: bool) -> dict[str, Any]:
    """All figures, as JSON values. run: of which images, in which crops, training is measured."""
    store = data.open_pictures(run.pictures, "train")
    start_up = _seconds_to_first_step(run)  # now that the images are decoded
    size, scale = run.training.patch_size, run.pictures.scale
    lr = tf.constant(np.random.default_rng(0).random((run.training.batch_size, size, size, 3), np.float32))
    hr = tf.repeat(tf.repeat(lr, scale, axis=1), scale, axis=2)
    others = _contenders(run, lr, hr, updates=updates, jit_compile=jit_compile)

    def train(phase: Phase, batches: Iterable, others: Contenders) -> "Turns":
        return _run_loop(phase, Turns(batches, others, updates=updates), store, turns=turns)

    fixed = train(_alone(run), tf.data.Dataset.from_tensors((lr, hr)).repeat(), others)
    rows = {"the loop" if name == "loop" else name: _row(fixed, name) for name in fixed.seconds}
    bare = {"bare step": others["bare step"]}
    alone = train(_alone(run), _batches(run, store), bare)
    with tempfile.TemporaryDirectory() as cache_dir:
        cached = train(_g2g(run, cached=True), _batches(run, *_teacher_pictures(store, scale, cache_dir)), bare)
    rows["the loop on pictures"] = _row(alone, "loop")
    rows["the loop on pictures, g2g from the cache"] = _row(cached, "loop")
    return {
        "rows": rows,
        "data_wait": {
            "without a teacher": float(np.median(alone.waits)),
            "g2g from the cache": float(np.median(cached.waits)),
        },
        "seconds_to_first_step": start_up,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "pictures": store.description,
        "batch": [run.training.batch_size, size],
        "cores": len(os.sched_getaffinity(0)),
        "processor": platform.processor() or platform.machine(),
        "date": str(date.today()),
    }


def _contenders(run: Distill, lr: tf.Tensor, hr: tf.Tensor, *, updates: int, jit_compile: bool) -> Contenders:
    """What takes turns with the loop on a fixed batch."""
    bare, some = _bare_step(run), max(1, updates // 2)
    found = {
        "bare step": (lambda: bare(lr, hr), updates),
        "update without a teacher": (_update(_alone(run), (lr, hr)), updates),
        "g2g from the cache": (_update(_g2g(run, cached=True), (lr, hr, hr)), updates),
        "g2g, live teacher": (_update(_g2g(run, cached=False), (lr, hr)), max(1, updates // 10)),
        "mixed_bfloat16": (_update(_alone(run, "mixed_bfloat16"), (lr, hr)), some),
    }
    if tf.config.list_physical_devices("GPU"):  # CPUs crawl in float16
        found["mixed_float16"] = (_update(_alone(run, "mixed_float16"), (lr, hr)), some)
    if jit_compile:
        found["jit_compile"] = (_update(_alone(run), (lr, hr), jit_compile=True), some)
    return found


def _bare_step(run: Distill) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """The least that training costs: gradients and Keras' own Adam, as one compiled function `f(lr,
    hr)`.
    """
    model = new_generator(run, _STUDENT)
    optimizer = keras.optimizers.Adam(5e-4)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(lr, hr):
        with tf.GradientTape() as tape:
            loss = mae_loss(hr, model(lr, training=True))
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return step


def _alone(run: Distill, precision: str = "float32") -> Phase:
    """Training without a teacher."""
    keras.config.set_dtype_policy(precision)
    model = new_generator(run, _STUDENT)
    keras.config.set_dtype_policy("float32")
    job = Job(run.with_values(precision=precision), model, clone(model))
    return job.phase("pixel", [pixel(1.0, mae_loss)], steps=run.training.steps)


def _g2g(run: Distill, *, cached: bool) -> Phase:
    """`transfer.g2g`: the teacher's image from the batch, or a teacher that runs."""
    model = new_generator(run, _STUDENT)
    teacher = None if cached else build_generator(_TEACHER, scale=run.pictures.scale)
    job = TransferJob(run.with_values(**g2g.METHOD.published), model, clone(model), teacher=teacher)
    return g2g.METHOD.phases(job)[0]


def _update(phase: Phase, batch: tuple, **options: Any) -> Callable[[], Any]:
    """A function that does one update on a fixed batch, as the loop does it."""
    update = Update(phase.step, MovingAverage(model=phase.model, average=phase.average, decay=0.999), **options)
    return lambda: update(batch)


def _run_loop(phase: Phase, batches: "Turns", store: data.PictureStore, *, turns: int) -> "Turns":
    """Train in a run folder that is thrown away, by the loop that the commands use.

    Returns `batches`.
    """
    phase.steps = batches.steps(turns)
    with tempfile.TemporaryDirectory() as path:
        folder = RunFolder(Path(path), role="student")
        folder.open({}, fixed=set())
        run_phases(
            [phase],
            folder=folder,
            batches=lambda start: batches,
            validator=Validator(store, pictures=1, size=64),
            save_weights=save_weights,
            options=LoopOptions(checkpoint_every=phase.steps, validate_every=phase.steps),
        )
        folder.close()
    return batches


def _batches(run: Distill, store: data.PictureStore, teacher: TeacherPictures | None = None) -> Iterable:
    """The batches of a run on these images."""
    training = run.training
    return data.batches(
        store,
        batch_size=training.batch_size,
        patch_size=training.patch_size,
        seed=0,
        detail=training.detail,
        teacher=teacher,
    )


def _teacher_pictures(store: data.PictureStore, scale: int, cache_dir: str):
    """Stand-ins of the teacher's images, bicubic ones, for the first images of the store: (store of
    those, their images).
    """
    few = store.subset(_TEACHER_PICTURES)
    pictures = open_teacher_pictures(
        few, upscale=lambda lr: upscale(lr, scale), teacher_key="bicubic", cache_dir=cache_dir
    )
    return few, pictures


def _seconds_to_first_step(run: Distill) -> float:
    """From the start of `train_student.py` on these images until the checkpoint of its first step
    lies on the disc.
    """
    values = {item.name: getattr(run.pictures, item.name) for item in about_fields(run.pictures)}
    values |= {"student": _STUDENT, "batch_size": run.training.batch_size, "patch_size": run.training.patch_size}
    flags = [f"--{name}={as_text(value)}" for name, value in values.items() if value is not None]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, _ROOT / "train_student.py", *flags, f"--run_dir={folder}", "--checkpoint_every=1"]
        began = time.perf_counter()
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        first = Path(folder, "checkpoints/pixel/step-000000001")
        while not first.exists():
            if process.poll() is not None:
                raise UserError(f"train_student.py ended with {process.returncode} before its first step")
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        process.kill()
        process.wait()
    return seconds


def _row(turns: "Turns", name: str) -> dict[str, float]:
    """Seconds of an update and its ratio to the bare step, medians over the turns; the ratio turn
    by turn.
    """
    seconds, bare = (np.array(turns.seconds[key]) for key in (name, "bare step"))
    return {"seconds": float(np.median(seconds)), "ratio": float(np.median(seconds / bare))}


class Turns:
    """The batches of a run; asked for one at the end of a turn, it first lets the others have
    theirs.

    others: {name: (function that does one update, updates in a turn)}. seconds: {name: [seconds of
    an update, a turn each]}, "loop" among the names. waits: shares of the loop's time spent waiting
    for `batches`.
    """

    def __init__(self, batches: Iterable, others: Contenders, *, updates: int) -> None:
        self._batches, self._others, self._updates = iter(batches), others, updates
        self._taken = 0
        self.seconds = {name: [] for name in ["loop", *others]}
        self.waits = []
        for update, _ in others.values():
            update()  # compiles

    def steps(self, turns: int) -> int:
        """How many steps a run needs for so many turns: the last one is never waited for."""
        return turns * (_WARM_UP + self._updates) + 1

    def __iter__(self):
        return self

    def __next__(self):
        position = self._taken % (_WARM_UP + self._updates)
        self._taken += 1
        if position == 0 and self._taken > 1:
            self._close()
            for name, (update, updates) in self._others.items():
                self.seconds[name].append(_seconds(update, updates))
        if position == _WARM_UP:
            _finish()
            self._began, self._waited = time.perf_counter(), 0.0
        asked = time.perf_counter()
        batch = next(self._batches)
        if position >= _WARM_UP:
            self._waited += time.perf_counter() - asked
        return batch

    def _close(self):
        _finish()
        elapsed = time.perf_counter() - self._began
        self.seconds["loop"].append(elapsed / self._updates)
        self.waits.append(self._waited / elapsed)


def _seconds(update, updates):
    update()  # what ran before has filled the caches with other things
    _finish()
    began = time.perf_counter()
    for _ in range(updates):
        update()
    _finish()
    return (time.perf_counter() - began) / updates


def _finish():
    """Wait for the GPU; a CPU has finished by the time a call returns."""
    if tf.config.list_physical_devices("GPU"):
        tf.test.experimental.sync_devices()
