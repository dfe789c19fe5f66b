"""Parameter counts from the papers and published weight files; shapes; receptive fields measured by
gradients.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import models
from errors import UserError
from models.discriminators import SpectralConv2D
from models.upsampling import bilinear_double


def small(name, *, width=8):
    """One block, or as few as the named size has room for."""
    return models.build_generator(name, depth=6 if name == "compact_m" else 1, width=width)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("srresnet", 1_554_883),
        # Compact: 3→w, depth × w→w, w→48, each 3×3 with bias.
        ("compact_xs", 28 * 16 + 3 * 145 * 16 + 145 * 48),
        ("compact_s", 28 * 32 + 10 * 289 * 32 + 289 * 16 + 27 * 48),  # a luma tail, and 3×3 of the input without bias
        ("compact_m", 28 * 32 + 16 * 289 * 32 + 289 * 16 + 27 * 48),  # three residual blocks among the 16
        # EDSR: 3→64, 8 blocks of two 64→64, one more behind them, 64→48.
        ("edsr_8x64", 28 * 64 + 17 * 577 * 64 + 577 * 48),
        # Published weight files and papers.
        ("srresnet_8x32", 249_315),
        pytest.param("rrdb", 16_697_987, marks=pytest.mark.slow),
        ("rrdb_11x32", 4_605_955),
        ("fast_srgan", 167_211),
        ("fast_srgan_6x32", 167_459),
        ("fast_srgan_6x32_bilinear", 167_459 - 2 * 9 * 32 * 96 - 2 * 96),  # convolutions to 32 channels, not to 128
        # 11,233 and 7,393 with the 3×3 transposed convolution (64·9·3 + 3) in place of the 1×1 one
        # (64·48 + 48).
        ("compressed_rrdb", 11_233 - 1_731 + 3_120),
        ("compressed_rrdb_small", 7_393 - 1_731 + 3_120),
    ],
)
def test_parameter_counts(name, parameters):
    assert models.build_generator(name).count_params() == parameters


@pytest.mark.parametrize(("name", "parameters"), [("compressed_rrdb", 11_233), ("compressed_rrdb_small", 7_393)])
def test_parameter_counts_of_the_compressed_esrgan_as_published(name, parameters):
    assert models.build_generator(name, upsampling="published").count_params() == parameters


@pytest.mark.parametrize(("name", "parameters"), [("patch", 159_393), ("srgan", 23_569_217)])
def test_discriminator_parameter_counts(name, parameters):
    assert models.build_discriminator(name, size=96).count_params() == parameters


def test_dense_head_of_esrgan():
    """6×6×512 features, 100 units and a logit, behind the same eight convolutions as SRGAN's."""
    convolutions = 23_569_217 - (6 * 6 * 512 + 1) * 1024 - 1025
    assert (
        models.build_discriminator("srgan_dense100", size=96).count_params()
        == convolutions + (6 * 6 * 512 + 1) * 100 + 101
    )


def test_unet_discriminator_parameters():
    """As Real-ESRGAN's code counts; the directions of the power iteration are no parameters
    there.
    """
    weights = models.build_discriminator("unet", size=96).trainable_weights
    assert sum(int(np.prod(weight.shape)) for weight in weights) == 4_376_897


def test_srresnet_trainable_parameters():
    weights = models.build_generator("srresnet").trainable_weights
    assert sum(int(np.prod(weight.shape)) for weight in weights) == 1_550_659


@pytest.mark.parametrize("name", models.GENERATORS)
def test_any_size_goes_in_and_scale_times_it_comes_out(name):
    model = small(name)
    for height, width in ((1, 1), (5, 7), (2, 33)):
        lr = np.random.default_rng(0).random((2, height, width, 3), np.float32)
        sr = model(lr, training=False)
        assert sr.shape == (2, 4 * height, 4 * width, 3) and sr.dtype == "float32"


FORMS = [
    ("srresnet", {}),
    ("compact_xs", {}),
    ("compact_xs", {"tail": "luma"}),
    ("rrdb", {}),
    ("rrdb", {"upsampling": "transposed"}),
    ("compressed_rrdb", {}),
    ("compressed_rrdb", {"upsampling": "published"}),
    ("fast_srgan", {}),
    ("fast_srgan_6x32", {}),
    ("fast_srgan_6x32_bilinear", {}),
]


