"""The discriminator's turns, its smoothed labels, and that a resumed run draws the same ones."""

import numpy as np
import pytest
import tensorflow as tf

import models
from errors import UserError
from losses.adversarial import ADVERSARIAL_LOSSES, bce_discriminator_loss
from training.adversary import Adversary
from training.optimizers import make_optimizer, make_schedule


def new_adversary(*, discriminator=None, loss="bce", **options):
    discriminator = discriminator or models.build_discriminator("patch", size=32, filters=4)
    optimizer = make_optimizer(discriminator, schedule=make_schedule("constant", learning_rate=1e-3, steps=10))
    return Adversary(discriminator=discriminator, optimizer=optimizer, loss=ADVERSARIAL_LOSSES[loss], **options)


def pictures(seed=0):
    return {
        name: tf.constant(np.random.default_rng(seed + i).random((2, 32, 32, 3), np.float32))
        for i, name in enumerate(("real", "fake"))
    }


@pytest.mark.parametrize("graph", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_one_update_to_three_of_the_generator(graph):
    adversary = new_adversary(generator_updates=3)
    update = tf.function(adversary.update) if graph else adversary.update
    moved, losses = [], []
    for _ in range(7):
        before = adversary.discriminator.get_weights()
        losses.append(float(update(**pictures())))
        after = adversary.discriminator.get_weights()
        moved.append(any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True)))
    assert moved == [False, False, True, False, False, True, False]
    assert losses[:2] == [0, 0] and losses[2] == losses[3] == losses[4] != losses[5] == losses[6]
    assert int(adversary.optimizer.iterations) == 2
    assert {"discriminator_calls", "discriminator_loss"} <= set(adversary.state)


def test_labels_move_by_a_tenth_at_most_and_with_the_update_only():
    adversary = new_adversary(label_smoothing=0.1, seed=3)
    logits = {name: tf.zeros((2, 40, 40, 1)) for name in ("real", "fake")}
    first, again = adversary._targets(**logits), adversary._targets(**logits)
    assert 0.9 <= np.min(first["real_target"]) < 0.91 and 0.99 < np.max(first["real_target"]) <= 1
    assert 0 <= np.min(first["fake_target"]) < 0.01 and 0.09 < np.max(first["fake_target"]) <= 0.1
    np.testing.assert_array_equal(first["real_target"], again["real_target"])
    assert np.abs(np.corrcoef(np.ravel(first["real_target"]), np.ravel(first["fake_target"]))[0, 1]) < 0.1
    adversary.update(**pictures())
    assert not np.array_equal(first["real_target"], adversary._targets(**logits)["real_target"])


def test_the_update_uses_the_smoothed_labels():
    adversary = new_adversary(label_smoothing=0.1)
    twin, images = models.clone(adversary.discriminator), pictures()
    logits = {name: twin(image, training=True) for name, image in images.items()}
    expected = float(bce_discriminator_loss(**logits, **adversary._targets(**logits)))
    assert float(adversary.update(**images)) == pytest.approx(expected, rel=1e-4)
    assert expected != pytest.approx(float(bce_discriminator_loss(**logits)), rel=1e-4)


def test_labels_can_be_smoothed_only_where_there_are_labels():
    with pytest.raises(UserError, match="--label_smoothing=0.1: only the losses bce and least_squares"):
        new_adversary(loss="hinge", label_smoothing=0.1)


def test_a_fixed_label_of_originals():
    adversary = new_adversary(real_label=0.99)
    twin, images = models.clone(adversary.discriminator), pictures()
    real, fake = (np.array(twin(images[name], training=True), np.float64) for name in ("real", "fake"))
    positive, negative = (1 / (1 + np.exp(-logits)) for logits in (real, fake))
    expected = -np.mean(0.99 * np.log(positive) + 0.01 * np.log(1 - positive)) - np.mean(np.log(1 - negative))
    assert float(adversary.update(**images)) == pytest.approx(expected, rel=1e-4)
    logits = {name: tf.zeros((2, 40, 40, 1)) for name in ("real", "fake")}
    smoothed = new_adversary(real_label=0.9, label_smoothing=0.1)._targets(**logits)["real_target"]
    assert 0.8 <= np.min(smoothed) < 0.81 and 0.89 < np.max(smoothed) <= 0.9 + 1e-6
    with pytest.raises(UserError, match="--real_label=0.99: only the losses bce and least_squares have labels"):
        new_adversary(loss="relativistic", real_label=0.99)


@pytest.mark.parametrize(
    ("name", "loss"),
    [("unet", "bce"), *(pytest.param("patch", loss, marks=pytest.mark.slow) for loss in ADVERSARIAL_LOSSES)],
)
def test_maps_of_logits_learn_to_tell_apart(name, loss):
    adversary = new_adversary(discriminator=models.build_discriminator(name, size=32, filters=8), loss=loss)
    images = {"real": pictures()["real"], "fake": tf.fill((2, 32, 32, 3), 0.5)}
    losses = [float(adversary.update(**images)) for _ in range(12)]
    assert losses[-1] < losses[0]


def test_shifted_it_judges_from_other_pixels_on():
    adversary = new_adversary(shifted=True)
    twin, fake = models.clone(adversary.discriminator), pictures()["fake"]
    cropped = tf.stack([fake[0, :28, :28], fake[1, 2:30, 2:30]])
    expected = ADVERSARIAL_LOSSES["bce"].generator(real=None, fake=twin(cropped, training=True))
    assert float(adversary.generator_loss(real=None, fake=fake)) == pytest.approx(float(expected), rel=1e-5)
