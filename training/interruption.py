"""SIGTERM, SIGINT and SIGHUP during training: the first asks the loop to save and stop, a second
one stops at once.
"""

import os
import signal
import socket
import threading
from typing import NoReturn

from absl import logging

# Windows has no SIGHUP.
_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]


class Interruption:
    """Catches the signals while it is entered, but for those that are ignored (nohup ignores
    SIGHUP). `requested` is the one that came, or None.

    A thread of its own hears of them through Python's wake-up socket: Python's handlers would wait
    for a step that is under way, and take two signals that come meanwhile for one. Outside of the
    main thread, where Python allows no handlers, it catches nothing.
    """

    def __init__(self):
        self.requested = None
        self._before = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self._ear, self._mouth = socket.socketpair()
            self._mouth.setblocking(False)
            self._wakeup_before = signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)
            threading.Thread(target=self._listen, daemon=True).start()
            heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, lambda *_: None) for number in heard}
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._before:
            signal.set_wakeup_fd(self._wakeup_before)
            self._mouth.close()

    def _listen(self):
        """One byte for each signal, its number; none when the other end is closed."""
        with self._ear:
            while numbers := self._ear.recv(1):
                if numbers[0] not in _SIGNALS:
                    continue
                if self.requested is not None:
                    os._exit(128 + numbers[0])
                self.requested = signal.Signals(numbers[0])

    def leave(self, saved: str) -> NoReturn:
        """End the process with 128 + the signal's number (143, 130, 129). saved: what now lies
        where, in words.
        """
        logging.info("%s: %s; the same command goes on from there", self.requested.name, saved)
        raise SystemExit(128 + self.requested)
