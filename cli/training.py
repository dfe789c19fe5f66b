"""From the flags of a training command to its data, its losses and its run."""

import sys
import time
from contextlib import ExitStack
from datetime import datetime, timezone

import keras
import tensorflow as tf
from absl import flags, logging

import data
import weights
from cli.flags import FIXED, config, defaults
from cli.networks import commit, find_weights
from cli.pictures import open_source, open_store
from errors import UserError
from evaluation.validation import Validator
from losses.adversarial import ADVERSARIAL_LOSSES
from losses.grid import grid_loss
from losses.perceptual import PerceptualLoss
from losses.pixel import PIXEL_LOSSES, mae_loss
from models import build_discriminator, build_generator, clone, load_into, load_model, read_network, save_weights
from models.compact import Compact
from models.growth import grow_into
from models.interpolation import interpolate
from training.adversary import Adversary
from training.distribution import check_batch_size, is_chief, make_strategy, synchronise_batch_statistics, worker
from training.loop import LoopOptions, Phase, run_phases
from training.optimizers import make_optimizer, make_schedule
from training.run_folder import RunFolder
from training.steps import AdversarialStep, PixelStep

FLAGS = flags.FLAGS

_REST_OF_THE_PROCESS = ExitStack()  # a scope that nothing holds is left again


def open_run(role):
    """The run folder of --run_dir, its config.txt written; a run of another kind is refused.

    Seeds the random numbers, and sets --strategy, --precision and --deterministic for the networks that are built from now on.
    """
    for split in ("train", "validation"):
        open_source(split)  # a missing folder is said before anything is downloaded, built or written
    _set_up_machine()
    folder = RunFolder(FLAGS.run_dir, role=role)
    if is_chief():
        changed = folder.open(config(), fixed=FIXED, defaults=defaults(), new_run=FLAGS.new_run)
        for name, (before, now) in changed.items():
            logging.info("--%s was %s in this run, is now %s", name, before, now)
    keras.utils.set_random_seed(FLAGS.seed)
    return folder


def _set_up_machine():
    strategy = make_strategy(FLAGS.strategy)
    _REST_OF_THE_PROCESS.enter_context(strategy.scope())
    if strategy.num_replicas_in_sync > 1 and FLAGS.jit_compile:
        raise UserError(f"--jit_compile: for one device only; --strategy={FLAGS.strategy} has more")
    check_batch_size(FLAGS.batch_size, parts=FLAGS.accumulate)
    keras.config.set_dtype_policy(FLAGS.precision)
    if FLAGS.deterministic:
        tf.config.experimental.enable_op_determinism()
        # Grappler rewrites one and the same graph differently from process to process, and sums of four and more gradients then round differently.
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def new_generator(name):
    """The network that --teacher or --student names, with --depth, --width and --scale, starting from --init where that is given."""
    arguments = ("depth", "width", "expansion", "tail", "residual")
    sizes = {key: getattr(FLAGS, key) for key in arguments if getattr(FLAGS, key) is not None}
    model = build_generator(name, scale=FLAGS.scale, **sizes)
    if FLAGS.init:
        _begin_from(model, weights.for_init(name) if FLAGS.init == "shipped" else find_weights(FLAGS.init))
    return model


def _begin_from(model, path):
    """Fill `model` from a weight file; from that of a smaller compact student it grows."""
    begun = read_network(path)
    if begun is None or not isinstance(model, Compact) or begun == (type(model).__name__, model.get_config()):
        load_into(model, path)
        return
    grow_into(model, load_model(path))
    logging.info("--init: %s grows into %s; its luma begins as it was", path, model.get_config())


def new_optimizer(model, steps, *, adversarial=False):
    """--optimizer for `model` with the schedule of the flags over `steps`. adversarial: Adam, at the rate of the adversarial phase."""
    rate = FLAGS.adversarial_learning_rate if adversarial else FLAGS.learning_rate
    name = "adam" if adversarial else FLAGS.optimizer
    return _optimizer(model, steps, name=name, learning_rate=rate, adversarial=adversarial)


