"""What a run shows while it runs: a progress bar (or plain lines where there is no terminal) and
TensorBoard; and what it measures for that.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar.summary import pb as custom_scalar_pb
from tqdm import tqdm

from errors import UserError, reason

_SECONDS_BETWEEN_LINES = 20
_CHART = layout_pb2.Chart(title="terms by weight", multiline=layout_pb2.MultilineChartContent(tag=["weighted/.*"]))
_WEIGHTED_IN_ONE_CHART = custom_scalar_pb(
    layout_pb2.Layout(category=[layout_pb2.Category(title="losses", chart=[_CHART])])
)


class Monitor:
    """Flags, scalars and images of one phase to TensorBoard, and its progress to the terminal.

    Use as a context manager.

    logs: TensorBoard folder; None for a worker that is to keep silent.
    offset: steps of the phases before, so that curves of a run follow on one axis.
    """

    def __init__(self, logs: Path | None, *, phase: str, start: int, steps: int, offset: int = 0) -> None:
        self.phase, self.steps, self.offset = phase, steps, offset
        self._logs, self._silent = logs, logs is None
        with self._writing():
            self._writer = tf.summary.create_noop_writer() if self._silent else tf.summary.create_file_writer(str(logs))
        self._bytes = self._written()
        self._terminal = sys.stderr.isatty() and not self._silent
        self._bar = tqdm(total=steps, initial=start, desc=phase, unit="step", disable=not self._terminal)
        self._shown = {}
        self._step = start
        self._first, self._began, self._last_line = start, time.monotonic(), time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._bar.close()
        if not self._terminal and not self._silent and self._step > self._first:
            self._line(self._step)
        with suppress(tf.errors.OpError):  # an error that is under way says more
            self._writer.close()

    @contextmanager
    def _writing(self):
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            raise UserError(f"{self._logs}: TensorBoard's curves could not be written ({reason(error)})") from error

    def advance(self, step: int, shown: dict[str, float] | None = None) -> None:
        """Step `step` is done. shown: {name: number} to show beside the bar from now on."""
        self._shown.update(shown or {})
        if self._terminal:
            self._bar.set_postfix_str(self._text(), refresh=False)
            self._bar.update(step - self._bar.n)
        elif not self._silent and time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._line(step)
        self._step = step

    def _line(self, step):
        self._last_line = time.monotonic()
        rate = (step - self._first) / max(self._last_line - self._began, 1e-9)
        left = tqdm.format_interval((self.steps - step) / rate) if rate else "?"
        logging.info("%s %d/%d, %s left, %s", self.phase, step, self.steps, left, self._text())

    def flags(self, step: int, flags: dict[str, str]) -> None:
        """The run's flags from that step on, as text, and the chart of the weighted terms. flags:
        {name: value as text}.
        """
        rows = "".join(f"| --{name} | {value or '(empty)'} |\n".replace("_", "\\_") for name, value in flags.items())
        with self._writing(), self._writer.as_default(step=self.offset + step):
            tf.summary.text("flags", f"| flag | value |\n|:--|:--|\n{rows}")
            tf.summary.experimental.write_raw_pb(_WEIGHTED_IN_ONE_CHART.SerializeToString())

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """values: {"losses/pixel": 0.1, …}."""
        with self._writing(), self._writer.as_default(step=self.offset + step):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    def pictures(self, step: int, pictures: dict[str, np.ndarray]) -> None:
        """pictures: {name: (1, H, W, 3) float32 in [0, 1]}."""
        with self._writing(), self._writer.as_default(step=self.offset + step):
            for name, picture in pictures.items():
                tf.summary.image(name, picture, max_outputs=1)
        with self._writing():
            self._writer.flush()
            before, self._bytes = self._bytes, self._written()
            if not self._silent and self._bytes == before:  # TensorFlow itself says nothing
                raise OSError("the disc may be full")

    def _written(self):
        """Bytes of curves on disc."""
        return 0 if self._silent else sum(path.stat().st_size for path in Path(self._logs).glob("events*"))

    def _text(self):
        return ", ".join(f"{name} {value:.4g}" for name, value in self._shown.items())


class Interval:
    """Mean terms, images per second, share of the time spent waiting for data.

    Each step leaves one vector of its terms here, on its device: nothing waits for the device
    before `close`.
    """

    def __init__(self) -> None:
        self._lap = time.monotonic()
        self._open()

    def _open(self):
        self._began, self._waited, self._images, self._terms = time.monotonic(), 0.0, 0, []

    @contextmanager
    def waiting(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._waited += time.monotonic() - began

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time in here counts neither in the speed nor in the share of waiting."""
        began = time.monotonic()
        yield
        self._began += time.monotonic() - began

    def add(self, terms: tf.Tensor, *, images: int) -> None:
        """terms: a vector on the device."""
        self._terms.append(terms)
        self._images += images

    def close(self) -> tuple[np.ndarray, dict[str, float]]:
        """(terms (steps, n), charts) since the last close; waits for the device."""
        terms = np.array([vector.numpy() for vector in self._terms])
        elapsed = max(time.monotonic() - self._began, 1e-9)
        charts = {"images_per_second": self._images / elapsed, "data_wait": self._waited / elapsed}
        self._open()
        return terms, charts

    def lap(self) -> float:
        """Seconds since the last lap."""
        now, before = time.monotonic(), self._lap
        self._lap = now
        return now - before
