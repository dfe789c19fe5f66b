import time

import numpy as np
import pytest

from errors import UserError
from evaluation.latency import measure
from inference.engines import Engine


class Sleeping(Engine):
    """Takes a known time. The first call is slow, as where a graph is traced."""

    scale, receptive_field = 2, 1

    def __init__(self, seconds, log=None, name=None, fixed_size=None):
        self.seconds, self.log, self.name, self.fixed_size = seconds, log, name, fixed_size
        self.calls = 0

    def __call__(self, lr):
        assert lr.dtype == np.float32 and lr.ndim == 4
        if self.log is not None:
            self.log.append((self.name, lr.shape[1:3]))
        time.sleep(self.seconds if self.calls else self.seconds + 0.1)
        self.calls += 1
        return lr.repeat(2, axis=1).repeat(2, axis=2)


def test_times_are_in_order_and_the_first_call_is_not_counted():
    engines = {"slow": Sleeping(0.02), "fast": Sleeping(0.002)}
    latencies = measure(engines, height=4, width=6, repetitions=7, warmup=1, threads=2)
    assert list(latencies) == ["slow", "fast"]
    slow, fast = latencies.values()
    assert 2 <= fast.median_ms < 20 <= slow.median_ms < 90
    assert fast.median_ms <= fast.p90_ms and slow.median_ms <= slow.p90_ms
    assert (slow.repetitions, slow.height, slow.width, slow.threads) == (7, 4, 6, 2)


def test_an_engine_of_8_bits_gets_8_bits():
    class Bytes(Sleeping):
        takes_uint8, seen = True, set()

        def __call__(self, lr):
            self.seen.add(lr.dtype)
            return lr

    measure({"int8": Bytes(0), "float": Sleeping(0)}, height=3, width=5, repetitions=1)
    assert Bytes.seen == {np.dtype(np.uint8)}


def test_repetitions_are_interleaved():
    log = []
    engines = {name: Sleeping(0, log, name) for name in "abc"}
    measure(engines, height=3, width=5, repetitions=2, warmup=1)
    assert log == [(name, (3, 5)) for name in "abc" * 3]


def test_an_engine_of_another_fixed_size_works_in_tiles():
    log = []
    measure({"fixed": Sleeping(0, log, "fixed", fixed_size=(6, 6))}, height=6, width=10, repetitions=1, warmup=0)
    assert log == [("fixed", (6, 6))] * 2


def test_an_engine_that_cannot_run_is_left_out():
    class Broken(Sleeping):
        def __call__(self, lr):
            raise UserError("broken.tflite: cannot run")

    engines, failures = {"broken": Broken(0), "fast": Sleeping(0)}, {}
    times = measure(engines, height=3, width=5, repetitions=2, warmup=1, failures=failures)
    assert list(times) == ["fast"] and failures == {"broken": "broken.tflite: cannot run"}
    with pytest.raises(UserError, match="cannot run"):
        measure(engines, height=3, width=5, repetitions=2)


def test_no_repetitions():
    with pytest.raises(ValueError, match="repetitions 0"):
        measure({}, repetitions=0)
