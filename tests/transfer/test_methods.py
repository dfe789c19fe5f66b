"""The transfer methods: what their losses are, and that the teacher never changes."""

import re
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

import models
from errors import UserError
from losses.adversarial import ADVERSARIAL_LOSSES
from losses.pixel import imitation_loss
from settings.transfer import Distill
from transfer.job import TransferJob
from transfer.methods import METHODS


@pytest.fixture
def job(tmp_path):
    """A small teacher and a small student, and the critic that the teacher was trained against."""
    teacher = models.build_generator("srresnet", depth=1, width=8)
    teacher(np.random.default_rng(9).random((2, 8, 8, 3), np.float32), training=True)  # moving averages off their start
    teacher.trainable = False
    student = models.build_generator("compact_xs", depth=1, width=4)
    models.save_weights(models.build_discriminator("patch", size=32), tmp_path / "discriminator.weights.h5")
    settings = Distill().with_values(
        teacher=str(tmp_path),
        content_loss="pixel",
        content_weight=1.0,
        kd_weight=1e-3,
        affinity_weight=0.1,
        adversarial_weight=1e-3,
        discriminator="patch",
        patch_size=8,
        optimizer="adam",
        learning_rate=1e-3,
        adversarial_learning_rate=1e-3,
        schedule="constant",
        steps=10,
        adversarial_steps=5,
    )
    return TransferJob(settings, model=student, average=models.clone(student), teacher=teacher)


def told(job, **values):
    """The same job with other settings."""
    return replace(job, settings=job.settings.with_values(**values))


def weigh_alone(step, name):
    """Give the other terms no weight."""
    step.terms = tuple(replace(term, weight=float(term.name == name)) for term in step.terms)


def weights_of(step):
    return {term.name: term.weight for term in step.terms}


def batch(seed=0):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.random((2, 8, 8, 3), np.float32)), tf.constant(rng.random((2, 32, 32, 3), np.float32))


