"""What the steps between two log entries add up to."""

import time
from contextlib import contextmanager

import numpy as np


class Interval:
    """Mean terms, images per second, share of the time spent waiting for data.

    Each step leaves one vector of its terms here, on its device: nothing waits for the device before `close`.
    """

    def __init__(self):
        self._lap = time.monotonic()
        self._open()

    def _open(self):
        self._began, self._waited, self._images, self._terms = time.monotonic(), 0.0, 0, []

    @contextmanager
    def waiting(self):
        began = time.monotonic()
        yield
        self._waited += time.monotonic() - began

    @contextmanager
    def paused(self):
        """Time in here is no training time: it counts in neither figure."""
        began = time.monotonic()
        yield
        self._began += time.monotonic() - began

    def add(self, terms, *, images):
        """terms: a vector on the device."""
        self._terms.append(terms)
        self._images += images

    def close(self):
        """(terms (steps, n), charts) since the last close; waits for the device."""
        terms = np.array([vector.numpy() for vector in self._terms])
        elapsed = max(time.monotonic() - self._began, 1e-9)
        charts = {"images_per_second": self._images / elapsed, "data_wait": self._waited / elapsed}
        self._open()
        return terms, charts

    def lap(self):
        """Seconds since the last lap."""
        now, before = time.monotonic(), self._lap
        self._lap = now
        return now - before
