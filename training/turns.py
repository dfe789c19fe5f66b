"""The loop takes turns with what it is compared with: a machine's speed wanders, and only neighbours in time compare."""

import time

import tensorflow as tf

_WARM_UP = 6  # updates of the loop that use up what the data threads prepared during the turns of others; not measured


class Turns:
    """The batches of a run; asked for one at the end of a turn, it first lets the others have theirs.

    others: {name: (function that does one update, updates in a turn)}. seconds: {name: [seconds of an update, a turn each]}, "loop" among the
    names. waits: shares of the loop's time spent waiting for `batches`.
    """

    def __init__(self, batches, others, *, updates):
        self._batches, self._others, self._updates = iter(batches), others, updates
        self._taken = 0
        self.seconds = {name: [] for name in ["loop", *others]}
        self.waits = []
        for update, _ in others.values():
            update()  # compiles

    def steps(self, turns):
        """How many steps a run needs for so many turns: the last one is never waited for."""
        return turns * (_WARM_UP + self._updates) + 1

    def __iter__(self):
        return self

    def __next__(self):
        position = self._taken % (_WARM_UP + self._updates)
        self._taken += 1
        if position == 0 and self._taken > 1:
            self._close()
            for name, (update, updates) in self._others.items():
                self.seconds[name].append(_seconds(update, updates))
        if position == _WARM_UP:
            _finish()
            self._began, self._waited = time.perf_counter(), 0.0
        asked = time.perf_counter()
        batch = next(self._batches)
        if position >= _WARM_UP:
            self._waited += time.perf_counter() - asked
        return batch

    def _close(self):
        _finish()
        elapsed = time.perf_counter() - self._began
        self.seconds["loop"].append(elapsed / self._updates)
        self.waits.append(self._waited / elapsed)


def _seconds(update, updates):
    update()  # what ran before has filled the caches with other things
    _finish()
    began = time.perf_counter()
    for _ in range(updates):
        update()
    _finish()
    return (time.perf_counter() - began) / updates


def _finish():
    """Wait for the GPU; a CPU has finished by the time a call returns."""
    if tf.config.list_physical_devices("GPU"):
        tf.test.experimental.sync_devices()
