"""The one training loop: batches in, updates out, with validation, the kept weights, checkpoints
and logs on the way.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf
from absl import logging

from errors import UserError, reason
from evaluation.validation import Validator
from training.checkpoints import Checkpoints
from training.distribution import agree, is_chief, share_from_chief, worker
from training.health import Health, SickRunError, finite_means
from training.interruption import Interruption
from training.monitor import Interval, Monitor
from training.optimizers import Adam, current_learning_rate
from training.run_folder import RunFolder
from training.update import MovingAverage, Update


@dataclass
class Phase:
    """One stretch of training with one step.

    model: the network it trains; average: a second one of the same form, for the moving average.
    keep: "best" keeps the weights with the best validation metric, "last" the last ones, for phases
    whose aim the metric does not measure (adversarial training lowers PSNR).
    begins: for a side branch, the phase whose result it begins with. The phases after it begin
    where they would without it, and its result is not that of the run. weights: {term: its weight
    in the loss}, for the curves of the weighted terms.
    optimizers: {name: optimizer}, for the learning-rate curves. beside: {name: network} to save as
    <name>.weights.h5 whenever the weights are kept.
    """

    name: str
    step: Callable[..., dict[str, tf.Tensor]]
    model: keras.Model
    average: keras.Model
    steps: int
    keep: str = "best"
    optimizers: dict[str, Adam] = field(default_factory=dict)
    beside: dict[str, keras.Model] = field(default_factory=dict)
    begins: str | None = None
    weights: dict[str, float] = field(default_factory=dict)


@dataclass
class LoopOptions:
    """How often, and how much: steps between checkpoints, validations and log entries, checkpoints
    kept, decay of the average.

    accumulate: parts that a batch is cut into, whose gradients add up to one update. jit_compile:
    let XLA compile the update.
    """

    checkpoint_every: int = 1000
    validate_every: int = 1000
    log_every: int = 20
    keep: int = 3
    average_decay: float = 0.999
    accumulate: int = 1
    jit_compile: bool = False


def run_phases(
    phases: Sequence[Phase],
    *,
    folder: RunFolder,
    batches: Callable[[int], tf.data.Dataset],
    validator: Validator,
    save_weights: Callable[..., None],
    options: LoopOptions,
) -> list[dict[str, Any]]:
    """Train phase after phase in one run folder.

    Each begins with the weights that the one before kept, or those of `Phase.begins`, and goes on
    with the batches after it. Finished phases are passed over.

    batches: `f(start)` gives the run's batches (lr, hr) from number `start` on. validator:
    `metrics(model)` gives {name: number}, the first the one to rank by, higher is better;
    `pictures(model)` gives {name: (1, H, W, 3)}; `identity` says what it measures, in words:
    metrics compare only where it is the same. save_weights: `f(model, path, **facts)`.
    Returns a list with a summary dict per phase. Raises UserError for what the user can put right,
    SystemExit after a signal.
    """
    summaries, ends, before = [], {None: 0}, None  # ends: the first batch after each phase
    with Interruption() as interruption:
        folder.begin()
        for i, phase in enumerate(phases):
            begun_after = [later.name for later in _standing_on(phases, i) if folder.begun(later.name)]
            summary = folder.finished(phase.name, steps=phase.steps, begun_after=begun_after)
            source = phase.begins or before
            if not agree(summary is not None):
                if source and not agree(folder.begun(phase.name)):  # begun, it has them in its checkpoints
                    _take_over(phase.model, folder, source)
                run = _PhaseRun(
                    phase, offset=ends[source], folder=folder, validator=validator, save=save_weights, options=options
                )
                summary = run.run(batches, interruption)
            summaries.append(summary)
            if is_chief() and not begun_after:
                # The last of those that have begun is the result of the run, if it is no side
                # branch.
                folder.sound_phase_weights(phase.name, result=phase.begins is None)
            ends[phase.name] = ends[source] + phase.steps
            before = before if phase.begins else phase.name
        _take_over(phases[-1].model, folder, before)
    return summaries


def _standing_on(phases, i):
    """The phases that begin, directly or by way of others, with the result of phase i."""
    phase = phases[i]
    chain = [] if phase.begins else [later for later in phases[i + 1 :] if later.begins is None]
    names = {phase.name, *(later.name for later in chain)}
    return [later for later in phases[i + 1 :] if later in chain or later.begins in names]


def _take_over(model, folder, name):
    """Fill `model` with what the phase kept."""
    if is_chief():
        _fill(model, folder.sound_phase_weights(name))
    share_from_chief([variable.value for variable in model.variables])


def _fill(model, path):
    try:
        model.load_weights(path)
    except Exception as error:  # Keras and h5py raise whatever a damaged file leads them to
        raise UserError(f"{path}: cannot be read ({reason(error)}); begin again with --new_run") from error


class _PhaseRun:
    """One phase under way."""

    def __init__(self, phase, *, offset, folder, validator, save, options):
        self.phase, self.offset, self.folder = phase, offset, folder
        self.validator, self.save, self.options = validator, save, options
        self.mean = MovingAverage(model=phase.model, average=phase.average, decay=options.average_decay)
        self.best = tf.Variable(-math.inf, dtype=tf.float64, trainable=False)
        self.seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self.retreats = tf.Variable(0, dtype=tf.int64, trainable=False)
        state = {**phase.step.state, **self.mean.state}
        state |= {"best": self.best, "seconds": self.seconds, "retreats": self.retreats}
        self.checkpoints = Checkpoints(folder.checkpoints(phase.name), state, keep=options.keep)
        self.health = Health(phase.step.state)
        self.update = Update(phase.step, self.mean, parts=options.accumulate, jit_compile=options.jit_compile)
        self.kept = self.saved = None

    def run(self, batches, interruption):
        self.interruption = interruption
        start = self._restore()
        if start is not None:
            logging.info("%s: goes on from step %d of %d", self.phase.name, start, self.phase.steps)
        logs = self.folder.logs / (self.phase.name if self.phase.begins else "")  # a side branch has curves of its own
        with Monitor(
            logs if is_chief() else None,
            phase=self.phase.name,
            start=start or 0,
            steps=self.phase.steps,
            offset=self.offset,
        ) as self.monitor:
            self.monitor.flags(start or 0, self.folder.flags)
            if start is None:
                self.mean.restart()
                self._validate(start := 0)
                self._save(0)
            elif not self.folder.phase_weights(self.phase.name).exists():
                self.best.assign(-math.inf)
                self._validate(start)
            elif is_chief() and self.phase.keep == "best":
                self._compare_validation(start)
            while start < self.phase.steps:
                try:
                    start = self._train(start, iter(batches(self.offset + start)))
                except SickRunError as sick:
                    start = self._retreat(sick)
        summary = {
            "phase": self.phase.name,
            "steps": self.phase.steps,
            "seconds": round(float(self.seconds.numpy()), 1),
            "skipped_updates": self.health.skipped,
            "kept": self.phase.keep,
            "validation": self.validator.identity,
            "metrics": self._kept_metrics() if is_chief() else {},
        }
        if is_chief():
            self.folder.finish(self.phase.name, summary)
        return summary

    def _restore(self):
        """The step of the newest sound checkpoint, now in the networks of every worker; None where
        there is none.
        """
        start = self.checkpoints.restore() if is_chief() else None
        start = agree(-1 if start is None else start)
        if start < 0:
            return None
        if start > self.phase.steps:
            raise UserError(
                f"{self.checkpoints.folder}: stands at step {start} already, beyond the {self.phase.steps} of this command; "
                "raise the number of steps, or --new_run"
            )
        share_from_chief(self.checkpoints.variables)
        self.health.begin()
        return start

    def _retreat(self, sick):
        """Back to the last good checkpoint at half the learning rate, once."""
        if int(self.retreats.numpy()):
            raise UserError(
                f"{self.phase.name}: {sick}, at half the learning rate too; the last good checkpoint is {self.checkpoints.newest()}. "
                "Lower --learning_rate, or set --clip_norm"
            ) from sick
        best = float(self.best.numpy())  # of the weights that are kept, which go back to no older ones
        start = self._restore()
        if start is None:
            raise UserError(f"{self.phase.name}: {sick}, and there is no checkpoint to go back to") from sick
        self.best.assign(best)
        self.retreats.assign(1)
        for optimizer in self.health.optimizers.values():
            optimizer.rate_factor.assign(optimizer.rate_factor * 0.5)
        logging.warning("%s: %s; back to step %d at half the learning rate", self.phase.name, sick, start)
        return start

    def _train(self, start, iterator):
        options, interval = self.options, Interval()
        for step in range(start + 1, self.phase.steps + 1):
            final, stop = step == self.phase.steps, self.interruption.requested
            with interval.waiting():
                batch = self._next(iterator)
            interval.add(self._updated(batch), images=batch[0].shape[0] * worker()[1])
            self.folder.settle(f"{self.phase.name} step {step}")
            self.monitor.advance(step)
            validate = step % options.validate_every == 0 or final
            save = step % options.checkpoint_every == 0 or final or stop
            if step % options.log_every == 0 or final:
                self._log(step, interval.close())
            with interval.paused():
                if validate:
                    self._validate(step)
                if save:
                    self.seconds.assign_add(interval.lap())
                    self._save(step, final=final)
            if stop and not final:
                self.interruption.leave(self._where())
        return self.phase.steps

    def _next(self, iterator):
        try:
            return next(iterator)
        except tf.errors.OpError as error:
            why = str(error).split("Error: ", 1)[-1].splitlines()[0]
            raise UserError(f"a batch could not be read: {why}") from error

    def _updated(self, batch):
        try:
            return self.update(batch)
        except tf.errors.ResourceExhaustedError as error:
            raise UserError("out of memory: lower --batch_size or --patch_size, or raise --accumulate") from error
        except tf.errors.OpError as error:
            if worker()[1] == 1:
                raise
            raise UserError(
                f"another worker is gone or out of reach ({reason(error, 120)}); start all workers again with the "
                "same command: they go on from the last checkpoint"
            ) from error

    def _log(self, step, closed):
        terms, charts = closed
        means = finite_means(self.update.names, terms)
        rates = {f"learning_rate_{k}": current_learning_rate(v) for k, v in self.phase.optimizers.items()}
        charts = {**rates, **charts, "skipped_updates": self.health.skipped}
        losses = {f"losses/{name}": value for name, value in means.items()}
        losses |= {f"weighted/{name}": weight * means[name] for name, weight in self.phase.weights.items()}
        self.monitor.scalars(step, {**losses, **{f"charts/{name}": value for name, value in charts.items()}})
        self.monitor.advance(step, {**means, "images/s": charts["images_per_second"]})
        self.health.look(step, self.update.names, terms)

    def _save(self, step, *, final=False):
        """Save, except in the middle of a sickness: the checkpoints are what to go back to."""
        self.saved = None
        if is_chief() and (final or not self.health.in_a_row):
            self.folder.writes(self.checkpoints.path(step))
            self.saved = self.checkpoints.save(step, validation=self.validator.identity)

    def _where(self):
        """What an interrupted run leaves to go on from."""
        if self.saved:
            return f"saved {self.saved}"
        return (
            f"nothing saved amid invalid updates; the last is {self.checkpoints.newest()}" if is_chief() else "stopped"
        )

    def _compare_validation(self, start):
        """Where the checkpoint's best was measured on other images or sizes than now, measure the
        kept weights again.
        """
        before, now = self.checkpoints.facts.get("validation", "not recorded"), self.validator.identity
        if before == now:
            return
        logging.info("validation has changed (was: %s; is: %s); measuring the kept weights again", before, now)
        current = [variable.numpy() for variable in self.phase.average.variables]
        _fill(self.phase.average, self.folder.phase_weights(self.phase.name))
        self.kept = self._measure()
        for variable, value in zip(self.phase.average.variables, current, strict=True):
            variable.assign(value)
        best = next(iter(self.kept.values()))
        self.best.assign(-math.inf if math.isnan(best) else best)
        self._validate(start)

    def _measure(self):
        return {name: float(value) for name, value in self.validator.metrics(self.mean.average).items()}

    def _kept_metrics(self):
        """Of the weights that the phase kept; measured again where the process that kept them is
        gone.
        """
        if self.kept is None:
            _fill(self.phase.average, self.folder.phase_weights(self.phase.name))
            self.kept = self._measure()
        return self.kept

    def _validate(self, step):
        """Measure the averaged weights and keep them where they deserve it."""
        if not is_chief():
            return
        metrics = self._measure()
        first = next(iter(metrics))
        self.monitor.scalars(step, {f"metrics/{name}": value for name, value in metrics.items()})
        self.monitor.pictures(step, self.validator.pictures(self.mean.average))
        self.monitor.advance(step, {f"validation {first}": metrics[first]})
        paths, beside = [self.folder.last_weights], {}
        if self.phase.keep == "last" or metrics[first] > float(self.best.numpy()):
            self.best.assign(metrics[first])
            self.kept = metrics
            paths.append(self.folder.phase_weights(self.phase.name))
            paths += [] if self.phase.begins else [self.folder.weights]
            beside = {self.folder.beside_weights(name): network for name, network in self.phase.beside.items()}
        for path, network in {**dict.fromkeys(paths, self.mean.average), **beside}.items():
            try:
                facts = {"metrics": metrics, "validation": self.validator.identity}
                self.save(network, self.folder.writes(path), phase=self.phase.name, step=step, **facts)
            except (OSError, RuntimeError, ValueError) as error:  # h5py raises all three on a full disc
                raise UserError(f"{path}: the weights could not be written ({reason(error)})") from error
