"""Parts of images, by their places."""

import numpy as np
import pytest

from data.cutting import crop_to_multiple, even_grid, middle

IMAGE = np.arange(11 * 14).reshape(11, 14)


def test_middle_leaves_as_much_on_either_side_and_short_sides_whole():
    np.testing.assert_array_equal(middle(IMAGE, (5, 4)), IMAGE[3:8, 5:9])
    np.testing.assert_array_equal(middle(IMAGE, (4, 20)), IMAGE[3:7])
    assert np.shares_memory(middle(IMAGE, (5, 4)), IMAGE)


@pytest.mark.parametrize("size", [(1, 1), (4, 5), (10, 3), (11, 20)])
def test_middles_of_a_pair_show_the_same(size):
    hr = IMAGE.repeat(3, 0).repeat(3, 1)
    expected = middle(IMAGE, size).repeat(3, 0).repeat(3, 1)
    np.testing.assert_array_equal(middle(hr, (3 * size[0], 3 * size[1]), unit=3), expected)


def test_an_even_grid_covers_the_whole_multiples_of_its_unit():
    parts = even_grid(IMAGE, counts=(2, 3), unit=2)
    assert [part.shape for part in parts] == [(4, 4), (4, 4), (4, 6), (6, 4), (6, 4), (6, 6)]
    rows = [np.concatenate(parts[:3], axis=1), np.concatenate(parts[3:], axis=1)]
    np.testing.assert_array_equal(np.concatenate(rows), IMAGE[:10])


def test_crop_to_multiple_cuts_bottom_and_right():
    np.testing.assert_array_equal(crop_to_multiple(IMAGE, 4), IMAGE[:8, :12])
    with pytest.raises(ValueError, match="3x9"):
        crop_to_multiple(np.zeros((3, 9)), 4)
