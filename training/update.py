"""One update of a phase as one compiled function: the step on every replica and every part of the
batch, then the moving average.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from training.distribution import distribute
from training.health import Health


class MovingAverage:
    """Keeps `average`, a second network of the same form, as the running mean of `model`.

    The decay of update n is min(decay, (1 + n) / (10 + n)), so that the first, random weights are
    soon forgotten; Keras' `use_ema` has one decay throughout, and leaves the statistics of batch
    normalisation out.
    """

    def __init__(self, *, model: keras.Model, average: keras.Model, decay: float) -> None:
        self.model, self.average, self.decay = model, average, decay
        self.updates = tf.Variable(0, dtype=tf.int64, trainable=False, name="average_updates")
        self.state = {"average": average, "average_updates": self.updates}

    def restart(self) -> None:
        """Begin again from the model as it is."""
        self.updates.assign(0)
        for mean, weight in zip(self.average.weights, self.model.weights, strict=True):
            mean.assign(weight)

    def update(self) -> None:
        """Move the average towards the model, once; usable inside a tf.function, outside of
        `strategy.run`.
        """
        n = tf.cast(self.updates, tf.float32)
        decay = tf.minimum(self.decay, (1.0 + n) / (10.0 + n))
        strategy = tf.distribute.get_strategy()
        for mean, weight in zip(self.average.weights, self.model.weights, strict=True):
            # Each device moves its own copy: nothing travels between them.
            strategy.extended.update(mean.value, _move, args=(weight.value, decay), group=False)
        self.updates.assign_add(1)


def _move(mean, weight, decay):
    return mean.assign(mean + (1.0 - decay) * (weight - mean))


class Update:
    """Called with a batch, the rows of this worker; returns a vector of the step's terms, means
    over the whole batch, whose `names` it knows.

    parts: cut each replica's rows into this many and add up their gradients, which bounds memory.
    Batch statistics are then those of a part.
    """

    def __init__(
        self,
        step: Callable[..., dict[str, tf.Tensor]],
        mean: MovingAverage,
        *,
        parts: int = 1,
        jit_compile: bool = False,
    ) -> None:
        self.step, self.mean, self.parts = step, mean, parts
        self.names = np.array([], str)
        for optimizer in Health(step.state).optimizers.values():
            optimizer.parts = parts
        self._statistics = _statistics(step.state)
        # Steps are plain calls of TensorFlow: AutoGraph would only bury their errors.
        self._compiled = tf.function(self._update, jit_compile=jit_compile, autograph=False)
        self._replica = tf.autograph.experimental.do_not_convert(self._on_replica)

    def __call__(self, batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
        return self._compiled(*distribute(batch))

    def _update(self, *batch):
        strategy = tf.distribute.get_strategy()
        before = [tf.identity(variable) for variable in self._statistics]
        terms = strategy.run(self._replica, args=batch)
        for variable, value in zip(self._statistics, before, strict=True):
            strategy.extended.update(variable, _put_back, args=(value,), group=False)
        self.mean.update()
        self.names = np.array(list(terms))
        return tf.stack([tf.cast(strategy.reduce("MEAN", term, axis=None), tf.float32) for term in terms.values()])

    def _on_replica(self, *batch):
        if self.parts == 1:
            return self.step(*batch)
        terms, before = [], []
        for part in zip(*(tf.split(tensor, self.parts) for tensor in batch), strict=True):
            with tf.control_dependencies(before):  # one after the other, or they would share the memory
                terms.append(self.step(*(tf.identity(tensor) for tensor in part)))
            before = list(terms[-1].values())
        return {name: tf.add_n([part[name] for part in terms]) / self.parts for name in terms[0]}


def _statistics(state):
    """The moving averages of batch normalisation: what a step changes beside the optimizers, which
    guard themselves.
    """
    networks = [item for item in state.values() if hasattr(item, "non_trainable_variables") and hasattr(item, "layers")]
    variables = [variable for network in networks for variable in network.non_trainable_variables]
    return [variable.value for variable in variables if "float" in variable.dtype]


def _put_back(variable, before):
    return variable.assign(tf.where(tf.math.is_finite(variable), variable, before))
