import numpy as np
import pytest

import models
from errors import UserError
from models.interpolation import interpolate


@pytest.fixture
def two_files(tmp_path):
    paths = tmp_path / "pixel.weights.h5", tmp_path / "gan.weights.h5"
    for path in paths:
        models.save_weights(models.build_generator("rrdb", depth=1, width=4, growth=4), path)
    return paths


def test_weights_lie_between_those_of_the_files(two_files):
    pixel, gan = (models.load_generator(path).get_weights() for path in two_files)
    found = interpolate(*two_files, alpha=0.25).get_weights()
    for a, b, c in zip(pixel, gan, found, strict=True):
        np.testing.assert_allclose(c, 0.75 * a + 0.25 * b, rtol=1e-6, atol=1e-8)
    for end, expected in ((0, pixel), (1, gan)):
        for a, b in zip(interpolate(*two_files, alpha=end).get_weights(), expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_cannot_be_interpolated(two_files, tmp_path):
    with pytest.raises(UserError, match="alpha=1.5: lies outside"):
        interpolate(*two_files, alpha=1.5)
    other = tmp_path / "other.weights.h5"
    models.save_weights(models.build_generator("rrdb", depth=1, width=8, growth=4), other)
    with pytest.raises(UserError, match="other.weights.h5: hold different networks"):
        interpolate(two_files[0], other, alpha=0.5)
