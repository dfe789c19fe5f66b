"""Every loss against numbers computed by hand or by numpy."""

import math

import keras
import numpy as np
import pytest

from errors import UserError
from losses.adversarial import (
    bce_discriminator_loss,
    bce_generator_loss,
    hinge_discriminator_loss,
    hinge_generator_loss,
    least_squares_discriminator_loss,
    least_squares_generator_loss,
    linear_discriminator_loss,
    linear_generator_loss,
    relativistic_discriminator_loss,
    relativistic_generator_loss,
    smoothed_targets,
)
from losses.affinity import affinity, feature_affinity_loss
from losses.grid import grid_loss
from losses.perceptual import BLOCKS, PerceptualLoss
from losses.pixel import charbonnier_loss, mae_loss, mse_loss, total_variation_loss
from settings.losses import VGG19_LAYERS


def tensor(values):
    return keras.ops.convert_to_tensor(np.array(values, np.float32))


HR = tensor([[[[0.0, 0.5, 1.0]]]])
SR = tensor([[[[0.25, 0.5, 0.5]]]])


def test_pixel_losses_by_hand():
    assert float(mae_loss(HR, SR)) == pytest.approx((0.25 + 0 + 0.5) / 3)
    assert float(mse_loss(HR, SR)) == pytest.approx((0.0625 + 0 + 0.25) / 3)
    expected = (math.hypot(0.25, 0.01) + 0.01 + math.hypot(0.5, 0.01)) / 3
    assert float(charbonnier_loss(HR, SR, epsilon=0.01)) == pytest.approx(expected, rel=1e-5)


def test_total_variation_by_hand():
    picture = tensor([[[[0.0], [0.5]], [[1.0], [0.75]]]])
    # Down the columns: 1, 0.25; along the rows: 0.5, -0.25.
    expected = 2 * ((1 + 0.0625) / 2 + (0.25 + 0.0625) / 2)
    assert float(total_variation_loss(picture)) == pytest.approx(expected)
    assert float(total_variation_loss(tensor(np.full((2, 3, 4, 3), 0.7)))) == 0
    assert float(total_variation_loss(picture[:, :1])) == pytest.approx(2 * 0.25)


def test_feature_affinity_by_hand():
    """Two places: features (3, 4) and (4, 3) have the cosine 24/25; (1) and (-2) have -1.

    The diagonal agrees.
    """
    teacher = tensor([[[[3.0, 4.0], [4.0, 3.0]]]])
    student = tensor([[[[1.0], [-2.0]]]])
    np.testing.assert_allclose(affinity(teacher)[0], [[1, 0.96], [0.96, 1]], rtol=1e-5)
    assert float(feature_affinity_loss(teacher, student)) == pytest.approx((0 + 1.96 + 1.96 + 0) / 4, rel=1e-5)
    assert float(feature_affinity_loss(teacher, 7 * teacher)) == pytest.approx(0, abs=1e-6)
    assert float(feature_affinity_loss(tensor(np.zeros((1, 2, 2, 3))), tensor(np.zeros((1, 2, 2, 1))))) == 0


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


REAL, FAKE = [2.0, 0.0], [-1.0, 1.5]


def test_bce_by_hand():
    expected = -sum(math.log(sigmoid(x)) for x in REAL) / 2 - sum(math.log(1 - sigmoid(x)) for x in FAKE) / 2
    assert float(bce_discriminator_loss(real=tensor(REAL), fake=tensor(FAKE))) == pytest.approx(expected, rel=1e-5)
    expected = -sum(math.log(sigmoid(x)) for x in FAKE) / 2
    assert float(bce_generator_loss(real=None, fake=tensor(FAKE))) == pytest.approx(expected, rel=1e-5)


def test_relativistic_by_hand():
    mean_real, mean_fake = 1.0, 0.25
    d_real = [sigmoid(x - mean_fake) for x in REAL]
    d_fake = [sigmoid(x - mean_real) for x in FAKE]
    discriminator = -sum(map(math.log, d_real)) / 2 - sum(math.log(1 - d) for d in d_fake) / 2
    generator = -sum(math.log(1 - d) for d in d_real) / 2 - sum(map(math.log, d_fake)) / 2
    real, fake = tensor(REAL), tensor(FAKE)
    assert float(relativistic_discriminator_loss(real=real, fake=fake)) == pytest.approx(discriminator, rel=1e-5)
    assert float(relativistic_generator_loss(real=real, fake=fake)) == pytest.approx(generator, rel=1e-5)


def test_hinge_by_hand():
    real, fake = tensor(REAL), tensor(FAKE)
    # max(0, 1 - 2), max(0, 1 - 0); max(0, 1 - 1), max(0, 1 + 1.5)
    assert float(hinge_discriminator_loss(real=real, fake=fake)) == pytest.approx((0 + 1) / 2 + (0 + 2.5) / 2)
    assert float(hinge_generator_loss(real=None, fake=fake)) == pytest.approx(-0.25)


