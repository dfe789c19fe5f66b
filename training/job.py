"""From the settings of a run to its networks, optimizers, losses, discriminators and phases."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import keras
from absl import logging

import weights
from errors import UserError
from losses.adversarial import ADVERSARIAL_LOSSES
from losses.grid import grid_loss
from losses.perceptual import PerceptualLoss
from losses.pixel import PIXEL_LOSSES, mae_loss
from models import build_discriminator, build_generator, load_into, load_model, read_network
from models.compact import Compact
from models.growth import grow_into
from runs import find_weights
from settings.losses import Losses
from settings.training import TrainingCommand
from training.adversary import Adversary
from training.loop import Phase
from training.optimizers import Adam, make_optimizer, make_schedule
from training.step import ImageLoss, Step, Term, adversarial, content, pixel, total_variation


@dataclass(frozen=True)
class Job:
    """What the phases of a run are made of.

    model: the network that learns; average: a second one of the same form, for the moving average.
    role: the model's name in checkpoints, "generator" or "student". teacher: a generator that runs
    at every update, or None.
    """

    settings: TrainingCommand
    model: keras.Model
    average: keras.Model
    role: str = "generator"
    teacher: keras.Model | None = None

    def phase(
        self,
        name: str,
        terms: Sequence[Term],
        *,
        steps: int,
        keep: str = "best",
        beside: dict[str, keras.Model] | None = None,
        begins: str | None = None,
    ) -> Phase:
        """A stretch of `steps` updates on the sum of `terms`; keep, beside, begins: as in `Phase`.

        A phase with a discriminator has Adam at the rate of adversarial phases.
        """
        adversaries = {term.prefix + "discriminator": term.adversary for term in terms if term.adversary}
        optimizer = self.optimizer(steps, adversarial=bool(adversaries))
        step = Step(generator=self.model, optimizer=optimizer, terms=terms, teacher=self.teacher, role=self.role)
        optimizers = {self.role: optimizer, **{name: adversary.optimizer for name, adversary in adversaries.items()}}
        term_weights = {term.name: term.weight for term in terms}
        more = {"begins": begins, "weights": term_weights}
        return Phase(name, step, self.model, self.average, steps, keep, optimizers, beside or {}, **more)

    def optimizer(self, steps: int, *, adversarial: bool = False) -> Adam:
        """--optimizer with the schedule of the settings over `steps`. adversarial: Adam, at the
        rate of the adversarial phase.
        """
        training, losses = self.settings.training, self.settings.losses
        if adversarial:
            return self._optimizer(self.model, steps, rate=losses.adversarial_learning_rate, adversarial=True)
        return self._optimizer(self.model, steps, rate=training.learning_rate, name=training.optimizer)

    def _optimizer(
        self,
        model: keras.Model,
        steps: int,
        *,
        rate: float,
        name: str = "adam",
        adversarial: bool = False,
        updates_every: int = 1,
    ) -> Adam:
        training, losses = self.settings.training, self.settings.losses
        own = losses.adversarial_decay_steps if adversarial else ()
        decay_steps = sorted(map(int, own or training.decay_steps))
        if training.warmup_steps > steps > 0:
            raise UserError(f"--warmup_steps={training.warmup_steps}: the phase has {steps} steps; lower it")
        schedule = make_schedule(
            training.schedule,
            learning_rate=rate,
            steps=steps // updates_every,
            warmup_steps=training.warmup_steps // updates_every,
            decay_steps=[step // updates_every for step in decay_steps],
            decay_factor=training.decay_factor,
        )
        return make_optimizer(
            model,
            schedule=schedule,
            name=name,
            clip_norm=training.clip_norm,
            loss_scaling=self.settings.machine.precision == "mixed_float16",
        )

    @cached_property
    def content_loss(self) -> ImageLoss:
        """What --content_loss names, with --grid_weight of the grid in it."""
        return content_loss(self.settings.losses, scale=self.settings.pictures.scale)

    @property
    def pixel_loss(self) -> ImageLoss:
        """What --pixel_loss names."""
        return PIXEL_LOSSES[self.settings.losses.pixel_loss]

    def new_adversary(self, steps: int) -> Adversary:
        """A fresh discriminator for the crops of this run, with its optimizer and losses:
        --discriminator, --adversarial_loss.
        """
        size = self.settings.training.patch_size * self.settings.pictures.scale
        return self._adversary(build_discriminator(self.settings.losses.discriminator, size=size), steps)

    def load_adversary(self, path: Path, steps: int) -> Adversary:
        """The discriminator of that weight file, which goes on training.

        Raises UserError where it does not fit the crops of this run.
        """
        discriminator = load_model(path)
        patch_size, scale = self.settings.training.patch_size, self.settings.pictures.scale
        size = patch_size * scale
        if getattr(discriminator, "input_size", (size, size)) != (size, size):
            fitting = discriminator.input_size[0] // scale
            raise UserError(f"--patch_size={patch_size}: {path} judges crops of --patch_size={fitting} only")
        return self._adversary(discriminator, steps)

    def _adversary(self, discriminator: keras.Model, steps: int) -> Adversary:
        losses = self.settings.losses
        rate = losses.discriminator_learning_rate
        optimizer = self._optimizer(
            discriminator,
            steps,
            rate=losses.adversarial_learning_rate if rate is None else rate,
            adversarial=True,
            updates_every=losses.generator_updates,
        )
        return Adversary(
            discriminator=discriminator,
            optimizer=optimizer,
            loss=ADVERSARIAL_LOSSES[losses.adversarial_loss],
            real_label=losses.real_label,
            label_smoothing=losses.label_smoothing,
            generator_updates=losses.generator_updates,
            shifted=losses.shifted_features and not hasattr(discriminator, "input_size"),
            seed=self.settings.run.seed,
        )


def new_generator(settings: TrainingCommand, name: str) -> keras.Model:
    """The generator of that name in the size of the settings, starting from --init where that is
    given.

    From a smaller compact student a compact student grows. Raises UserError for a name, a size or a
    file that does not fit.
    """
    network = settings.network
    sizes = {key: getattr(network, key) for key in ("depth", "width", "expansion", "tail", "residual")}
    model = build_generator(name, scale=settings.pictures.scale, **{k: v for k, v in sizes.items() if v is not None})
    if not network.init:
        return model
    path = weights.for_init(name) if network.init == "shipped" else find_weights(network.init)
    begun = read_network(path)
    if begun is None or not isinstance(model, Compact) or begun == (type(model).__name__, model.get_config()):
        load_into(model, path)
    else:
        grow_into(model, load_model(path))
        logging.info("--init: %s grows into %s; its luma begins as it was", path, model.get_config())
    return model


def content_loss(losses: Losses, *, scale: int) -> ImageLoss:
    """The content term: VGG19 features or pixels, with --grid_weight of the grid in it.

    `f(hr, sr)`, a float32 scalar.
    """
    if losses.content_loss == "pixel":
        base = mae_loss
    else:
        base = PerceptualLoss(
            layer=losses.perceptual_layer,
            before_activation=losses.before_activation,
            shifted=losses.shifted_features,
            distance=losses.content_distance,
            vgg_weights=losses.vgg_weights,
        )
    if not losses.grid_weight:
        return base
    return lambda hr, sr: base(hr, sr) + losses.grid_weight * grid_loss(hr, sr, scale=scale)


def phases_without_teacher(job: Job, *, content_steps: int = 0) -> list[Phase]:
    """The pixel phase; with `content_steps` a side branch of it on the content term alone; with
    --adversarial_steps the GAN phase of SRGAN and ESRGAN, which begins with the result of the pixel
    phase.
    """
    losses = job.settings.losses
    phases = [job.phase("pixel", [pixel(1.0, job.pixel_loss)], steps=job.settings.training.steps)]
    if content_steps:
        terms = [content(losses.content_weight, job.content_loss)]
        phases.append(job.phase("content", terms, steps=content_steps, keep="last", begins="pixel"))
    if steps := losses.adversarial_steps:
        adversary = job.new_adversary(steps)
        terms = [
            content(losses.content_weight, job.content_loss),
            pixel(losses.pixel_weight, job.pixel_loss),
            adversarial(losses.adversarial_weight, adversary),
        ]
        if losses.tv_weight:
            terms.append(total_variation(losses.tv_weight))
        # The discriminator is kept too: `transfer.adversarial` lets it judge the student.
        beside = {"discriminator": adversary.discriminator}
        phases.append(job.phase("adversarial", terms, steps=steps, keep="last", beside=beside))
    return phases
