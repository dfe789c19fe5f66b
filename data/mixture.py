"""data/mixture.py: two stores for one run, whose crops share every batch."""

from dataclasses import dataclass

import numpy as np

from data.store import PictureStore
from errors import UserError


@dataclass(frozen=True)
class Mixture:
    """Two stores for training. Each row of a batch comes from one of them (`labelled_rows`).

    unlabelled: a store whose labels are a teacher's images; labelled: one with originals, of the
    same scale. share: of the rows of a batch that come from `labelled`, above 0 and below 1.
    names, lr_shape, len: of the images of both, the unlabelled ones first.
    """

    unlabelled: PictureStore
    labelled: PictureStore
    share: float

    @property
    def scale(self) -> int:
        """HR pixels per LR pixel along a side."""
        return self.unlabelled.scale

    @property
    def names(self) -> list[str]:
        """Of all images."""
        return [*self.unlabelled.names, *self.labelled.names]

    @property
    def description(self) -> str:
        """One line for reports."""
        return f"{self.unlabelled.description}; {self.share:g} of each batch: {self.labelled.description}"

    def __len__(self) -> int:
        return len(self.unlabelled) + len(self.labelled)

    def lr_shape(self, i: int) -> tuple[int, int]:
        """(height, width) of the i-th LR image."""
        first = len(self.unlabelled)
        return self.unlabelled.lr_shape(i) if i < first else self.labelled.lr_shape(i - first)


def labelled_rows(batch_size: int, share: float) -> np.ndarray:
    """Which rows of a batch are labelled: (batch_size,) bool, as many as the share says, rounded,
    and evenly spread.

    Spread, so that the parts of a batch (devices, --accumulate) hold about as many each. Raises
    UserError where it is none or all.
    """
    count = round(batch_size * share)
    if not 0 < count < batch_size:
        raise UserError(
            f"--labelled_share={share:g}: that is {count} of the {batch_size} crops of a batch (--batch_size), where both kinds "
            "of images need one"
        )
    rows = np.arange(batch_size)
    return (rows + 1) * count // batch_size > rows * count // batch_size