def test_least_squares_by_hand():
    real, fake = tensor(REAL), tensor(FAKE)
    expected = ((1 + 1) / 2 + (1 + 2.25) / 2) / 2
    assert float(least_squares_discriminator_loss(real=real, fake=fake)) == pytest.approx(expected)
    assert float(least_squares_generator_loss(real=None, fake=fake)) == pytest.approx((4 + 0.25) / 2 / 2)


def test_linear_by_hand():
    real, fake = tensor(REAL), tensor(FAKE)
    of_real, of_fake = (sum(map(sigmoid, logits)) / 2 for logits in (REAL, FAKE))
    assert float(linear_discriminator_loss(real=real, fake=fake)) == pytest.approx(1 - of_real + of_fake, rel=1e-5)
    assert float(linear_generator_loss(real=None, fake=fake)) == pytest.approx(1 - of_fake, rel=1e-5)


def test_smoothed_labels_by_hand():
    real_target, fake_target = smoothed_targets(real_noise=tensor([0.0, 0.5]), fake_noise=tensor([1.0, 0.25]))
    np.testing.assert_allclose(real_target, [1.0, 0.95], rtol=1e-6)
    np.testing.assert_allclose(fake_target, [0.1, 0.025], rtol=1e-6)
    targets = {"real_target": real_target, "fake_target": fake_target}
    entropy = [
        -t * math.log(sigmoid(x)) - (1 - t) * math.log(1 - sigmoid(x)) for x, t in zip(REAL, [1, 0.95], strict=True)
    ]
    entropy += [
        -t * math.log(sigmoid(x)) - (1 - t) * math.log(1 - sigmoid(x)) for x, t in zip(FAKE, [0.1, 0.025], strict=True)
    ]
    found = bce_discriminator_loss(real=tensor(REAL), fake=tensor(FAKE), **targets)
    assert float(found) == pytest.approx(sum(entropy) / 2, rel=1e-5)
    squares = [(2 - 1) ** 2, (0 - 0.95) ** 2, (-1 - 0.1) ** 2, (1.5 - 0.025) ** 2]
    found = least_squares_discriminator_loss(real=tensor(REAL), fake=tensor(FAKE), **targets)
    assert float(found) == pytest.approx(sum(squares) / 4, rel=1e-5)


@pytest.mark.parametrize("logit", [-1000.0, 1000.0])
def test_large_logits_stay_finite(logit):
    for loss in (bce_discriminator_loss, relativistic_discriminator_loss, relativistic_generator_loss):
        assert np.isfinite(float(loss(real=tensor([logit, 0.0]), fake=tensor([-logit, 0.0]))))


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory):
    """Random weights of the first two blocks, in the npz layout."""
    rng, arrays, channels = np.random.default_rng(0), {}, 3
    for block in ("block1", "block2"):
        count, filters = BLOCKS[block]
        for i in range(count):
            arrays[f"{block}_conv{i + 1}__kernel"] = rng.normal(0, 0.05, (3, 3, channels, filters)).astype("float32")
            arrays[f"{block}_conv{i + 1}__bias"] = rng.normal(0, 0.05, filters).astype("float32")
            channels = filters
    path = tmp_path_factory.mktemp("vgg") / "vgg.npz"
    np.savez(path, **arrays)
    return path


def features_by_numpy(path, image):
    """block1_conv1 before activation, of an image in [0, 1]: RGB to BGR, means off, zero-padded
    3×3, by explicit sums.
    """
    with np.load(path) as file:
        kernel, bias = file["block1_conv1__kernel"], file["block1_conv1__bias"]
    bgr = image[..., ::-1] * 255.0 - np.array([103.939, 116.779, 123.68])
    padded = np.pad(bgr, [(1, 1), (1, 1), (0, 0)])
    height, width = image.shape[:2]
    out = np.zeros((height, width, kernel.shape[3])) + bias
    for dy in range(3):
        for dx in range(3):
            out += padded[dy : dy + height, dx : dx + width] @ kernel[dy, dx]
    return out


@pytest.mark.parametrize(("distance", "power"), [("l2", 2), ("l1", 1)])
@pytest.mark.parametrize("before_activation", [False, True])
def test_perceptual_loss_against_numpy(vgg_file, before_activation, distance, power):
    rng = np.random.default_rng(1)
    hr, sr = rng.random((2, 6, 5, 3))
    options = {"before_activation": before_activation, "distance": distance}
    loss = PerceptualLoss(layer="block1_conv1", vgg_weights=vgg_file, **options)
    features = [features_by_numpy(vgg_file, image) / 12.75 for image in (hr, sr)]
    if not before_activation:
        features = [np.maximum(f, 0) for f in features]
    expected = np.mean(np.abs(features[0] - features[1]) ** power)
    assert float(loss(tensor(hr[None]), tensor(sr[None]))) == pytest.approx(expected, rel=1e-4)