def _optimizer(model, steps, *, learning_rate, adversarial, name="adam", updates_every=1):
    decay_steps = FLAGS.adversarial_decay_steps if adversarial and FLAGS.adversarial_decay_steps else FLAGS.decay_steps
    schedule = make_schedule(
        FLAGS.schedule,
        learning_rate=learning_rate,
        steps=steps // updates_every,
        warmup_steps=FLAGS.warmup_steps // updates_every,
        decay_steps=[int(step) // updates_every for step in decay_steps],
        decay_factor=FLAGS.decay_factor,
    )
    loss_scaling = FLAGS.precision == "mixed_float16"
    return make_optimizer(model, schedule=schedule, name=name, clip_norm=FLAGS.clip_norm, loss_scaling=loss_scaling)


def new_adversary(steps):
    """A fresh discriminator for the crops of this run, with its optimizer and losses: --discriminator, --adversarial_loss."""
    return _adversary(build_discriminator(FLAGS.discriminator, size=FLAGS.patch_size * FLAGS.scale), steps)


def load_adversary(path, steps):
    """The discriminator of that weight file, which goes on training. Raises UserError where it does not fit the crops of this run."""
    discriminator = load_model(path)
    size = FLAGS.patch_size * FLAGS.scale
    if getattr(discriminator, "input_size", (size, size)) != (size, size):
        fitting = discriminator.input_size[0] // FLAGS.scale
        raise UserError(f"--patch_size={FLAGS.patch_size}: {path} judges crops of --patch_size={fitting} only")
    return _adversary(discriminator, steps)


def _adversary(discriminator, steps):
    rate = FLAGS.discriminator_learning_rate
    optimizer = _optimizer(
        discriminator,
        steps,
        learning_rate=FLAGS.adversarial_learning_rate if rate is None else rate,
        adversarial=True,
        updates_every=FLAGS.generator_updates,
    )
    return Adversary(
        discriminator=discriminator,
        optimizer=optimizer,
        loss=ADVERSARIAL_LOSSES[FLAGS.adversarial_loss],
        label_smoothing=FLAGS.label_smoothing,
        generator_updates=FLAGS.generator_updates,
        shifted=FLAGS.shifted_features and not hasattr(discriminator, "input_size"),
        seed=FLAGS.seed,
    )


def content_loss():
    """The content term that --content_loss names, with --grid_weight of the grid in it."""
    content = mae_loss if FLAGS.content_loss == "pixel" else _perceptual_loss()
    if not FLAGS.grid_weight:
        return content
    return lambda hr, sr: content(hr, sr) + FLAGS.grid_weight * grid_loss(hr, sr, scale=FLAGS.scale)


def _perceptual_loss():
    return PerceptualLoss(
        layer=FLAGS.perceptual_layer,
        before_activation=FLAGS.before_activation,
        shifted=FLAGS.shifted_features,
        vgg_weights=FLAGS.vgg_weights,
    )


def phases_without_teacher(model):
    """The pixel phase of `model` and, with --adversarial_steps, its GAN phase."""
    average = clone(model)
    pixel_loss = PIXEL_LOSSES[FLAGS.pixel_loss]
    optimizer = new_optimizer(model, FLAGS.steps)
    step = PixelStep(generator=model, optimizer=optimizer, pixel_loss=pixel_loss)
    phases = [Phase("pixel", step, model, average, FLAGS.steps, optimizers={"generator": optimizer})]
    if FLAGS.adversarial_steps:
        optimizer = new_optimizer(model, FLAGS.adversarial_steps, adversarial=True)
        adversary = new_adversary(FLAGS.adversarial_steps)
        step = AdversarialStep(
            generator=model,
            optimizer=optimizer,
            adversary=adversary,
            content_loss=content_loss(),
            pixel_loss=pixel_loss,
            weights={
                "content": 1.0,
                "pixel": FLAGS.pixel_weight,
                "adversarial": FLAGS.adversarial_weight,
                **({"total_variation": FLAGS.tv_weight} if FLAGS.tv_weight else {}),
            },
        )
        optimizers = {"generator": optimizer, "discriminator": adversary.optimizer}
        # The discriminator is kept too: `transfer.adversarial` lets it judge the student.
        critic = {"discriminator": adversary.discriminator}
        phases.append(Phase("adversarial", step, model, average, FLAGS.adversarial_steps, "last", optimizers, critic))
    return phases


def write_interpolations(folder):
    """<role>.alpha_<a>.weights.h5 for each of --interpolate_alpha, between the weights after the pixel phase and after the GAN phase."""
    for alpha in map(float, FLAGS.interpolate_alpha if is_chief() else []):
        model = interpolate(folder.phase_weights("pixel"), folder.phase_weights("adversarial"), alpha=alpha)
        path = folder.phase_weights(f"alpha_{alpha:g}")
        save_weights(model, path, alpha=alpha)
        logging.info("interpolated at %g: %s", alpha, path)


def train(folder, phases, *, teacher_pictures=None, **facts):
    """Run the phases in `folder` on the pictures of the flags, and write its report.

    teacher_pictures: `f(store)`, the teacher's pictures that go with the training pictures, for phases whose steps take them from the batch.
    facts: what else the report should say.
    """
    training, validation = open_store("train"), open_store("validation")
    shard_index, shard_count = worker()
    teacher = teacher_pictures and teacher_pictures(training)
    for network in (item for phase in phases for item in phase.step.state.values() if isinstance(item, keras.Model)):
        synchronise_batch_statistics(network)

    def batches(start):
        return data.batches(
            training,
            batch_size=FLAGS.batch_size,
            patch_size=FLAGS.patch_size,
            seed=FLAGS.seed,
            detail=FLAGS.detail,
            start=start,
            shard_index=shard_index,
            shard_count=shard_count,
            teacher=teacher,
        )

    began = time.monotonic()
    summaries = run_phases(
        phases,
        folder=folder,
        batches=batches,
        validator=Validator(validation, pictures=FLAGS.validation_pictures, size=FLAGS.validation_size),
        save_weights=save_weights,
        options=LoopOptions(
            checkpoint_every=FLAGS.checkpoint_every,
            validate_every=FLAGS.validate_every,
            log_every=FLAGS.log_every,
            keep=FLAGS.keep,
            average_decay=FLAGS.ema_decay,
            accumulate=FLAGS.accumulate,
            jit_compile=FLAGS.jit_compile,
        ),
    )
    if not is_chief():
        return
    folder.write_report(
        {
            "command": " ".join(sys.argv),
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "seconds_this_time": round(time.monotonic() - began, 1),
            "training_pictures": training.description,
            "validation_pictures": validation.description,
            "protocol": f"PSNR and SSIM on Y, {FLAGS.scale} px border, middle {FLAGS.validation_size} px, "
            f"{validation.degradation}, 8-bit output",
            "seed": FLAGS.seed,
            "commit": commit(),
            **facts,
            "phases": summaries,
        }
    )
    for summary in summaries:
        metrics = ", ".join(f"{name} {value:.4f}" for name, value in summary["metrics"].items())
        logging.info("%s: %d steps, %s", summary["phase"], summary["steps"], metrics)
    logging.info("kept: %s", folder.weights)
