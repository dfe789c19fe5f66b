"""Exponential moving average of a network's weights: steadier than the weights themselves, and what a run keeps."""

import tensorflow as tf


class MovingAverage:
    """Keeps `average`, a second network of the same form, as the running mean of `model`.

    The decay of update n is min(decay, (1 + n) / (10 + n)), so that the first, random weights are soon forgotten.
    """

    def __init__(self, *, model, average, decay):
        self.model, self.average, self.decay = model, average, decay
        self.updates = tf.Variable(0, dtype=tf.int64, trainable=False, name="average_updates")
        self.state = {"average": average, "average_updates": self.updates}

    def restart(self):
        """Begin again from the model as it is."""
        self.updates.assign(0)
        for mean, weight in zip(self.average.weights, self.model.weights, strict=True):
            mean.assign(weight)

    def update(self):
        """Move the average towards the model, once; usable inside a tf.function, outside of `strategy.run`."""
        n = tf.cast(self.updates, tf.float32)
        decay = tf.minimum(self.decay, (1.0 + n) / (10.0 + n))
        strategy = tf.distribute.get_strategy()
        for mean, weight in zip(self.average.weights, self.model.weights, strict=True):
            # Each device moves its own copy: nothing travels between them.
            strategy.extended.update(mean.value, _move, args=(weight.value, decay), group=False)
        self.updates.assign_add(1)


def _move(mean, weight, decay):
    return mean.assign(mean + (1.0 - decay) * (weight - mean))
