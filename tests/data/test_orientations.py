"""The eight orientations, on a 2 x 3 image worked out by hand."""

import numpy as np
import pytest

from data.orientations import inverse_orient, orient

A, B, C, D, E, F = range(6)
BY_HAND = {
    0: [[A, B, C], [D, E, F]],
    1: [[C, F], [B, E], [A, D]],
    2: [[F, E, D], [C, B, A]],
    3: [[D, A], [E, B], [F, C]],
    4: [[C, B, A], [F, E, D]],
    5: [[A, D], [B, E], [C, F]],
    6: [[D, E, F], [A, B, C]],
    7: [[F, C], [E, B], [D, A]],
}


@pytest.mark.parametrize("k", range(8))
def test_orient_by_hand_and_back(k):
    image = np.array([[A, B, C], [D, E, F]])[..., np.newaxis]
    turned = orient(image, k)
    assert turned[..., 0].tolist() == BY_HAND[k]
    np.testing.assert_array_equal(inverse_orient(turned, k), image)


def test_leading_axes_are_left_alone():
    images = np.random.default_rng(0).random((2, 5, 4, 6, 3))
    for k in range(8):
        np.testing.assert_array_equal(orient(images, k)[1, 3], orient(images[1, 3], k))
        np.testing.assert_array_equal(inverse_orient(orient(images, k), k), images)


def test_others_are_refused():
    for k in (-1, 8):
        with pytest.raises(ValueError, match=str(k)):
            orient(np.zeros((2, 2, 1)), k)
