"""The bar over work that may take a while."""

from collections.abc import Iterable

from tqdm import tqdm


def bar(items: Iterable, label: str) -> Iterable:
    """The items, under a bar that a terminal shows where they take more than two seconds, and that
    goes at the end.
    """
    return tqdm(items, label, unit="", disable=None, delay=2, leave=False)
