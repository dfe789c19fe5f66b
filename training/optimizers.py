"""Adam and Muon with the learning-rate schedules of the field, made safe for long runs and for
several devices.
"""

import threading
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from settings.training import SCHEDULES

# Dynamic loss scaling, Micikevicius et al., "Mixed Precision Training", arXiv:1710.03740: start
# high, halve at an overflow, double after a while.
_FIRST_LOSS_SCALE = 2.0**15
_STEPS_BEFORE_DOUBLING = 2000


class Constant(keras.optimizers.schedules.LearningRateSchedule):
    """The same rate at every step.

    A float would become a variable of the checkpoint; `PiecewiseConstantDecay` wants a step.
    """

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        return ops.convert_to_tensor(self.learning_rate, dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {"learning_rate": self.learning_rate}


class Trapezoid(keras.optimizers.schedules.LearningRateSchedule):
    """Constant, then down to `floor` of the rate in a straight line over the last `share` of
    `steps`.

    Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations",
    arXiv:2405.18392: a run can be prolonged from any update before the decay, and ends as well as
    one under a cosine.
    """

    def __init__(self, learning_rate: float, steps: int, *, share: float = 0.2, floor: float = 0.01) -> None:
        self.learning_rate, self.steps, self.share, self.floor = learning_rate, steps, share, floor

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        decay = max(self.share * self.steps, 1.0)
        left = ops.clip((self.steps - ops.cast(step, "float32")) / decay, self.floor, 1.0)
        return left * self.learning_rate

    def get_config(self) -> dict[str, Any]:
        return {"learning_rate": self.learning_rate, "steps": self.steps, "share": self.share, "floor": self.floor}


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise over `warmup_steps`, from 1/warmup_steps of the rate, times the schedule it
    wraps.

    Keras has one in `CosineDecay` only, and it decays after the rise; this one goes with every
    schedule.
    """

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, warmup_steps: int) -> None:
        self.schedule, self.warmup_steps = schedule, warmup_steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        rise = ops.minimum(1.0, (ops.cast(step, "float32") + 1.0) / self.warmup_steps)
        return rise * self.schedule(step)

    def get_config(self) -> dict[str, Any]:
        return {"schedule": self.schedule, "warmup_steps": self.warmup_steps}


def make_schedule(
    name: str,
    *,
    learning_rate: float,
    steps: int,
    warmup_steps: int = 0,
    decay_steps: Sequence[int] = (),
    decay_factor: float = 0.5,
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Step number to learning rate.

    constant; cosine: down to 1 % of `learning_rate` at `steps`; trapezoid: constant, the same fall
    over the last fifth; step: times `decay_factor` at each of `decay_steps`, as ESRGAN halves it.
    warmup_steps: rise linearly first. Raises ValueError for an unknown name.
    """
    if name == "constant" or (name == "step" and not decay_steps):
        schedule = Constant(learning_rate)
    elif name == "cosine":
        schedule = keras.optimizers.schedules.CosineDecay(learning_rate, max(steps, 1), alpha=0.01)
    elif name == "trapezoid":
        schedule = Trapezoid(learning_rate, steps)
    elif name == "step":
        values = [learning_rate * decay_factor**i for i in range(len(decay_steps) + 1)]
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay(list(decay_steps), values)
    else:
        raise ValueError(f"schedule {name!r}: choose one of {', '.join(SCHEDULES)}")
    return WarmUp(schedule, warmup_steps) if warmup_steps else schedule


class Adam(keras.optimizers.Adam):
    """Keras' Adam that passes over sick updates, and sees the gradient of the whole batch whatever
    it is spread over.

    `update` averages the gradients over the replicas of the tf.distribute strategy, clips their
    common norm, and where that norm or the loss is not finite leaves weights, moments and step
    count as they are, on every replica alike. It counts such updates in `sick` and, since the last
    sound one, in `sick_in_a_row`.

    parts: how many calls of `update` make one update of the weights, by the mean of their gradients
    (accumulation). rate_factor: a variable that multiplies the schedule. loss_scaling: scale the
    loss up for float16 gradients (`scale_loss`), as far as they allow.

    Keras' own forms differ: `global_clipnorm` clips each replica before their gradients are summed,
    and lets NaN through; `gradient_accumulation_steps` keeps the sums as variables and updates
    inside a `cond` on each replica; `LossScaleOptimizer` looks at the gradients of the first
    replica alone, before they are summed, and counts no updates that it passed over.
    """

    def __init__(
        self,
        schedule: keras.optimizers.schedules.LearningRateSchedule,
        *,
        clip_norm: float | None = None,
        loss_scaling: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(schedule, **kwargs)
        self.clip_norm, self.loss_scaling, self.parts = clip_norm, loss_scaling, 1
        self._pending = threading.local()  # a strategy traces each replica in a thread of its own
        self.sick = self._scalar("sick", "zeros", "int64")
        self.sick_in_a_row = self._scalar("sick_in_a_row", "zeros", "int64")
        self.rate_factor = self._scalar("rate_factor", "ones", "float32")
        if loss_scaling:
            self.loss_scale = self._scalar("loss_scale", keras.initializers.Constant(_FIRST_LOSS_SCALE), "float32")
            self.steps_at_scale = self._scalar("steps_at_scale", "zeros", "int64")

    def _scalar(self, name, initializer, dtype):
        return self.add_variable(
            shape=(), initializer=initializer, dtype=dtype, name=name, aggregation="only_first_replica"
        )

    def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        """The loss to take the gradient of."""
        return loss * self.loss_scale.value if self.loss_scaling else loss

    def update(self, gradients: list[tf.Tensor | None], variables: list[keras.Variable], *, loss: tf.Tensor) -> None:
        """Take the gradients of `scale_loss(loss)`, and with the last part of a batch update the
        variables.
        """
        gradients, loss = self._sum_of_parts(gradients, loss)
        if gradients is None:
            return
        gradients, loss = _mean_over_replicas(gradients, loss)
        scale = 1.0 / self.loss_scale.value if self.loss_scaling else 1.0
        norm = tf.linalg.global_norm(gradients) * scale
        healthy = tf.math.is_finite(norm) & tf.math.is_finite(loss)
        if self.clip_norm:
            scale *= self.clip_norm / tf.maximum(norm, self.clip_norm)
        scale = tf.where(healthy, scale, float("nan"))  # the sign by which update_step knows
        self.apply([None if gradient is None else gradient * scale for gradient in gradients], variables)
        self.iterations.assign_sub(tf.cast(~healthy, self.iterations.dtype))
        self._count(healthy)

    def _sum_of_parts(self, gradients, loss):
        """(mean gradients, mean loss) with the last part; (None, None) before."""
        if self.parts == 1:
            return gradients, loss
        taken, sums, total = getattr(self._pending, "sums", (0, None, 0.0))
        if taken:
            gradients = [None if a is None else a + b for a, b in zip(sums, gradients, strict=True)]
        taken, loss = taken + 1, total + loss
        self._pending.sums = (taken, gradients, loss) if taken < self.parts else (0, None, 0.0)
        if taken < self.parts:
            return None, None
        return [None if gradient is None else gradient / self.parts for gradient in gradients], loss / self.parts

    def _count(self, healthy):
        sick = 1 - tf.cast(healthy, tf.int64)
        if self.loss_scaling:
            steps = (self.steps_at_scale + 1) * (1 - sick)
            grow = steps >= _STEPS_BEFORE_DOUBLING
            change = tf.where(healthy, tf.where(grow, 2.0, 1.0), 0.5)
            sick *= tf.cast(self.loss_scale.value <= 1.0, tf.int64)  # above that an overflow is how the scale is found
            self.loss_scale.assign(tf.maximum(self.loss_scale * change, 1.0))
            self.steps_at_scale.assign(tf.where(grow, tf.zeros_like(steps), steps))
        self.sick.assign_add(sick)
        self.sick_in_a_row.assign((self.sick_in_a_row + sick) * sick)

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        """Kingma and Ba, arXiv:1412.6980, algorithm 1 in Keras' form; nothing moves where the
        gradient is NaN.
        """
        gradient, share = _sound(gradient)
        step = tf.cast(self.iterations + 1, gradient.dtype)
        correction = tf.sqrt(1.0 - self.beta_2**step) / (1.0 - self.beta_1**step)
        rate = tf.cast(learning_rate, gradient.dtype) * self.rate_factor * correction * share
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        self.assign_add(m, (gradient - m) * ((1.0 - self.beta_1) * share))
        self.assign_add(v, (tf.square(gradient) - v) * ((1.0 - self.beta_2) * share))
        self.assign_sub(variable, m * rate / (tf.sqrt(v) + self.epsilon))

    def _all_reduce_sum_gradients(self, grads_and_vars):
        """Keras would sum over the replicas here, after clipping; `update` has taken the mean
        before.
        """
        return list(grads_and_vars)


class Muon(Adam):
    """Convolution kernels step along their orthogonalised momentum, everything else as with Adam,
    at the same learning rate.

    A kernel (h, w, c, filters) is taken as the matrix (h·w·c, filters); Keras' own Muon takes
    matrices only. Its momentum, with Nesterov's look ahead, is brought near the closest matrix with
    orthonormal rows or columns, and scaled to the size of an Adam step. Kernels with one filter per
    channel keep to Adam.

    Sources: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; Liu et
    al., "Muon is Scalable for LLM Training", arXiv:2502.16982, section 2.2 for the size 0.2
    sqrt(max(rows, columns)). Unlike there the first and the last convolution take part, and no
    weight decays.
    """

    momentum = 0.95

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, **kwargs: Any) -> None:
        super().__init__(schedule, **kwargs)
        self._orthogonal = keras.optimizers.Muon().zeropower_via_newtonschulz5

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        """One step; nothing moves where the gradient is NaN."""
        if len(variable.shape) != 4 or variable.shape[-1] == 1:
            super().update_step(gradient, variable, learning_rate)
            return
        gradient, share = _sound(gradient)
        m = self._momentums[self._get_variable_index(variable)]
        self.assign_add(m, (gradient - (1.0 - self.momentum) * m) * share)
        matrix = tf.reshape(gradient + self.momentum * m, (-1, variable.shape[-1]))
        step = self._orthogonal(matrix, steps=5) * (0.2 * max(matrix.shape) ** 0.5)
        rate = tf.cast(learning_rate, gradient.dtype) * self.rate_factor * share
        self.assign_sub(variable, tf.reshape(step, variable.shape) * rate)


def _sound(gradient):
    """(the gradient, 1.0), or (zeros, 0.0) where the gradient is marked with NaN."""
    healthy = tf.math.is_finite(tf.reshape(gradient, [-1])[0])
    return tf.where(healthy, gradient, tf.zeros_like(gradient)), tf.cast(healthy, gradient.dtype)


def _mean_over_replicas(gradients, loss):
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return gradients, loss
    present = [gradient for gradient in gradients if gradient is not None]
    *reduced, loss = context.all_reduce(tf.distribute.ReduceOp.MEAN, [*present, loss])
    reduced = iter(reduced)
    return [None if gradient is None else next(reduced) for gradient in gradients], loss


def make_optimizer(
    model: keras.Model,
    *,
    schedule: keras.optimizers.schedules.LearningRateSchedule,
    name: str = "adam",
    clip_norm: float | None = None,
    loss_scaling: bool = False,
) -> Adam:
    """Adam or Muon over the trainable variables of `model`, its moments created now so that a
    restored checkpoint also fills them.

    schedule: step to learning rate. name: adam or muon. clip_norm: bound on the norm of the whole
    gradient, None for none. loss_scaling: for float16.
    """
    kind = {"adam": Adam, "muon": Muon}[name]
    optimizer = kind(schedule, clip_norm=clip_norm, loss_scaling=loss_scaling, beta_1=0.9, beta_2=0.999)
    optimizer.build(model.trainable_variables)
    return optimizer


def apply_gradients(optimizer: Adam, tape: tf.GradientTape, loss: tf.Tensor, model: keras.Model) -> None:
    """Update the trainable variables of `model` from a loss that `tape` watched and
    `optimizer.scale_loss` scaled.
    """
    variables = model.trainable_variables
    optimizer.update(tape.gradient(loss, variables), variables, loss=loss)


def current_learning_rate(optimizer: Adam) -> float:
    """The rate that the next update will use, as a float."""
    return float(ops.convert_to_numpy(optimizer.learning_rate)) * float(optimizer.rate_factor.numpy())
