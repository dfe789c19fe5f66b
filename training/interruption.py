"""SIGTERM and SIGINT during training: the first asks the loop to save and stop, a second one stops at once."""

import os
import signal
import threading

from absl import logging

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interruption:
    """Catches the two signals while it is entered. `requested` is the signal that came, or None.

    Outside of the main thread, where Python allows no handlers, it catches nothing.
    """

    def __init__(self):
        self.requested = None
        self._before = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number, _frame):
        if self.requested is not None:
            os._exit(128 + number)
        self.requested = signal.Signals(number)

    def leave(self, saved):
        """End the process with 128 + the signal's number (143, 130), saying where the state lies."""
        logging.info("%s: saved %s; the same command goes on from there", self.requested.name, saved)
        raise SystemExit(128 + self.requested)
