"""From settings to losses and optimizers."""

import numpy as np
import pytest

import models
from errors import UserError
from settings.training import Losses, TrainStudent
from training.job import Job, content_loss


def job(**values):
    model = models.build_generator("compact_xs", depth=1, width=4)
    return Job(TrainStudent().with_values(**values), model, models.clone(model))


def test_the_grid_adds_to_the_content_term():
    hr = np.zeros((1, 32, 32, 3), "float32")
    striped = hr + np.float32([[0.5], [0.25]] * 16)
    plain = content_loss(Losses(content_loss="pixel"), scale=4)
    grid = content_loss(Losses(content_loss="pixel", grid_weight=2.0), scale=4)
    assert float(plain(hr, striped)) == pytest.approx(0.375)
    assert float(grid(hr, striped)) == pytest.approx(0.375 + 2 * 0.125)  # the stripes lie 0.125 from their mean


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"decay_steps": ("abc",), "schedule": "step"}, "--decay_steps=abc: wants whole numbers"),
        ({"decay_steps": ("0",), "schedule": "step"}, "--decay_steps=0: wants numbers from 1 on"),
        ({"warmup_steps": 11, "steps": 10}, "--warmup_steps=11: the phase has 10 steps"),
    ],
)
def test_schedules_that_cannot_be_are_refused(values, said):
    with pytest.raises(UserError, match=said):
        job(**values).optimizer(10)