@pytest.mark.parametrize("scale", [2, 3, 8])  # 1 and 4 are the receptive field's
@pytest.mark.parametrize(("name", "options"), FORMS)
def test_scales(name, options, scale):
    if scale == 3 and (options.get("upsampling") == "transposed" or name.endswith("bilinear")):
        pytest.skip("refused: see test_a_mistake_is_answered_in_one_line")
    model = models.build_generator(name, scale=scale, depth=1, width=8, **options)
    assert model.scale == scale
    assert model(np.zeros((1, 6, 4, 3), np.float32), training=False).shape == (1, 6 * scale, 4 * scale, 3)


@pytest.mark.parametrize(
    ("name", "options", "scale"), [*((*form, scale) for form in FORMS for scale in (1, 4)), ("srresnet", {}, 3)]
)
def test_receptive_field_is_the_reach_of_the_gradient(name, options, scale):
    """The outermost input pixel that the output block of one low-resolution pixel depends on is
    `receptive_field` away, and no further.
    """
    depth = 1 if name == "rrdb" else 2  # through two RRDBs the outermost gradient is too small for a float32
    model = models.build_generator(name, depth=depth, width=8, scale=scale, **options)
    assert model.scale == scale
    size, middle = 75, 37
    lr = tf.constant(np.random.default_rng(1).random((1, size, size, 3), np.float32))
    with tf.GradientTape() as tape:
        tape.watch(lr)
        sr = model(lr, training=False)
        block = sr[:, middle * scale : (middle + 1) * scale, middle * scale : (middle + 1) * scale]
        answer = tf.reduce_sum(block * np.random.default_rng(2).normal(size=block.shape).astype("float32"))
    reach = np.abs(tape.gradient(answer, lr).numpy()).max(axis=(0, 3))
    rows = np.flatnonzero(reach.max(axis=1) > 0)
    assert max(middle - rows.min(), rows.max() - middle) == model.receptive_field


def checkerboard(model):
    """How far the brightest and the darkest of the scale² sub-pixels are apart in the network's
    image of a flat grey, far from its border.
    """
    scale, margin = model.scale, model.receptive_field + 1
    size = 2 * margin + 4
    sr = np.array(model(np.full((1, size, size, 3), 0.5, np.float32), training=False))[0]
    inside = sr[margin * scale : (size - margin) * scale, margin * scale : (size - margin) * scale]
    phases = [inside[i::scale, j::scale].mean(axis=(0, 1)) for i in range(scale) for j in range(scale)]
    return np.ptp(phases, axis=0).max()


@pytest.mark.parametrize("name", models.GENERATORS)
def test_no_checkerboard_at_the_start(name):
    assert checkerboard(small(name, width=16)) < 1e-5


@pytest.mark.parametrize("name", ["compressed_rrdb", "compressed_rrdb_small"])
def test_the_compressed_esrgan_as_published_has_a_checkerboard(name):
    assert checkerboard(models.build_generator(name, upsampling="published")) > 1e-2


def test_every_output_pixel_of_the_repaired_student_sees_the_features():
    """Of the published form 44 % of the pixels before the last convolution hold the bias alone."""

    def blind(upsampling):
        model = models.build_generator("compressed_rrdb", upsampling=upsampling)
        identity = np.zeros((3, 3, 3, 1), np.float32)
        identity[1, 1] = 1  # the last convolution passes on what it gets
        model.tail.kernel.assign(identity)
        features = np.random.default_rng(0).random((1, 6, 6, 64), np.float32)
        picture = [np.array(model.enlarge(x, np.zeros((1, 6, 6, 3), np.float32))) for x in (features, 2 * features)]
        return np.mean(np.all(picture[0] == picture[1], axis=-1)[:, 4:-4, 4:-4])

    assert blind("subpixel") == 0
    assert blind("published") == pytest.approx(7 / 16)


def test_kernels_of_dense_blocks_start_at_a_tenth_of_he_normal():
    keras.utils.set_random_seed(0)
    conv = models.build_generator("rrdb", depth=1).trunk[0].blocks[0].convs[0]
    assert np.std(conv.kernel) == pytest.approx(0.1 * np.sqrt(2 / (9 * 64)), rel=0.05)


def test_picture_is_the_enlarged_features():
    for name in models.GENERATORS:
        model = small(name)
        lr = np.random.default_rng(5).random((2, 7, 6, 3), np.float32)
        features = model.features(lr, training=False)
        assert features.shape == (2, 7, 6, 8)
        np.testing.assert_allclose(model.enlarge(features, lr), model(lr, training=False), atol=1e-6)


