"""The transfer methods: what their losses are, and that the teacher never changes."""

import numpy as np
import pytest
import tensorflow as tf

import models
from losses.adversarial import ADVERSARIAL_LOSSES
from losses.pixel import mae_loss
from training.adversary import Adversary
from training.optimizers import make_optimizer, make_schedule
from transfer.methods import METHODS
from transfer.parts import Parts, imitation_loss


def new_optimizer(model, steps, adversarial=False):
    return make_optimizer(model, schedule=make_schedule("constant", learning_rate=1e-3, steps=steps))


def new_adversary(steps, loss="bce"):
    discriminator = models.build_discriminator("srgan", size=32, filters=4, dense=8)
    return Adversary(
        discriminator=discriminator,
        optimizer=new_optimizer(discriminator, steps),
        loss=ADVERSARIAL_LOSSES[loss],
    )


@pytest.fixture
def parts():
    teacher = models.build_generator("srresnet", depth=1, width=8)
    teacher(np.random.default_rng(9).random((2, 8, 8, 3), np.float32), training=True)  # moving averages off their start
    teacher.trainable = False
    student = models.build_generator("compact_xs", depth=1, width=4)
    return Parts(
        teacher=teacher,
        student=student,
        average=models.clone(student),
        content_loss=mae_loss,
        content_weight=1.0,
        kd_weight=1e-3,
        adversarial_weight=1e-3,
        affinity_weight=0.1,
        al="after",
        steps=10,
        adversarial_steps=5,
        new_optimizer=new_optimizer,
        new_adversary=new_adversary,
        teacher_adversary=lambda steps: new_adversary(steps, loss="relativistic"),
    )


def batch(seed=0):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.random((2, 8, 8, 3), np.float32)), tf.constant(rng.random((2, 32, 32, 3), np.float32))


