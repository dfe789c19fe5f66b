import pytest

from errors import UserError
from export.budget import Measured, budget_table, largest_within, measure_candidates

ROWS = [Measured(2, 8, 5000, 3.0), Measured(3, 16, 14368, 8.0), Measured(8, 32, 88752, 27.0)]


@pytest.mark.parametrize(("budget", "chosen"), [(3.0, 0), (26.9, 1), (27.0, 2), (1000, 2)])
def test_the_largest_within_the_budget(budget, chosen):
    assert largest_within(ROWS, budget) == ROWS[chosen]


def test_an_impossible_budget_says_what_the_fastest_takes():
    with pytest.raises(UserError, match=r"--budget_ms=0\.5: the smallest student \(2×8\) takes 3\.0 ms"):
        largest_within(ROWS, 0.5)


def test_the_table_marks_the_choice():
    lines = budget_table(ROWS, ROWS[1]).splitlines()
    assert lines[2].split() == ["3×16", "14,368", "8.0", "<-", "chosen"] and "chosen" not in lines[1] + lines[3]


@pytest.mark.slow
def test_measuring_orders_by_size_and_larger_takes_longer():
    rows = measure_candidates(height=60, width=80, candidates=((8, 48), (1, 4)), repetitions=3)
    assert [(row.depth, row.width) for row in rows] == [(1, 4), (8, 48)]
    luma = 37 * 16 + 27 * 48  # the residual of all colours, and the convolution that interpolates the picture
    assert rows[0].parameters == 28 * 4 + 37 * 4 + luma
    assert rows[1].milliseconds > 2 * rows[0].milliseconds