@pytest.mark.parametrize("expansion", [0, 2])
@pytest.mark.parametrize("width", [16, 32, 48])  # at 48 the tail is as wide as what it reads
def test_compact_starts_near_its_anchor(width, expansion):
    """Depth-to-space of the repeated input is the input enlarged by nearest neighbour."""
    keras.utils.set_random_seed(0)
    model = models.build_generator("compact_s", width=width, expansion=expansion, tail="rgb")
    lr = np.random.default_rng(2).random((1, 6, 5, 3), np.float32)
    nearest = lr.repeat(4, axis=1).repeat(4, axis=2)
    assert np.abs(model(lr, training=False) - nearest).mean() < 0.2
    model.tail.kernel.assign(np.zeros(model.tail.kernel.shape))
    np.testing.assert_array_equal(model(lr, training=False), nearest)


@pytest.mark.slow
def test_config_makes_the_same_network():
    for name in models.GENERATORS:
        model = small(name)
        twin = models.clone(model)
        assert twin.get_config() == model.get_config()
        for ours, theirs in zip(model.get_weights(), twin.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        twin.trainable_weights[0].assign_add(keras.ops.ones_like(twin.trainable_weights[0]))
        assert not np.array_equal(twin.get_weights()[0], model.get_weights()[0])


@pytest.mark.parametrize("name", ["srresnet", "fast_srgan", "fast_srgan_6x32", "fast_srgan_6x32_bilinear", "patch"])
def test_batch_statistics_move_in_training_and_stand_still_otherwise(name):
    patch = name == "patch"
    model = models.build_discriminator(name, size=40) if patch else models.build_generator(name, depth=2, width=8)
    images = np.random.default_rng(3).random((2, 40, 40, 3), np.float32)
    before = [np.array(weight) for weight in model.non_trainable_weights]
    model(images, training=False)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.non_trainable_weights, strict=True))
    model(images, training=True)
    assert all(not np.array_equal(a, b) for a, b in zip(before, model.non_trainable_weights, strict=True))


@pytest.mark.parametrize(("height", "width"), [(32, 32), (37, 50), (1, 5)])
def test_patch_and_unet_discriminators_take_any_size(height, width):
    images = np.random.default_rng(0).random((2, height, width, 3), np.float32)
    patch = models.build_discriminator("patch", size=32, filters=4)(images, training=False)
    assert patch.shape == (2, -(-height // 16), -(-width // 16), 1)
    unet = models.build_discriminator("unet", size=32, filters=4)(images, training=False)
    assert unet.shape == (2, height, width, 1)


def test_spectral_convolution_has_largest_singular_value_one():
    layer = SpectralConv2D(filters=6, kernel_size=3)
    images = np.random.default_rng(0).random((1, 9, 9, 4), np.float32)
    layer(images, training=False)
    layer.kernel.assign(5 * layer.kernel)
    for _ in range(200):
        layer(images, training=True)
    kernel = np.array(layer.kernel)
    sigma = np.linalg.svd(kernel.reshape(-1, 6), compute_uv=False)[0]
    assert sigma > 2
    expected = tf.nn.conv2d(images, kernel / sigma, 1, "SAME")
    np.testing.assert_allclose(layer(images, training=False), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("size", [(4, 6), (5, 3)])
def test_bilinear_double_is_tensorflows(size):
    images = np.random.default_rng(0).random((2, *size, 3), np.float32)
    expected = tf.image.resize(images, (2 * size[0], 2 * size[1]), "bilinear")
    np.testing.assert_allclose(bilinear_double(images), expected, atol=1e-6)


def test_discriminator_returns_unbounded_logits():
    model = models.build_discriminator("srgan", size=32, filters=4, dense=8)
    logits = model(100 * np.random.default_rng(4).normal(size=(64, 32, 32, 3)).astype("float32"), training=False)
    assert logits.shape == (64, 1)
    assert float(keras.ops.max(logits)) > 1 or float(keras.ops.min(logits)) < 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": "srrestnet"}, "'srrestnet' is no generator; choose one of: srresnet"),
        ({"name": "srresnet", "scale": 5}, "scale is 5"),
        ({"name": "compact_s", "blocks": 5}, "blocks"),
        ({"name": "rrdb", "depth": 1, "upsampling": "bicubic"}, "'bicubic'.*choose nearest"),
        ({"name": "rrdb", "depth": 1, "upsampling": "transposed", "scale": 3}, "'transposed' at scale 3"),
        ({"name": "compressed_rrdb", "upsampling": "transposed"}, "choose subpixel or published"),
        ({"name": "fast_srgan", "upsampling": "nearest"}, "'nearest': choose subpixel or bilinear"),
        ({"name": "fast_srgan_6x32_bilinear", "scale": 3}, "scale is 3; bilinear upsampling doubles"),
    ],
)
def test_a_mistake_is_answered_in_one_line(arguments, said):
    with pytest.raises(UserError, match=said):
        models.build_generator(**arguments)
