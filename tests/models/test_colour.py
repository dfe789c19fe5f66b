"""Colours stay after a short training of every student.

What is white, black or grey in the small image is so in the large one.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from skimage import data as photographs

import models
from losses.pixel import mae_loss
from training.optimizers import make_optimizer, make_schedule
from training.step import Step, pixel
from training.update import MovingAverage

STEPS, BATCH, SIDE = 500, 8, 12
STUDENTS = [name for name in models.GENERATORS if name not in ("srresnet", "edsr_8x64", "rrdb", "rrdb_11x32", "srvgg")]


def batches():
    """Crops of two photographs, half of them; the rest flat, as much of an image is, of any colour
    and of the extremes.
    """
    pictures = [photographs.astronaut()[:512, :512] / np.float32(255), photographs.coffee() / np.float32(255)]
    small = [hr.reshape(hr.shape[0] // 4, 4, hr.shape[1] // 4, 4, 3).mean((1, 3)) for hr in pictures]
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        lr = np.empty((BATCH, SIDE, SIDE, 3), np.float32)
        hr = np.empty((BATCH, 4 * SIDE, 4 * SIDE, 3), np.float32)
        for i in range(BATCH):
            if i % 2:
                lr[i] = hr[i] = rng.random(3) if rng.random() < 0.5 else rng.choice([0.0, 0.5, 1.0])
                continue
            which = rng.integers(2)
            y, x = (rng.integers(side - SIDE + 1) for side in small[which].shape[:2])
            lr[i] = small[which][y : y + SIDE, x : x + SIDE]
            hr[i] = pictures[which][4 * y : 4 * (y + SIDE), 4 * x : 4 * (x + SIDE)]
        yield tf.constant(lr), tf.constant(hr)


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDENTS)
def test_white_black_and_grey_stay(name):
    keras.utils.set_random_seed(0)
    model = models.build_generator(name)
    optimizer = make_optimizer(model, schedule=make_schedule("cosine", learning_rate=3e-3, steps=STEPS))
    step = Step(generator=model, optimizer=optimizer, terms=[pixel(1.0, mae_loss)])
    mean = MovingAverage(model=model, average=models.clone(model), decay=0.99)

    @tf.function
    def update(lr, hr):
        step(lr, hr)
        mean.update()

    for lr, hr in batches():
        update(lr, hr)
    margin = model.receptive_field + 1  # what the border's padding reaches says little about colour
    for level in (0, 128, 255):
        lr = np.full((1, 2 * margin + 8, 2 * margin + 8, 3), level / 255, np.float32)
        sr = np.clip(mean.average(lr, training=False), 0, 1)[0, 4 * margin : -4 * margin, 4 * margin : -4 * margin]
        error = np.abs(255 * sr - level).max()
        assert error <= 2, f"{name}: {level} is off by {error:.1f} of 255"
