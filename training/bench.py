"""What training adds to the bare computation, and what each switch gains, as ratios measured in one run."""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from absl import flags

from cli import app, define
from cli import flags as common
from errors import UserError

FLAGS = flags.FLAGS

DESCRIPTION = """Measure training: the loop against the bare step, waiting for data, a cached against a live teacher, precision, start-up, memory.

The student is compact_s, the live teacher srresnet, the batches those of a real run on the pictures of the flags (seven photographs by default).
The loop takes turns with everything that it is compared with, because a machine's speed wanders; medians of the turns are compared.

    python -m training.bench --dataset=folder --hr_dir=photos"""

_ROOT = Path(__file__).parent.parent
_STUDENT = "compact_s"
_TEACHER = "srresnet"
_TEACHER_PICTURES = 8  # made for the run from cached pictures


def _define():
    group = "Bench"
    define.integer(group, "batch_size", 16, "Crops per update.", 1)
    define.integer(group, "patch_size", 48, "Side of the low-resolution crop, in pixels.", 8)
    define.integer(group, "turns", 7, "Turns of each contender.", 1)
    define.integer(group, "updates", 20, "Updates of the loop in a turn.", 1)
    define.boolean(group, "jit_compile", False, "Measure XLA too.")
    define.string(group, "output", None, "JSON file for the figures.")
    common.define_pictures()
    FLAGS.set_default("dataset", "sample")


def _optimizer(model, policy="float32"):
    from training.optimizers import make_optimizer, make_schedule

    schedule = make_schedule("cosine", learning_rate=5e-4, steps=100_000)
    return make_optimizer(model, schedule=schedule, loss_scaling=policy == "mixed_float16")


def _student(policy="float32"):
    import keras

    from models import build_generator

    keras.config.set_dtype_policy(policy)
    model = build_generator(_STUDENT, scale=FLAGS.scale)
    keras.config.set_dtype_policy("float32")
    return model


def bare_step():
    """The least that training costs: gradients and Keras' own Adam, as one compiled function `f(lr, hr)`."""
    import keras
    import tensorflow as tf

    from losses.pixel import mae_loss

    model = _student()
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


def pixel_step(policy="float32"):
    """Training without a teacher."""
    from losses.pixel import mae_loss
    from training.steps import PixelStep

    model = _student(policy)
    return PixelStep(generator=model, optimizer=_optimizer(model, policy), pixel_loss=mae_loss), model


def g2g_step(*, cached):
    """`transfer.g2g` with a pixel-based content loss: the teacher's picture from the batch, or a teacher that runs."""
    from transfer.teacher_source import StepFromCache, TeacherInBatch

    from losses.pixel import mae_loss
    from models import build_generator
    from transfer.g2g import PUBLISHED, G2GStep

    model = _student()
    teacher = TeacherInBatch(FLAGS.scale) if cached else build_generator(_TEACHER, scale=FLAGS.scale)
    weights = {"content": PUBLISHED["content_weight"], "imitation": PUBLISHED["kd_weight"]}
    step = G2GStep(teacher=teacher, student=model, optimizer=_optimizer(model), content_loss=mae_loss, weights=weights)
    return StepFromCache(step, teacher) if cached else step, model


def update_of(step, model, batch, **options):
    """A function that does one update on a fixed batch, as the loop does it."""
    from models import clone
    from training.average import MovingAverage
    from training.update import Update

    update = Update(step, MovingAverage(model=model, average=clone(model), decay=0.999), **options)
    return lambda: update(batch)


