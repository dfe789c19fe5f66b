"""The sample photographs that come with scikit-image."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from data.sample import sample


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_pairs_are_colour_photographs_of_the_scale(scale):
    train = {name: (hr, lr) for name, hr, lr in sample(split="train", scale=scale).pairs()}
    validation = {name: (hr, lr) for name, hr, lr in sample(split="validation", scale=scale).pairs()}
    assert (len(train), list(validation)) == (6, ["astronaut.png"])
    for hr, lr in (train | validation).values():
        assert hr.dtype == lr.dtype == np.uint8
        assert hr.shape == (lr.shape[0] * scale, lr.shape[1] * scale, 3)
        assert min(hr.shape[:2]) >= 298
        assert hr.reshape(-1, 3).std(axis=1).mean() > 3  # colour, not three copies of grey


def test_lr_shows_the_same_picture():
    """A block mean of HR is a crude downscale: a misaligned or foreign LR would fall far below 25
    dB.
    """
    for name, hr, lr in sample(split="train", scale=4).pairs():
        block_mean = hr.reshape(lr.shape[0], 4, lr.shape[1], 4, 3).mean(axis=(1, 3))
        assert peak_signal_noise_ratio(block_mean / 255, lr / 255, data_range=1.0) > 25, name


def test_other_splits_are_refused():
    with pytest.raises(ValueError, match="'test'"):
        sample(split="test")