@pytest.mark.parametrize("method", METHODS)
def test_no_update_changes_the_teacher_and_each_changes_the_student(job, method):
    before = [weight.copy() for weight in job.teacher.get_weights()]
    for phase in METHODS[method].phases(job):
        student = job.model.get_weights()
        for seed in range(2):
            phase.step(*batch(seed))
        assert all(not np.array_equal(a, b) for a, b in zip(student, job.model.get_weights(), strict=True))
    for a, b in zip(before, job.teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_imitation_is_in_levels_squared():
    """One 8-bit level of difference everywhere is 1, as published for pixels in [0, 255]."""
    teacher = tf.fill((1, 4, 4, 3), 100.0 / 255)
    assert float(imitation_loss(teacher, teacher + 1.0 / 255)) == pytest.approx(1.0, rel=1e-4)
    assert float(imitation_loss(teacher, teacher - 3.0 / 255)) == pytest.approx(9.0, rel=1e-4)


def test_g2g_terms_by_hand(job):
    lr, hr = batch()
    sr_teacher, sr = job.teacher(lr, training=False).numpy(), job.model(lr, training=False).numpy()
    (phase,) = METHODS["g2g"].phases(job)
    terms = phase.step(lr, hr)
    assert float(terms["content"]) == pytest.approx(np.abs(hr.numpy() - sr).mean(), rel=1e-4)
    assert float(terms["imitation"]) == pytest.approx(((255 * (sr_teacher - sr)) ** 2).mean(), rel=1e-4)
    assert weights_of(phase.step) == {"content": 1.0, "imitation": 1e-3}


def test_the_teachers_image_may_come_with_the_batch(job):
    """The same terms, and no teacher runs."""
    lr, hr = batch()
    (live,) = METHODS["g2g"].phases(job)
    (cached,) = METHODS["g2g"].phases(replace(job, teacher=None))
    sr_teacher = job.teacher(lr, training=False)
    before = job.model.get_weights()
    expected = live.step(lr, hr)
    job.model.set_weights(before)
    terms = cached.step(lr, hr, sr_teacher)
    assert {name: float(value) for name, value in terms.items()} == pytest.approx(
        {name: float(value) for name, value in expected.items()}, rel=1e-6
    )


def test_a_method_that_looks_inside_its_teacher_needs_one_that_runs(job):
    with pytest.raises(UserError, match="--cache_teacher, --teacher_images: this method looks inside its teacher"):
        METHODS["g2g_fa"].phases(replace(job, teacher=None))


def test_with_all_weight_on_imitation_the_student_approaches_the_teacher(job):
    (phase,) = METHODS["g2g"].phases(told(job, kd_weight=1.0, content_weight=0.0))
    lr, hr = batch()
    update = tf.function(phase.step)
    losses = [float(update(lr, hr)["imitation"]) for _ in range(60)]
    assert losses[-1] < 0.7 * losses[0]


def test_adversarial_learning_after_and_jointly(job):
    after = METHODS["g2g_al"].phases(job)
    assert [(phase.name, phase.steps, phase.keep) for phase in after] == [
        ("transfer", 10, "best"),
        ("adversarial", 5, "last"),
    ]
    (joint,) = METHODS["g2g_al"].phases(told(job, al="jointly"))
    assert (joint.name, joint.steps) == ("adversarial", 10)
    assert set(joint.step(*batch())) == {"content", "imitation", "adversarial", "discriminator"}
    assert weights_of(joint.step) == {"content": 1.0, "imitation": 1e-3, "adversarial": 1e-3}


@pytest.mark.parametrize(
    ("keep", "names"),
    [("best", ("g2g", "g2g_fa", "g2g_al", "adapt")), ("last", ("gan2g", "gan2g_al", "gan2gan", "comparative"))],
)
def test_a_gan_trained_teacher_is_followed_to_the_end(job, keep, names):
    """Growing like it lowers PSNR, so the best would be the weights from before."""
    assert [METHODS[name].phases(job)[0].keep for name in names] == [keep] * len(names)


def test_which_teacher_each_method_learns_from():
    published = {
        "g2g": "content",
        "g2g_al": "content",
        "g2g_fa": "content",
        "gan2g": "adversarial",
        "gan2g_al": "adversarial",
        "gan2gan": "adversarial",
        "comparative": "adversarial",
        "adversarial": "adversarial",
        "adapt": "pixel",
    }
    assert {name: METHODS[name].teacher for name in published} == published


def test_gan2gan_has_the_five_terms_and_two_discriminators(job):
    assert [phase.name for phase in METHODS["gan2gan"].phases(job)] == ["transfer", "adversarial"]
    (phase,) = METHODS["gan2gan"].phases(told(job, al="jointly"))
    assert weights_of(phase.step) == {
        "content": 1.0,
        "imitation": 1e-3,
        "adversarial": 1e-3,
        "adversarial_teacher": 1e-3,
    }
    first, second = (term.adversary for term in phase.step.terms if term.adversary)
    assert first.discriminator is not second.discriminator
    assert {id(item) for item in phase.step.state.values()} >= {
        id(item) for part in (first, second) for item in (part.discriminator, part.optimizer)
    }
    # The second judges the teacher's image against the student's, and not the original.
    lr, hr = batch()
    sr_teacher, sr = job.teacher(lr, training=False), job.model(lr, training=True)
    fake, real = (models.clone(second.discriminator)(image, training=True) for image in (sr, sr_teacher))
    expected = float(ADVERSARIAL_LOSSES["bce"].discriminator(real=real, fake=fake))
    assert float(phase.step(lr, hr)["teacher_discriminator"]) == pytest.approx(expected, rel=1e-3)


def test_the_second_discriminators_gradient_reaches_the_student(job):
    """With weight on its term alone, the student can only have moved through it."""
    (phase,) = METHODS["gan2gan"].phases(told(job, al="jointly"))
    weigh_alone(phase.step, "adversarial_teacher")
    before = job.model.get_weights()
    phase.step(*batch())
    assert all(not np.array_equal(a, b) for a, b in zip(before, job.model.get_weights(), strict=True))


def test_comparative_is_the_distance_to_the_teacher_alone(job):
    (phase,) = METHODS["comparative"].phases(job)
    lr, hr = batch()
    sr_teacher, sr = job.teacher(lr, training=False).numpy(), job.model(lr, training=False).numpy()
    terms = phase.step(lr, hr)
    assert {name: float(value) for name, value in terms.items()} == {
        "imitation": pytest.approx(((255 * (sr_teacher - sr)) ** 2).mean(), rel=1e-4)
    }


def test_adversarial_judges_the_student_against_the_teacher_by_the_teachers_critic(job, tmp_path):
    (phase,) = METHODS["adversarial"].phases(told(job, adversarial_loss="relativistic"))
    lr, hr = batch()
    sr_teacher, sr = job.teacher(lr, training=False), job.model(lr, training=True)
    twin = models.load_model(tmp_path / "discriminator.weights.h5")
    real, fake = twin(sr_teacher, training=True), twin(sr, training=True)
    expected = float(ADVERSARIAL_LOSSES["relativistic"].generator(real=real, fake=fake))
    critic = phase.step.state["discriminator"]
    before = critic.get_weights()
    terms = phase.step(lr, hr)
    assert float(terms["adversarial"]) == pytest.approx(expected, rel=1e-3)
    assert float(terms["content"]) == pytest.approx(np.abs(hr.numpy() - sr.numpy()).mean(), rel=1e-4)
    assert any(not np.array_equal(a, b) for a, b in zip(before, critic.get_weights(), strict=True))


def test_adapt_is_the_distance_to_the_label_alone(job):
    """Which the batch brings in the place of the original: no teacher runs."""
    (phase,) = METHODS["adapt"].phases(replace(job, teacher=None))
    lr, label = batch()
    sr = job.model(lr, training=False).numpy()
    terms = phase.step(lr, label)
    assert {name: float(value) for name, value in terms.items()} == {
        "pixel": pytest.approx(np.abs(label.numpy() - sr).mean(), rel=1e-4)
    }


def test_published_weights():
    published = METHODS["adversarial"].published
    assert published["kd_weight"] == 0.9999 and published["adversarial_weight"] == 1e-4
    assert published["content_weight"] / 12.75**2 == pytest.approx(0.05)
    for name in ("g2g_al", "gan2g_al", "gan2gan"):
        assert METHODS[name].published == {"content_weight": 1.0, "kd_weight": 1e-3, "adversarial_weight": 1e-3}


def test_feature_affinity_reaches_the_students_trunk(job):
    """The term alone moves the trunk, and leaves the tail, behind the features, where it is."""
    (phase,) = METHODS["g2g_fa"].phases(job)
    weigh_alone(phase.step, "affinity")
    trunk, tail = (np.array(layer.kernel) for layer in (job.model.trunk[0], job.model.tail))
    losses = [float(phase.step(*batch())["affinity"]) for _ in range(30)]
    assert losses[-1] < losses[0]
    assert not np.array_equal(trunk, job.model.trunk[0].kernel)
    np.testing.assert_array_equal(tail, job.model.tail.kernel)


def test_help_states_the_published_weights():
    """Each row of the table against what the method's module publishes."""
    rows = re.findall(r"^ *(\w+) +\S.*?  +(\S+, .*|none)$", Distill.__doc__, re.M)
    assert [name for name, _ in rows] == list(METHODS)
    for name, text in rows:
        published = {key: value for key, value in METHODS[name].published.items() if key.endswith("_weight")}
        stated = [] if text == "none" else text.split(", ")
        keys = ["content", "kd", *(word.split()[0] for word in stated[2:])]
        found = {f"{key}_weight": word.split()[-1] for key, word in zip(keys, stated, strict=False) if word != "-"}
        assert {key: f"{value:.4g}" for key, value in published.items()} == found, name