@pytest.mark.parametrize("method", METHODS)
def test_no_update_changes_the_teacher_and_each_changes_the_student(parts, method):
    before = [weight.copy() for weight in parts.teacher.get_weights()]
    for phase in METHODS[method].phases(parts):
        student = parts.student.get_weights()
        update = tf.function(phase.step)
        for seed in range(2):
            update(*batch(seed))
        assert all(not np.array_equal(a, b) for a, b in zip(student, parts.student.get_weights(), strict=True))
    for a, b in zip(before, parts.teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_imitation_is_in_levels_squared():
    """One 8-bit level of difference everywhere is 1, as published for pixels in [0, 255]."""
    teacher = tf.fill((1, 4, 4, 3), 100.0 / 255)
    assert float(imitation_loss(teacher, teacher + 1.0 / 255)) == pytest.approx(1.0, rel=1e-4)
    assert float(imitation_loss(teacher, teacher - 3.0 / 255)) == pytest.approx(9.0, rel=1e-4)


def test_g2g_terms_by_hand(parts):
    lr, hr = batch()
    sr_teacher, sr = parts.teacher(lr, training=False).numpy(), parts.student(lr, training=False).numpy()
    (phase,) = METHODS["g2g"].phases(parts)
    terms = phase.step(lr, hr)
    assert float(terms["content"]) == pytest.approx(np.abs(hr.numpy() - sr).mean(), rel=1e-4)
    assert float(terms["imitation"]) == pytest.approx(((255 * (sr_teacher - sr)) ** 2).mean(), rel=1e-4)
    assert phase.step.weights == {"content": 1.0, "imitation": 1e-3}


def test_with_all_weight_on_imitation_the_student_approaches_the_teacher(parts):
    parts.kd_weight, parts.content_loss = 1.0, lambda hr, sr: 0.0 * mae_loss(hr, sr)
    (phase,) = METHODS["g2g"].phases(parts)
    lr, hr = batch()
    update = tf.function(phase.step)
    losses = [float(update(lr, hr)["imitation"]) for _ in range(60)]
    assert losses[-1] < 0.7 * losses[0]


def test_adversarial_learning_after_and_jointly(parts):
    after = METHODS["g2g_al"].phases(parts)
    assert [(phase.name, phase.steps, phase.keep) for phase in after] == [
        ("transfer", 10, "best"),
        ("adversarial", 5, "last"),
    ]
    parts.al = "jointly"
    (joint,) = METHODS["g2g_al"].phases(parts)
    assert (joint.name, joint.steps) == ("adversarial", 10)
    assert set(joint.step(*batch())) == {"content", "imitation", "adversarial", "discriminator"}
    assert joint.step.weights == {"content": 1.0, "imitation": 1e-3, "adversarial": 1e-3}


@pytest.mark.parametrize(
    ("keep", "names"),
    [("best", ("g2g", "g2g_fa", "g2g_al")), ("last", ("gan2g", "gan2g_al", "gan2gan", "comparative"))],
)
def test_a_gan_trained_teacher_is_followed_to_the_end(parts, keep, names):
    """Growing like it lowers PSNR, so the best would be the weights from before."""
    assert [METHODS[name].phases(parts)[0].keep for name in names] == [keep] * len(names)


def test_which_teacher_each_method_learns_from():
    assert {name: module.TEACHER_PHASE for name, module in METHODS.items()} == {
        "g2g": "pixel",
        "g2g_al": "pixel",
        "g2g_fa": "pixel",
        "gan2g": "adversarial",
        "gan2g_al": "adversarial",
        "gan2gan": "adversarial",
        "comparative": "adversarial",
        "adversarial": "adversarial",
    }


def test_gan2gan_has_the_five_terms_and_two_discriminators(parts):
    assert [phase.name for phase in METHODS["gan2gan"].phases(parts)] == ["transfer", "adversarial"]
    parts.al = "jointly"
    (phase,) = METHODS["gan2gan"].phases(parts)
    assert phase.step.weights == {
        "content": 1.0,
        "imitation": 1e-3,
        "adversarial": 1e-3,
        "adversarial_teacher": 1e-3,
    }
    first, second = phase.step.adversary, phase.step.teacher_adversary
    assert first.discriminator is not second.discriminator
    assert {id(item) for item in phase.step.state.values()} >= {
        id(item) for part in (first, second) for item in (part.discriminator, part.optimizer)
    }
    # The second judges the teacher's picture against the student's, and not the original.
    lr, hr = batch()
    sr_teacher, sr = parts.teacher(lr, training=False), parts.student(lr, training=True)
    fake, real = (models.clone(second.discriminator)(picture, training=True) for picture in (sr, sr_teacher))
    expected = float(ADVERSARIAL_LOSSES["bce"].discriminator(real=real, fake=fake))
    assert float(phase.step(lr, hr)["discriminator_teacher"]) == pytest.approx(expected, rel=1e-3)


def test_the_second_discriminators_gradient_reaches_the_student(parts):
    """With weight on its term alone, the student can only have moved through it."""
    parts.al = "jointly"
    (phase,) = METHODS["gan2gan"].phases(parts)
    phase.step.weights = {name: float(name == "adversarial_teacher") for name in phase.step.weights}
    before = parts.student.get_weights()
    phase.step(*batch())
    assert all(not np.array_equal(a, b) for a, b in zip(before, parts.student.get_weights(), strict=True))


def test_comparative_is_the_distance_to_the_teacher_alone(parts):
    parts.content_loss = None
    (phase,) = METHODS["comparative"].phases(parts)
    lr, hr = batch()
    sr_teacher, sr = parts.teacher(lr, training=False).numpy(), parts.student(lr, training=False).numpy()
    terms = phase.step(lr, hr)
    assert {name: float(value) for name, value in terms.items()} == {
        "imitation": pytest.approx(((255 * (sr_teacher - sr)) ** 2).mean(), rel=1e-4)
    }


def test_adversarial_judges_the_student_against_the_teacher_by_the_teachers_critic(parts):
    critic = new_adversary(10, loss="relativistic")
    parts.teacher_adversary = lambda steps: critic
    (phase,) = METHODS["adversarial"].phases(parts)
    lr, hr = batch()
    sr_teacher, sr = parts.teacher(lr, training=False), parts.student(lr, training=True)
    twin = models.clone(critic.discriminator)
    real, fake = twin(sr_teacher, training=True), twin(sr, training=True)
    expected = float(ADVERSARIAL_LOSSES["relativistic"].generator(real=real, fake=fake))
    before = critic.discriminator.get_weights()
    terms = phase.step(lr, hr)
    assert float(terms["adversarial"]) == pytest.approx(expected, rel=1e-3)
    assert float(terms["content"]) == pytest.approx(np.abs(hr.numpy() - sr.numpy()).mean(), rel=1e-4)
    assert any(not np.array_equal(a, b) for a, b in zip(before, critic.discriminator.get_weights(), strict=True))
    assert phase.step.state["discriminator"] is critic.discriminator


def test_published_weights():
    published = METHODS["adversarial"].PUBLISHED
    assert published["kd_weight"] == 0.9999 and published["adversarial_weight"] == 1e-4
    assert published["content_weight"] / 12.75**2 == pytest.approx(0.05)
    for name in ("g2g_al", "gan2g_al", "gan2gan"):
        assert METHODS[name].PUBLISHED == {"content_weight": 1.0, "kd_weight": 1e-3, "adversarial_weight": 1e-3}


def test_feature_affinity_reaches_the_students_trunk(parts):
    """The term alone moves the trunk, and leaves the tail, behind the features, where it is."""
    (phase,) = METHODS["g2g_fa"].phases(parts)
    phase.step.weights = {name: float(name == "affinity") for name in phase.step.weights}
    trunk, tail = (np.array(layer.kernel) for layer in (parts.student.trunk[0], parts.student.tail))
    losses = [float(phase.step(*batch())["affinity"]) for _ in range(30)]
    assert losses[-1] < losses[0]
    assert not np.array_equal(trunk, parts.student.trunk[0].kernel)
    np.testing.assert_array_equal(tail, parts.student.tail.kernel)
