"""Notices when a run is sick: losses or gradients that are not finite.

The optimizers pass over a sick update by themselves (`training.optimizers.Adam`); here their counts
are read, and what was sick is given a name.
"""

from typing import Any

import numpy as np
from absl import logging

from training.optimizers import Adam

SICK_IN_A_ROW = 5


class SickRunError(Exception):
    """Too many sick updates in a row. The message names the term."""


class Health:
    """Watches the optimizers in a step's `state`, and its terms."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.optimizers = {name: item for name, item in state.items() if isinstance(item, Adam)}
        self._known = 0
        self._cause = "loss or gradient"

    @property
    def skipped(self) -> int:
        """Updates passed over since the phase began."""
        return sum(int(optimizer.sick.numpy()) for optimizer in self.optimizers.values())

    @property
    def in_a_row(self) -> int:
        """Updates passed over since the last sound one, of the optimizer that fares worst."""
        return max((int(optimizer.sick_in_a_row.numpy()) for optimizer in self.optimizers.values()), default=0)

    def look(self, step: int, names: np.ndarray, terms: np.ndarray) -> None:
        """Warn of updates passed over since the last look. terms: (steps, len(names)).

        Raises SickRunError when they are too many in a row.
        """
        sick = names[~np.isfinite(terms).all(axis=0)]
        gradients = [name for name, optimizer in self.optimizers.items() if optimizer.sick_in_a_row.numpy()]
        if len(sick):
            self._cause = f"loss term {', '.join(sick)}"
        elif gradients:
            self._cause = f"gradient given to the {', '.join(gradients).replace('_', ' ')}"
        skipped, before, self._known = self.skipped, self._known, self.skipped
        if skipped > before:
            logging.warning("step %d: %s not finite; %d updates skipped", step, self._cause, skipped - before)
        if self.in_a_row >= SICK_IN_A_ROW:
            raise SickRunError(f"{self._cause} not finite, {self.in_a_row} updates in a row")

    def begin(self) -> None:
        """Take the counts as they are: after a restore."""
        self._known = self.skipped


def finite_means(names: np.ndarray, terms: np.ndarray) -> dict[str, float]:
    """{name: mean over the steps whose value is finite}; NaN where none is."""
    return {
        name: float(np.mean(column[np.isfinite(column)])) if np.isfinite(column).any() else float("nan")
        for name, column in zip(names, terms.T, strict=True)
    }