def test_shifted_features_see_every_phase_of_the_poolings(vgg_file):
    """Eight equal pairs: the mean over eight beginnings, each as if it were cropped by hand."""
    hr, sr = np.random.default_rng(2).random((2, 1, 20, 16, 3)).astype("float32")
    plain = PerceptualLoss(layer="block2_conv2", vgg_weights=vgg_file)
    shifted = PerceptualLoss(layer="block2_conv2", vgg_weights=vgg_file, shifted=True)
    starts = [(0, 0), (2, 2), (1, 3), (3, 1), (0, 2), (2, 0), (1, 1), (3, 3)]
    assert {top for top, _ in starts} == {left for _, left in starts} == {0, 1, 2, 3}
    by_hand = [
        float(plain(*(tensor(image[:, top : top + 16, left : left + 12]) for image in (hr, sr))))
        for top, left in starts
    ]
    assert np.std(by_hand) > 0
    loss = shifted(*(tensor(np.repeat(image, 8, axis=0)) for image in (hr, sr)))
    assert float(loss) == pytest.approx(np.mean(by_hand), rel=1e-4)
    first = shifted(tensor(hr), tensor(sr))  # a batch of one, and whatever else is no multiple of eight
    assert float(first) == pytest.approx(by_hand[0], rel=1e-4)


def test_vgg19_is_the_one_of_keras(vgg_file):
    """Same layer names, shapes and pooling as keras.applications: equal features with equal
    weights.
    """
    reference = keras.applications.VGG19(weights=None, include_top=False, input_shape=(32, 32, 3))
    loss = PerceptualLoss(layer="block2_conv2", vgg_weights=vgg_file)
    assert [layer.name for layer in reference.layers if "conv" in layer.name] == [*VGG19_LAYERS]
    for layer in loss.features.layers:
        if layer.weights:
            reference.get_layer(layer.name).set_weights(layer.get_weights())
    image = np.random.default_rng(2).random((1, 32, 32, 3)).astype("float32")
    ours = loss._features_of(tensor(image)) * 12.75
    cut = keras.Model(reference.inputs, reference.get_layer("block2_conv2").output)
    theirs = cut(keras.applications.vgg19.preprocess_input(image * 255.0), training=False)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-2)


def test_a_deeper_layer_than_the_file_holds_is_refused_with_those_it_has(vgg_file):
    with pytest.raises(UserError, match=r"lacks block3_conv1; it holds block1_conv1, .*block2_conv2"):
        PerceptualLoss(layer="block5_conv4", vgg_weights=vgg_file)


def test_bad_vgg_weights(tmp_path):
    with pytest.raises(UserError, match="no such layer; choose one of block1_conv1"):
        PerceptualLoss(layer="block9_conv1")
    with pytest.raises(UserError, match="--vgg_weights=.*none.npz: no such file"):
        PerceptualLoss(vgg_weights=tmp_path / "none.npz")
    for name in ("text.npz", "text.h5"):
        (tmp_path / name).write_text("no weights")
        with pytest.raises(UserError, match=f"--vgg_weights=.*{name}"):
            PerceptualLoss(vgg_weights=tmp_path / name)


def test_the_grid_loss_is_the_strength_of_what_repeats_itself():
    rng = np.random.default_rng(3)
    hr = rng.random((2, 48, 36, 3))
    grid = rng.normal(0, 0.02, (4, 4, 3))
    grid -= grid.mean((0, 1))
    everywhere = np.tile(grid, (12, 9, 1))
    strength = math.sqrt((grid**2).mean())
    assert float(grid_loss(tensor(hr), tensor(hr + everywhere), scale=4)) == pytest.approx(strength, rel=1e-3)
    in_one_colour = everywhere * [1, 0, 0] + [0.1, 0, 0]  # a shift of the colour is no grid
    expected = math.sqrt((grid[..., 0] ** 2).mean() / 3)
    assert float(grid_loss(tensor(hr), tensor(hr + in_one_colour), scale=4)) == pytest.approx(expected, rel=1e-3)


def test_the_grid_loss_hardly_feels_texture():
    """Of independent errors a place keeps a sixth, the mean over its 36 low-resolution pixels, less
    what all 16 sub-pixels share.
    """
    expected = 0.02 / 6 * math.sqrt(15 / 16)
    hr, sr = tensor(np.zeros((1, 240, 240, 3))), tensor(np.random.default_rng(4).normal(0, 0.02, (1, 240, 240, 3)))
    assert float(grid_loss(hr, sr, scale=4)) == pytest.approx(expected, rel=0.05)


def test_the_grid_loss_sees_a_grid_whose_sign_changes_from_place_to_place():
    sign = np.where(np.arange(96) < 48, 1, -1)[:, None, None]
    sr = 0.01 * sign * np.tile([[[1.0], [-1.0]] * 48], (96, 1, 3))
    sr = np.broadcast_to(sr, (96, 96, 3))
    loss = float(grid_loss(tensor(np.zeros((1, 96, 96, 3))), tensor(sr[None]), scale=4))
    assert 0.0085 < loss < 0.01
