"""One update of a generator: the weighted sum of its terms, then each discriminator among them.

    loss = sum of weight · term            L = C + 1e-3 K + 1e-3 A, say
    generator     moves against the gradient of the loss
    discriminators  move against theirs, on the same images

A step is called per replica and, with --accumulate, once for each part of a batch. It updates only
by `apply_gradients` with an optimizer of `make_optimizer`; `state` names all that a checkpoint must
hold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from errors import UserError
from losses.affinity import feature_affinity_loss
from losses.pixel import imitation_loss, total_variation_loss
from training.adversary import Adversary
from training.optimizers import Adam, apply_gradients

ImageLoss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class Seen(NamedTuple):
    """What a term may look at. hr, sr, sr_teacher: (B, H, W, 3) float32 in [0, 1]; features: (B, h,
    w, c). None where no term asks.
    """

    hr: tf.Tensor
    sr: tf.Tensor
    sr_teacher: tf.Tensor | None = None
    features: tf.Tensor | None = None
    features_teacher: tf.Tensor | None = None


@dataclass(frozen=True)
class Term:
    """One term of a generator's loss: weight · loss(seen).

    teacher: it looks at the teacher's image. features: it looks at both networks' features.
    adversary: the discriminator behind it, which takes its own update after the generator's; real:
    what that one takes for real. prefix: of the adversary's names, where there are two.
    """

    name: str
    weight: float
    loss: Callable[[Seen], tf.Tensor]
    teacher: bool = False
    features: bool = False
    adversary: Adversary | None = None
    real: Callable[[Seen], tf.Tensor] | None = None
    prefix: str = ""

    @property
    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold of its adversary."""
        return {} if self.adversary is None else {f"{self.prefix}{k}": v for k, v in self.adversary.state.items()}


def pixel(weight: float, loss: ImageLoss) -> Term:
    """Distance to the original, pixel by pixel; loss: from `losses.pixel`."""
    return Term("pixel", weight, lambda seen: loss(seen.hr, seen.sr))


def content(weight: float, loss: ImageLoss) -> Term:
    """C = mean (φ(HR) - φ(SR))², φ features of VGG19; loss: `losses.perceptual.PerceptualLoss`, or
    one of pixels.
    """
    return Term("content", weight, lambda seen: loss(seen.hr, seen.sr))


def imitation(weight: float) -> Term:
    """K = mean (255·(T - SR))², T the teacher's image (`losses.pixel.imitation_loss`)."""
    return Term("imitation", weight, lambda seen: imitation_loss(seen.sr_teacher, seen.sr), teacher=True)


def affinity(weight: float) -> Term:
    """F = mean |A(T) - A(S)|, A the cosines between a network's features at all pairs of places
    (`losses.affinity`).
    """

    def loss(seen: Seen) -> tf.Tensor:
        return feature_affinity_loss(seen.features_teacher, seen.features)

    return Term("affinity", weight, loss, teacher=True, features=True)


def total_variation(weight: float) -> Term:
    """Total variation of the output (`losses.pixel.total_variation_loss`)."""
    return Term("total_variation", weight, lambda seen: total_variation_loss(seen.sr))


def adversarial(weight: float, adversary: Adversary) -> Term:
    """A = -log D(SR), or as --adversarial_loss says (`losses.adversarial`); D learns to tell
    originals from SR.
    """
    return Term(
        "adversarial",
        weight,
        lambda seen: adversary.generator_loss(real=seen.hr, fake=seen.sr),
        adversary=adversary,
        real=lambda seen: seen.hr,
    )


def adversarial_to_teacher(weight: float, adversary: Adversary, *, second: bool = False) -> Term:
    """-log D(SR), where D learns to tell the teacher's images from SR. second: D is the second
    discriminator (A2).
    """
    return Term(
        "adversarial_teacher" if second else "adversarial",
        weight,
        lambda seen: adversary.generator_loss(real=seen.sr_teacher, fake=seen.sr),
        teacher=True,
        adversary=adversary,
        real=lambda seen: seen.sr_teacher,
        prefix="teacher_" if second else "",
    )


class Step:
    """Called with a batch, lr (B, h, w, 3) and hr (B, scale·h, scale·w, 3), float32 in [0, 1];
    returns the unweighted terms.

    generator: the network that learns, `role` its name in checkpoints. teacher: a generator that
    runs at every update and is never changed; None where no term looks at one, or its image comes
    with the batch (sr_teacher, as hr).
    Raises UserError where a term looks inside a teacher that does not run.
    """

    def __init__(
        self,
        *,
        generator: keras.Model,
        optimizer: Adam,
        terms: Sequence[Term],
        teacher: keras.Model | None = None,
        role: str = "generator",
    ) -> None:
        self.generator, self.optimizer, self.terms, self.teacher = generator, optimizer, tuple(terms), teacher
        self._features = any(term.features for term in terms)
        if self._features and teacher is None:
            raise UserError(
                "--cache_teacher, --teacher_images: this method looks inside its teacher (features); train it without these flags"
            )
        self._live = teacher is not None and any(term.teacher for term in terms)
        self.state: dict[str, Any] = {role: generator, "optimizer": optimizer}
        for term in terms:
            self.state |= term.state

    def __call__(self, lr: tf.Tensor, hr: tf.Tensor, sr_teacher: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        features_teacher = None
        if self._live:
            sr_teacher, features_teacher = self._run(self.teacher, lr, training=False)
        with tf.GradientTape() as tape:
            sr, features = self._run(self.generator, lr, training=True)
            seen = Seen(hr, sr, sr_teacher, features, features_teacher)
            values = {term.name: term.loss(seen) for term in self.terms}
            loss = sum(term.weight * values[term.name] for term in self.terms)
            loss = self.optimizer.scale_loss(loss)
        apply_gradients(self.optimizer, tape, loss, self.generator)
        return {**values, **self._update_discriminators(seen)}

    def _run(self, network: keras.Model, lr: tf.Tensor, *, training: bool) -> tuple[tf.Tensor, tf.Tensor | None]:
        """(image, features where a term looks at them)."""
        if not self._features:
            return network(lr, training=training), None
        features = network.features(lr, training=training)
        return network.enlarge(features, lr), features

    def _update_discriminators(self, seen: Seen) -> dict[str, tf.Tensor]:
        losses = {}
        for term in self.terms:
            if term.adversary is not None:
                name = term.prefix + "discriminator"
                losses[name] = term.adversary.update(real=term.real(seen), fake=seen.sr)
        return losses