def contenders(lr, hr):
    """What takes turns with the loop on a fixed batch: {name: (function, updates in a turn)}."""
    import tensorflow as tf

    bare, some = bare_step(), max(1, FLAGS.updates // 2)
    found = {
        "bare step": (lambda: bare(lr, hr), FLAGS.updates),
        "update without a teacher": (update_of(*pixel_step(), (lr, hr)), FLAGS.updates),
        "g2g from the cache": (update_of(*g2g_step(cached=True), (lr, hr, hr)), FLAGS.updates),
        "g2g, live teacher": (update_of(*g2g_step(cached=False), (lr, hr)), max(1, FLAGS.updates // 10)),
        "mixed_bfloat16": (update_of(*pixel_step("mixed_bfloat16"), (lr, hr)), some),
    }
    if tf.config.list_physical_devices("GPU"):  # CPUs crawl in float16
        found["mixed_float16"] = (update_of(*pixel_step("mixed_float16"), (lr, hr)), some)
    if FLAGS.jit_compile:
        found["jit_compile"] = (update_of(*pixel_step(), (lr, hr), jit_compile=True), some)
    return found


def run_loop(step, model, batches, store, others):
    """Train in a run folder that is thrown away, by the loop that the commands use. Returns its `Turns`."""
    from evaluation.validation import Validator
    from models import clone, save_weights
    from training.loop import LoopOptions, Phase, run_phases
    from training.run_folder import RunFolder
    from training.turns import Turns

    turns = Turns(batches, others, updates=FLAGS.updates)
    steps = turns.steps(FLAGS.turns)
    phase = Phase("bench", step, model, clone(model), steps)
    with tempfile.TemporaryDirectory() as path:
        folder = RunFolder(Path(path), role="student")
        folder.open({}, fixed=set())
        run_phases(
            [phase],
            folder=folder,
            batches=lambda start: turns,
            validator=Validator(store, pictures=1, size=64),
            save_weights=save_weights,
            options=LoopOptions(checkpoint_every=steps, validate_every=steps),
        )
        folder.close()
    return turns


def picture_batches(store, teacher=None):
    """The batches of a run on these pictures."""
    import data

    return data.batches(
        store, batch_size=FLAGS.batch_size, patch_size=FLAGS.patch_size, seed=0, detail=2, teacher=teacher
    )


def teacher_pictures(store, cache_dir):
    """Stand-ins of the teacher's pictures, bicubic ones, for the first pictures of the store: (store of those, their pictures)."""
    from data.bicubic import upscale
    from data.teacher_pictures import open_teacher_pictures

    few = store.subset(_TEACHER_PICTURES)
    pictures = open_teacher_pictures(
        few, upscale=lambda lr: upscale(lr, FLAGS.scale), teacher_key="bicubic", cache_dir=cache_dir
    )
    return few, pictures


def seconds_to_first_step():
    """From the start of `train_student.py` on these pictures until the checkpoint of its first step lies on the disc."""
    pictures = [
        flag.serialize() for flag in FLAGS.flags_by_module_dict()[app.GROUP + "Pictures"] if flag.value is not None
    ]
    with tempfile.TemporaryDirectory() as run:
        command = [sys.executable, _ROOT / "train_student.py", *pictures, f"--student={_STUDENT}", f"--run_dir={run}"]
        command += [f"--batch_size={FLAGS.batch_size}", f"--patch_size={FLAGS.patch_size}", "--checkpoint_every=1"]
        began = time.perf_counter()
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        first = Path(run, "checkpoints/pixel/step-000000001")
        while not first.exists():
            if process.poll() is not None:
                raise UserError(f"train_student.py ended with {process.returncode} before its first step")
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        process.kill()
        process.wait()
    return seconds


def measure():
    """All figures, as JSON values."""
    import numpy as np
    import tensorflow as tf
    from cli.pictures import open_store

    store = open_store("train")
    start_up = seconds_to_first_step()  # now that the pictures are decoded
    rng = np.random.default_rng(0)
    lr = tf.constant(rng.random((FLAGS.batch_size, FLAGS.patch_size, FLAGS.patch_size, 3), np.float32))
    hr = tf.repeat(tf.repeat(lr, FLAGS.scale, axis=1), FLAGS.scale, axis=2)
    fixed = run_loop(*pixel_step(), tf.data.Dataset.from_tensors((lr, hr)).repeat(), store, contenders(lr, hr))
    rows = {"the loop" if name == "loop" else name: _row(fixed, name) for name in fixed.seconds}

    step = bare_step()
    bare = {"bare step": (lambda: step(lr, hr), FLAGS.updates)}
    alone = run_loop(*pixel_step(), picture_batches(store), store, bare)
    with tempfile.TemporaryDirectory() as cache_dir:
        cached = run_loop(*g2g_step(cached=True), picture_batches(*teacher_pictures(store, cache_dir)), store, bare)
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
        "batch": [FLAGS.batch_size, FLAGS.patch_size],
        "cores": len(os.sched_getaffinity(0)),
        "processor": platform.processor() or platform.machine(),
        "date": str(date.today()),
    }


def _row(turns, name):
    """Seconds of an update and its ratio to the bare step, medians over the turns; the ratio turn by turn."""
    import numpy as np

    seconds, bare = (np.array(turns.seconds[key]) for key in (name, "bare step"))
    return {"seconds": float(np.median(seconds)), "ratio": float(np.median(seconds / bare))}


def table(figures):
    """The figures as Markdown."""
    batch_size, patch_size = figures["batch"]
    lines = [f"| {batch_size} × {patch_size}×{patch_size} | ms | × bare step |", "|---|---|---|"]
    lines += [f"| {name} | {1000 * row['seconds']:.0f} | {row['ratio']:.3f} |" for name, row in figures["rows"].items()]
    ratios = {name: row["ratio"] for name, row in figures["rows"].items()}
    gain = ratios["g2g from the cache"] / ratios["update without a teacher"]
    on_pictures = ratios["the loop on pictures, g2g from the cache"] / ratios["the loop on pictures"]
    waits = ", ".join(f"{name} {100 * share:.2f} %" for name, share in figures["data_wait"].items())
    lines += [
        "",
        f"g2g from the cache / without a teacher: {gain:.3f} × on a fixed batch, {on_pictures:.3f} × in the loop on pictures.",
        f"Share of time waiting for data: {waits}.",
        f"From the start of the command to the checkpoint of its first step: {figures['seconds_to_first_step']:.1f} s.",
        f"Peak memory of this process: {figures['peak_mib']:.0f} MiB, the touched part of the mapped pictures among it.",
        f"{figures['pictures']}; {figures['cores']} cores, {figures['processor']}; {figures['date']}.",
    ]
    return "\n".join(lines)


def main():
    """Measure, print the table, write the JSON."""
    figures = measure()
    print(table(figures))
    if FLAGS.output:
        Path(FLAGS.output).write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    _define()
    app.run(main, description=DESCRIPTION)
