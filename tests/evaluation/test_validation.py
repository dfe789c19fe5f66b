"""The panels that a run shows: low-resolution input, bicubic, output and original, side by side,
whole where the image is small.
"""

import numpy as np
import pytest
import tensorflow as tf
from skimage import data as photographs

from data.bicubic import upscale
from data.degradation import Degradation
from data.source import Source
from data.store import open_store
from evaluation.validation import Validator
from models import build_generator


@pytest.fixture(scope="module", params=[1, 4])
def faces(request, tmp_path_factory):
    """Two blurred pairs of 256x256 originals, the size of CelebA's, at scale 1 and 4."""
    scale, photograph = request.param, photographs.astronaut()

    def pairs():
        for number, left in enumerate((100, 200)):
            hr = photograph[:256, left : left + 256]
            yield str(number), hr, Degradation("blur", scale).lr(hr)

    source = Source(key="faces", description="faces", scale=scale, pairs=pairs)
    return open_store(source, cache_dir=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def model(faces):
    return build_generator("compact_xs", scale=faces.scale)


def test_panels_show_lr_bicubic_sr_and_hr_of_whole_small_pictures(faces, model):
    panels = Validator(faces, pictures=10, size=384).pictures(model)
    assert list(panels) == ["lr_bicubic_sr_hr/0", "lr_bicubic_sr_hr/1"]
    for number, panel in enumerate(panels.values()):
        assert panel.shape == (1, 256, 4 * 256, 3) and panel.dtype == np.float32
        assert panel.min() >= 0 and panel.max() <= 1
        nearest, bicubic, sr, hr = np.split(np.round(panel[0] * 255).astype(np.uint8), 4, axis=1)
        lr = faces.lr(number)
        np.testing.assert_array_equal(nearest, np.kron(lr, np.ones((faces.scale, faces.scale, 1), np.uint8)))
        np.testing.assert_array_equal(bicubic, upscale(lr, faces.scale))
        np.testing.assert_array_equal(hr, faces.hr(number))
        output = model(tf.constant(lr[None] / 255.0, tf.float32), training=False)[0].numpy()
        np.testing.assert_allclose(sr, np.clip(output, 0, 1) * 255, atol=0.51)


def test_panels_show_the_teacher_too(faces, model):
    def teacher(lr, training):
        return tf.repeat(tf.repeat(1.0 - lr, faces.scale, axis=1), faces.scale, axis=2)

    panels = Validator(faces, pictures=10, size=384, teacher=teacher).pictures(model)
    assert list(panels) == ["lr_bicubic_teacher_sr_hr/0", "lr_bicubic_teacher_sr_hr/1"]
    for panel in panels.values():
        nearest, _, shown, _, _ = np.split(np.round(panel[0] * 255).astype(np.uint8), 5, axis=1)
        np.testing.assert_array_equal(shown, 255 - nearest)


def test_metrics_are_those_of_the_output_inside_the_border(faces, model):
    """An untrained compact network gives its input enlarged by nearest neighbour, nearly; the
    measure is written out here.
    """
    metrics = Validator(faces, pictures=1, size=384).metrics(model)
    output = np.clip(model(tf.constant(faces.lr(0)[None] / 255.0, tf.float32), training=False)[0].numpy(), 0, 1)
    border = slice(faces.scale, -faces.scale)
    weights = np.array([65.481, 128.553, 24.966]) / 255
    sr, hr = ((picture[border, border] @ weights) for picture in (np.round(output * 255), faces.hr(0).astype(float)))
    assert metrics["psnr_y"] == pytest.approx(10 * np.log10(255**2 / ((sr - hr) ** 2).mean()), abs=0.01)


def test_large_pictures_show_their_middle_aligned(tmp_path):
    photograph = photographs.astronaut()
    source = Source(
        key="one", description="one", scale=4, pairs=lambda: iter([("a", photograph, photograph[1::4, 1::4])])
    )
    validator = Validator(open_store(source, cache_dir=tmp_path), pictures=1, size=100)
    [(lr, hr)] = validator.crops
    np.testing.assert_array_equal(hr, photograph[204:304, 204:304])  # (128 - 25) // 2 = 51 LR pixels from the corner
    np.testing.assert_array_equal(lr, hr[1::4, 1::4])


def test_a_crop_of_one_colour_is_left_out(tmp_path):
    """A network that is exact on black would have an infinite mean for ever, and no later state
    would rank above the first.
    """
    photograph = photographs.astronaut()[:64, :64]

    def store(name, *originals):
        def pairs():
            for number, hr in enumerate(originals):
                yield str(number), hr, hr[::4, ::4]

        source = Source(key=name, description=name, scale=4, pairs=pairs)
        return open_store(source, cache_dir=tmp_path)

    def nearest(lr, training):
        return tf.repeat(tf.repeat(lr, 4, axis=1), 4, axis=2)

    black = np.zeros_like(photograph)
    expected = Validator(store("one", photograph), pictures=9, size=64).metrics(nearest)
    assert np.isfinite(expected["psnr_y"])
    assert Validator(store("two", black, photograph), pictures=9, size=64).metrics(nearest) == expected
    assert Validator(store("black", black), pictures=9, size=64).metrics(nearest)["psnr_y"] == np.inf


def test_the_identity_tells_sizes_images_and_pixels_apart(tmp_path):
    """By it a continued run knows whether its best was measured on the same."""
    photograph = photographs.astronaut()

    def identity(name, *, size=96, count=2, change=0):
        def pairs():
            for number in range(count):
                hr = photograph[:128, 100 * number : 100 * number + 128].copy()
                hr[64, 64, 0] ^= change
                yield str(number), hr, Degradation("bicubic", 4).lr(hr)

        source = Source(key=name, description=name, scale=4, pairs=pairs)
        return Validator(open_store(source, cache_dir=tmp_path), pictures=3, size=size).identity

    found = [identity("a"), identity("b", size=64), identity("c", count=3), identity("d", change=1)]
    assert len(set(found)) == 4 and identity("e") == found[0]
