"""A discriminator that trains against a generator, to be composed into any step."""

import keras
import tensorflow as tf

from errors import UserError
from losses.adversarial import AdversarialLoss, smoothed_targets
from losses.perceptual import shift
from training.distribution import whole_batch
from training.optimizers import Adam, apply_gradients


class Adversary:
    """A discriminator, its optimizer and the pair of losses that it plays by.

    discriminator: (B, H, W, 3) to logits. loss: a `losses.adversarial.AdversarialLoss`. real_label:
    the target of originals. label_smoothing: how far the two targets move towards each other at
    most, at random, a pure function of (seed, update), so that a resumed run draws the same.
    generator_updates: the discriminator takes one update at every so many calls of `update`.
    shifted: it judges the images of a batch from different pixels on (`losses.perceptual.shift`),
    for one that takes any size.

    Raises UserError when the loss knows no targets to smooth.
    """

    def __init__(
        self,
        *,
        discriminator: keras.Model,
        optimizer: Adam,
        loss: AdversarialLoss,
        real_label: float = 1.0,
        label_smoothing: float = 0.0,
        generator_updates: int = 1,
        shifted: bool = False,
        seed: int = 0,
    ) -> None:
        if label_smoothing and not loss.smoothable:
            raise UserError(f"--label_smoothing={label_smoothing}: only the losses bce and least_squares have labels")
        if real_label != 1.0 and not loss.smoothable:
            raise UserError(f"--real_label={real_label}: only the losses bce and least_squares have labels")
        self.discriminator, self.optimizer, self.loss = discriminator, optimizer, loss
        self.real_label, self.label_smoothing, self.generator_updates = real_label, label_smoothing, generator_updates
        self.shifted, self.seed = shifted, seed
        self.state = {"discriminator": discriminator, "discriminator_optimizer": optimizer}
        if generator_updates > 1:
            self.calls = tf.Variable(0, dtype=tf.int64, trainable=False, name="discriminator_calls")
            self.latest = tf.Variable(0.0, trainable=False, name="discriminator_loss")
            self.state |= {"discriminator_calls": self.calls, "discriminator_loss": self.latest}

    def generator_loss(self, *, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        """How far the generator is from deceiving the discriminator; call it under the generator's
        tape.
        """
        real_logits = self._logits(real) if self.loss.needs_real else None
        return self.loss.generator(real=real_logits, fake=self._logits(fake))

    def _logits(self, pictures):
        """Of the whole batch: relativistic losses compare with its mean."""
        if self.shifted:
            pictures = shift(pictures)
        return whole_batch(self.discriminator(pictures, training=True))

    def update(self, *, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        """One update of the discriminator, when it is its turn; returns the loss of its latest.

        No gradient leaves to the images.
        """
        real, fake = tf.stop_gradient(real), tf.stop_gradient(fake)
        if self.generator_updates == 1:
            return self._update(real, fake)
        # A condition in the graph: Keras' optimizers cannot be in one while several replicas have
        # to agree; and the parts of --accumulate would be counted as updates.
        if tf.distribute.get_strategy().num_replicas_in_sync > 1 or self.optimizer.parts > 1:
            raise UserError(f"--generator_updates={self.generator_updates}: for one device and --accumulate=1 only")
        self.calls.assign_add(1)
        return tf.cond(
            self.calls % self.generator_updates == 0,
            lambda: self.latest.assign(self._update(real, fake)) + 0.0,
            lambda: self.latest + 0.0,
        )

    def _update(self, real, fake):
        with tf.GradientTape() as tape:
            logits = {"real": self._logits(real), "fake": self._logits(fake)}
            loss = self.loss.discriminator(**logits, **self._targets(**logits))
            scaled = self.optimizer.scale_loss(loss)
        apply_gradients(self.optimizer, tape, scaled, self.discriminator)
        return loss

    def _targets(self, *, real, fake):
        if not self.label_smoothing:
            return {} if self.real_label == 1.0 else {"real_target": self.real_label}
        update = tf.cast(self.optimizer.iterations, tf.int64)
        noises = [
            tf.random.stateless_uniform(tf.shape(logits), seed=[self.seed + i, update])
            for i, logits in enumerate((real, fake))
        ]
        targets = smoothed_targets(
            real_noise=noises[0], fake_noise=noises[1], strength=self.label_smoothing, real_label=self.real_label
        )
        return dict(zip(("real_target", "fake_target"), targets, strict=True))
