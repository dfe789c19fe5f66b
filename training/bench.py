"""python -m training.bench: what the loop adds to the bare computation, and what each switch gains, as ratios measured in one run.

Everything is measured interleaved, a few updates of each in turn, because a machine's speed wanders; the medians of the turns are compared. The
networks here are plain stand-ins of the sizes of `compact_s` and of an SRResNet teacher: training knows no network by name.
Prints a table, and JSON with --output.
"""

import argparse
import json
import platform
import resource
import time
from datetime import date

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from training.average import MovingAverage
from training.interval import Interval
from training.optimizers import make_optimizer, make_schedule
from training.steps import PixelStep
from training.update import Update
from training.updates import apply_gradients

_SCALE = 4


def plain_network(*, depth, width, policy="float32"):
    """3×3 convolutions and depth-to-space: (B, h, w, 3) to (B, 4h, 4w, 3), float32."""
    x = lr = keras.Input((None, None, 3))
    for _ in range(depth + 1):
        x = layers.Conv2D(width, 3, padding="same", activation="relu", dtype=policy)(x)
    x = layers.Conv2D(3 * _SCALE**2, 3, padding="same", dtype=policy)(x)
    return keras.Model(lr, ops.depth_to_space(ops.cast(x, "float32"), _SCALE))


class ImitationStep:
    """Half L1 to the original, half to the teacher's picture, from the batch or from a teacher that runs."""

    def __init__(self, *, generator, optimizer, teacher=None):
        self.generator, self.optimizer, self.teacher = generator, optimizer, teacher
        self.state = {"generator": generator, "optimizer": optimizer}

    def __call__(self, lr, hr, sr_teacher=None):
        if self.teacher is not None:
            sr_teacher = self.teacher(lr, training=False)
        with tf.GradientTape() as tape:
            sr = self.generator(lr, training=True)
            loss = 0.5 * ops.mean(ops.abs(hr - sr)) + 0.5 * ops.mean(ops.abs(sr_teacher - sr))
            scaled = self.optimizer.scale_loss(loss)
        apply_gradients(self.optimizer, tape, scaled, self.generator)
        return {"loss": loss}


def _optimizer(model, policy="float32"):
    schedule = make_schedule("cosine", learning_rate=1e-4, steps=1000)
    return make_optimizer(model, schedule=schedule, loss_scaling=policy == "mixed_float16")


def _update(policy="float32", *, jit_compile=False, step=PixelStep, **arguments):
    model = plain_network(depth=8, width=32, policy=policy)
    average = keras.models.clone_model(model)
    if step is PixelStep:
        arguments["pixel_loss"] = lambda hr, sr: ops.mean(ops.abs(hr - sr))
    step = step(generator=model, optimizer=_optimizer(model, policy), **arguments)
    return Update(step, MovingAverage(model=model, average=average, decay=0.999), jit_compile=jit_compile)


def _bare():
    """The least that training costs: gradients and Keras' own Adam, on a fixed batch."""
    model = plain_network(depth=8, width=32)
    optimizer = keras.optimizers.Adam(1e-4)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(lr, hr):
        with tf.GradientTape() as tape:
            loss = ops.mean(ops.abs(hr - model(lr, training=True)))
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return step


def contenders(*, batch_size, patch_size, jit_compile):
    """{name: a function that does one update}."""
    rng = np.random.default_rng(0)
    lr = tf.constant(rng.random((batch_size, patch_size, patch_size, 3), np.float32))
    hr = tf.image.resize(lr, [patch_size * _SCALE] * 2)
    interval, bare = Interval(), _bare()
    loop = _update()
    cached, live = _update(step=ImitationStep), _update(step=ImitationStep, teacher=plain_network(depth=33, width=64))

    def in_the_loop():
        with interval.waiting():
            batch = (lr, hr)
        interval.add(loop(batch), images=batch_size)

    found = {
        "bare step": lambda: bare(lr, hr),
        "step in the loop": in_the_loop,
        "student from cached teacher": lambda: cached((lr, hr, hr)),
        "student from live teacher": lambda: live((lr, hr)),
    }
    for policy in ("mixed_bfloat16", "mixed_float16")[
        : 2 if tf.config.list_physical_devices("GPU") else 1
    ]:  # CPUs crawl
        update = _update(policy)
        found[policy] = lambda update=update: update((lr, hr))
    if jit_compile:
        compiled = _update(jit_compile=True)
        found["jit_compile"] = lambda: compiled((lr, hr))
    return found


def measure(functions, *, turns, updates):
    """{name: median seconds of an update} of functions called in turn."""
    for function in functions.values():
        function()
    seconds = {name: [] for name in functions}
    for _ in range(turns):
        for name, function in functions.items():
            began = time.perf_counter()
            for _ in range(updates):
                function()
            if tf.config.list_physical_devices("GPU"):
                tf.test.experimental.sync_devices()  # a CPU has finished anyway
            seconds[name].append((time.perf_counter() - began) / updates)
    return {name: float(np.median(values)) for name, values in seconds.items()}


def main():
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--patch_size", type=int, default=48)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--updates", type=int, default=5, help="of each contender in a turn")
    parser.add_argument("--jit_compile", action="store_true", help="measure XLA too")
    parser.add_argument("--output", help="JSON file")
    options = parser.parse_args()
    functions = contenders(
        batch_size=options.batch_size, patch_size=options.patch_size, jit_compile=options.jit_compile
    )
    seconds = measure(functions, turns=options.turns, updates=options.updates)
    base = seconds["bare step"]
    print(f"| {options.batch_size} × {options.patch_size}×{options.patch_size} | ms | × bare step |\n|---|---|---|")
    for name, value in seconds.items():
        print(f"| {name} | {1000 * value:.1f} | {value / base:.3f} |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory of the process: {peak:.0f} MiB; {platform.processor() or platform.machine()}, {date.today()}")
    if options.output:
        with open(options.output, "w") as file:
            json.dump(
                {"seconds": seconds, "peak_mib": peak, "date": str(date.today()), **vars(options)}, file, indent=2
            )


if __name__ == "__main__":
    main()
