"""One update each, against gradients and updates computed another way."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import models
from losses.adversarial import ADVERSARIAL_LOSSES
from losses.pixel import mae_loss, mse_loss
from training.adversary import Adversary
from training.optimizers import current_learning_rate, make_optimizer, make_schedule
from training.step import Step, adversarial, content, pixel
from training.update import MovingAverage, Update


def batch(seed=0, size=8, scale=4):
    rng = np.random.default_rng(seed)
    lr = rng.random((2, size, size, 3), np.float32)
    return tf.constant(lr), tf.constant(rng.random((2, size * scale, size * scale, 3), np.float32))


def small_student():
    return models.build_generator("compact_xs", depth=1, width=4)


def new_adversary(loss="bce"):
    discriminator = models.build_discriminator("srgan", size=32, filters=4, dense=8)
    optimizer = make_optimizer(discriminator, schedule=make_schedule("constant", learning_rate=1e-3, steps=10))
    return Adversary(discriminator=discriminator, optimizer=optimizer, loss=ADVERSARIAL_LOSSES[loss])


def optimizer_for(model, learning_rate=1e-3):
    return make_optimizer(model, schedule=make_schedule("constant", learning_rate=learning_rate, steps=10))


def test_pixel_step_is_one_adam_update():
    """Adam's first update is learning_rate · g / (|g| + ε'), so it moves each weight by the rate,
    against the gradient's sign.
    """
    model = small_student()
    lr, hr = batch()
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.abs(hr - model(lr, training=True)))
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_variables])
    before = model.get_weights()
    terms = Step(generator=model, optimizer=optimizer_for(model), terms=[pixel(1.0, mae_loss)])(lr, hr)
    assert float(terms["pixel"]) == pytest.approx(float(loss))
    for old, weight, gradient in zip(before, model.trainable_weights, gradients, strict=True):
        new, clear = weight.numpy(), np.abs(gradient) > 1e-3
        if weight.constraint:
            continue
        np.testing.assert_allclose((new - old)[clear], -1e-3 * np.sign(gradient)[clear], rtol=1e-2)


def test_muon_moves_kernels_along_the_nearest_orthonormal_matrix():
    """U Vᵀ of the first gradient's SVD; five Newton-Schulz steps bring its singular values to
    between 0.7 and 1.2. Biases move as with Adam.
    """
    model = small_student()
    lr, hr = batch()
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.abs(hr - model(lr, training=True)))
    gradients = [g.numpy() for g in tape.gradient(loss, [weight.value for weight in model.trainable_variables])]
    before = model.get_weights()
    schedule = make_schedule("constant", learning_rate=1e-3, steps=10)
    optimizer = make_optimizer(model, schedule=schedule, name="muon")
    Step(generator=model, optimizer=optimizer, terms=[pixel(1.0, mae_loss)])(lr, hr)
    for old, weight, gradient in zip(before, model.trainable_weights, gradients, strict=True):
        moved = old - weight.numpy()
        if weight.constraint:
            continue
        if old.ndim == 1:
            clear = np.abs(gradient) > 1e-3
            np.testing.assert_allclose(moved[clear], 1e-3 * np.sign(gradient)[clear], rtol=1e-2)
            continue
        matrix, step = (a.reshape(-1, a.shape[-1]).astype(np.float64) for a in (gradient, moved))
        u, singular, v = np.linalg.svd(matrix, full_matrices=False)
        along = np.diag(u.T @ step @ v.T) / (1e-3 * 0.2 * max(matrix.shape) ** 0.5)
        clear = singular > 0.05 * np.linalg.norm(singular)  # smaller ones need more steps
        assert clear.sum() >= 2
        assert ((along[clear] > 0.6) & (along[clear] < 1.3)).all(), along


def test_muon_accumulates_as_one_large_batch():
    """Two halves of a batch give the update of the whole one."""
    lr, hr = batch()
    weights = []
    for parts in (1, 2):
        keras.utils.set_random_seed(0)
        model = small_student()
        optimizer = make_optimizer(model, schedule=make_schedule("constant", learning_rate=1e-3, steps=10), name="muon")
        optimizer.parts = parts
        step = Step(generator=model, optimizer=optimizer, terms=[pixel(1.0, mae_loss)])
        for i in range(parts):
            size = len(lr) // parts
            step(lr[i * size : (i + 1) * size], hr[i * size : (i + 1) * size])
        weights.append(model.get_weights())
    for whole, halves in zip(*weights, strict=True):
        np.testing.assert_allclose(whole, halves, atol=1e-5)


@pytest.mark.parametrize("name, sizes", [("compact_xs", {}), ("compact_xs", {"expansion": 2}), ("edsr_8x64", {})])
def test_the_last_biases_learn_a_colour_and_no_grid(name, sizes):
    model = models.build_generator(name, depth=1, width=4, **sizes)
    step = Step(generator=model, optimizer=optimizer_for(model), terms=[pixel(1.0, mae_loss)])
    for seed in range(3):
        step(*batch(seed))
    by_colour = np.reshape(model.tail.bias.numpy(), (16, 3))
    assert (np.ptp(by_colour, axis=0) < 1e-6).all()
    assert (np.abs(by_colour) > 1e-4).all()


@pytest.mark.parametrize("loss", ADVERSARIAL_LOSSES)
def test_adversarial_step_updates_both_and_reports_unweighted_terms(loss):
    model, adversary = small_student(), new_adversary(loss)
    terms = [content(0.0, mae_loss), pixel(0.0, mse_loss), adversarial(1.0, adversary)]
    step = Step(generator=model, optimizer=optimizer_for(model), terms=terms)
    lr, hr = batch()
    expected = float(tf.reduce_mean(tf.abs(hr - model(lr, training=True))))
    generator, critic = model.get_weights(), adversary.discriminator.get_weights()
    terms = step(lr, hr)
    assert set(terms) == {"content", "pixel", "adversarial", "discriminator"}
    assert float(terms["content"]) == pytest.approx(expected, rel=1e-5)
    # With weight on the adversarial term alone, the generator can only have moved through the
    # discriminator.
    assert any(not np.array_equal(a, b) for a, b in zip(generator, model.get_weights(), strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(critic, adversary.discriminator.get_weights(), strict=True))


@pytest.mark.slow
def test_a_discriminator_learns_to_tell_apart_what_can_be_told_apart():
    adversary = new_adversary()
    rng = np.random.default_rng(0)
    real = tf.constant(rng.random((4, 32, 32, 3), np.float32))
    fake = tf.fill((4, 32, 32, 3), 0.5)
    update = tf.function(adversary.update)
    losses = [float(update(real=real, fake=fake)) for _ in range(40)]
    assert losses[-1] < 0.1 < losses[0]


def test_the_discriminators_update_leaves_the_generator_alone():
    model, adversary = small_student(), new_adversary()
    lr, hr = batch()
    with tf.GradientTape() as tape:
        loss = adversary.update(real=hr, fake=model(lr, training=True))
    assert tape.gradient(loss, [weight.value for weight in model.trainable_variables]) == [None] * len(model.weights)


def test_the_gradient_is_that_of_the_weighted_sum():
    """2 · L1 + 10 · L2 of one update, by a tape of its own."""
    model = small_student()
    lr, hr = batch()
    with tf.GradientTape() as tape:
        sr = model(lr, training=True)
        loss = 2.0 * tf.reduce_mean(tf.abs(hr - sr)) + 10.0 * tf.reduce_mean(tf.square(hr - sr))
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_variables])
    optimizer = optimizer_for(model)
    Step(generator=model, optimizer=optimizer, terms=[content(2.0, mae_loss), pixel(10.0, mse_loss)])(lr, hr)
    for moment, gradient in zip(optimizer._momentums, gradients, strict=True):
        np.testing.assert_allclose(moment.numpy(), 0.1 * gradient.numpy(), rtol=1e-3, atol=1e-7)


def test_moving_average_by_hand():
    model = small_student()
    mean = MovingAverage(model=model, average=models.clone(model), decay=0.2)
    start = model.get_weights()[0]
    expected = start.copy()
    for n, value in enumerate([1.0, -2.0, 0.5]):
        model.trainable_variables[0].assign(keras.ops.full(start.shape, value))
        mean.update()
        decay = min(0.2, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * value
    np.testing.assert_allclose(mean.average.get_weights()[0], expected, rtol=1e-5)
    np.testing.assert_array_equal(mean.average.get_weights()[1], model.get_weights()[1])


@pytest.mark.parametrize(
    ("name", "at", "expected"),
    [
        ("constant", 500, 1e-3),
        ("cosine", 0, 1e-3),
        ("cosine", 500, 1e-3 * (0.99 * 0.5 + 0.01)),
        ("cosine", 1000, 1e-5),
        ("trapezoid", 799, 1e-3),
        ("trapezoid", 900, 5e-4),
        ("trapezoid", 1000, 1e-5),
        ("step", 99, 1e-3),
        ("step", 101, 5e-4),
        ("step", 301, 2.5e-4),
    ],
)
def test_schedules(name, at, expected):
    schedule = make_schedule(name, learning_rate=1e-3, steps=1000, decay_steps=[100, 300])
    assert float(schedule(at)) == pytest.approx(expected, rel=1e-4)


def test_steps_without_decay_steps_are_one_rate():
    schedule = make_schedule("step", learning_rate=1e-3, steps=1000, decay_steps=[])
    assert float(schedule(999)) == pytest.approx(1e-3)


def test_warm_up_rises_linearly_and_is_what_the_optimizer_uses():
    schedule = make_schedule("constant", learning_rate=1e-3, steps=100, warmup_steps=10)
    assert [float(schedule(step)) for step in (0, 4, 9, 50)] == pytest.approx([1e-4, 5e-4, 1e-3, 1e-3])
    assert current_learning_rate(make_optimizer(small_student(), schedule=schedule)) == pytest.approx(1e-4)
    with pytest.raises(ValueError, match="choose one of constant, cosine, trapezoid, step"):
        make_schedule("linear", learning_rate=1e-3, steps=10)


def update_of(model, optimizer, **options):
    step = Step(generator=model, optimizer=optimizer, terms=[pixel(1.0, mse_loss)])
    return Update(step, MovingAverage(model=model, average=models.clone(model), decay=0.9), **options)


def two_models():
    model = small_student()
    return model, models.clone(model)


@pytest.mark.slow
def test_the_update_compiled_by_xla_is_the_update():
    keras.utils.set_random_seed(1)
    (plain, compiled), data = two_models(), [batch(seed) for seed in range(3)]
    for model, options in ((plain, {}), (compiled, {"jit_compile": True})):
        update = update_of(model, optimizer_for(model), **options)
        terms = [update(pair).numpy() for pair in data]
        if model is plain:
            expected = terms
    np.testing.assert_allclose(terms, expected, rtol=1e-4)
    for a, b in zip(plain.get_weights(), compiled.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)  # a tenth of one update


def test_parts_of_a_batch_add_up_to_the_whole():
    """The mean of the parts' gradients is the gradient of the batch: one Adam update, with its norm
    clipped as a whole.
    """
    keras.utils.set_random_seed(1)
    (whole, in_parts), optimizers = two_models(), []
    lr, hr = (tf.concat(pair, axis=0) for pair in zip(batch(0), batch(1), strict=True))
    for model, parts in ((whole, 1), (in_parts, 4)):
        schedule = make_schedule("constant", learning_rate=1e-3, steps=10)
        optimizers.append(make_optimizer(model, schedule=schedule, clip_norm=0.01))
        update = update_of(model, optimizers[-1], parts=parts)
        terms = [float(update((lr, hr))[0]) for _ in range(3)]
        if model is whole:
            expected = terms
    np.testing.assert_allclose(terms, expected, rtol=1e-5)
    assert [int(optimizer.iterations) for optimizer in optimizers] == [3, 3]
    for a, b in zip(whole.get_weights(), in_parts.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_an_overflow_halves_the_loss_scale_and_skips_the_step():
    """float16 gradients end at 65,504: a loss of a thousand overflows at the first scale of 2^15,
    and no longer after some halvings.
    """
    keras.config.set_dtype_policy("mixed_float16")
    try:
        keras.utils.set_random_seed(1)
        model = small_student()
    finally:
        keras.config.set_dtype_policy("float32")
    schedule = make_schedule("constant", learning_rate=1e-3, steps=10)
    optimizer = make_optimizer(model, schedule=schedule, loss_scaling=True)
    step = Step(generator=model, optimizer=optimizer, terms=[pixel(1.0, lambda hr, sr: 1000.0 * mse_loss(hr, sr))])
    before = model.get_weights()
    step(*batch())
    assert float(optimizer.loss_scale) == 2.0**14
    assert (
        int(optimizer.iterations) == int(optimizer.sick) == 0
    )  # an overflow is how the scale is found, not a sickness
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    scales = []
    while not int(optimizer.iterations):
        scales.append(float(optimizer.loss_scale))
        step(*batch())
        assert len(scales) < 16
    assert scales == [2.0 ** (14 - i) for i in range(len(scales))]
    assert float(optimizer.loss_scale) == scales[-1]  # a sound step leaves it
    assert any(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_the_loss_scale_does_not_change_the_update():
    keras.utils.set_random_seed(1)
    plain, scaled = two_models()
    schedule = make_schedule("constant", learning_rate=1e-3, steps=10)
    for model, loss_scaling in ((plain, False), (scaled, True)):
        optimizer = make_optimizer(model, schedule=schedule, clip_norm=0.01, loss_scaling=loss_scaling)
        step = Step(generator=model, optimizer=optimizer, terms=[pixel(1.0, mse_loss)])
        for seed in range(3):
            step(*batch(seed))
    for a, b in zip(plain.get_weights(), scaled.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
