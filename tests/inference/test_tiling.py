import keras
import numpy as np
import pytest

from errors import UserError
from inference.engines import Engine, KerasEngine, TFLiteEngine
from inference.tiling import iter_strips, plan_axis, plan_fixed_axis, upscale_tiled
from models import GENERATORS, build_generator

SIZES = [(1, 1), (1, 50), (50, 1), (1000, 7), (64, 64), (33, 90)]


def noise(height, width, seed=0):
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def eight_bits(sr):
    return np.floor(sr * 255 + 0.5).astype(np.uint8)


@pytest.fixture(scope="module", params=["keras", "tflite"])
def engine(request, network, exported):
    return KerasEngine(network) if request.param == "keras" else TFLiteEngine(exported["dynamic"], threads=1)


class Halo(Engine):
    """An engine that claims another receptive field, and notes the sizes it is called with."""

    def __init__(self, engine, receptive_field=None):
        self.engine, self.scale, self.fixed_size = engine, engine.scale, engine.fixed_size
        self.receptive_field = engine.receptive_field if receptive_field is None else receptive_field
        self.sizes = []

    def __call__(self, lr):
        self.sizes.append(lr.shape[1:3])
        return self.engine(lr)


def assert_same(tiled, whole):
    np.testing.assert_array_equal(eight_bits(tiled), eight_bits(whole))
    np.testing.assert_allclose(tiled, whole, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_tiled_equals_untiled(engine, size):
    lr = noise(*size)
    for tile in (1, 7, 24) if min(size) < 60 and max(size) < 900 else (11, 40):
        assert_same(upscale_tiled(engine, lr, tile=tile), engine(lr[None])[0])


def test_tiled_equals_untiled_for_random_sizes(engine):
    random = np.random.default_rng(11)
    for _ in range(25):
        (height, width), tile = random.integers(1, 80, 2), int(random.integers(3, 50))
        lr = noise(height, width, seed=tile)
        assert_same(upscale_tiled(engine, lr, tile=tile), engine(lr[None])[0])


@pytest.mark.parametrize("halo", [0, 2, 3])
def test_too_small_a_halo_is_seen(engine, halo):
    """The equality above can fail: one pixel less than the receptive field (4) is enough."""
    lr = noise(60, 60)
    tiled = upscale_tiled(Halo(engine, halo), lr, tile=20)
    assert np.abs(eight_bits(tiled).astype(int) - eight_bits(engine(lr[None])[0])).max() > 0


def test_all_windows_of_a_picture_have_one_size(engine):
    for size in ((61, 200), (45, 45), (19, 130)):
        counting = Halo(engine)
        upscale_tiled(counting, noise(*size), tile=20)
        assert len(set(counting.sizes)) == 1
        assert max(counting.sizes[0]) <= 20 + 2 * engine.receptive_field


@pytest.mark.parametrize("tile", [1, 5, 16, 100])
@pytest.mark.parametrize("halo", [0, 3, 9])
def test_plan_covers_every_pixel_once_with_its_halo(tile, halo):
    for length in range(1, 120):
        window, spans = plan_axis(length, halo=halo, tile=tile)
        assert [span.first for span in spans] == [0, *(span.last for span in spans[:-1])]
        assert spans[-1].last == length
        for span in spans:
            assert span.start >= 0 and span.start + window <= length
            assert span.first - span.start >= halo or span.start == span.first == 0
            assert span.start + window - span.last >= halo or span.last == length


def test_plan_by_hand():
    """20 pixels, halo 2, tile 6: 16 inner pixels need 3 windows of 6 + 4; the last is moved back to
    end at 20.
    """
    assert plan_axis(20, halo=2, tile=6) == (10, [(0, 0, 8), (6, 8, 12), (10, 12, 20)])
    assert plan_axis(10, halo=2, tile=6) == (10, [(0, 0, 10)])
    assert plan_axis(500, halo=2, tile=None) == (500, [(0, 0, 500)])


def test_strips_follow_each_other(engine):
    lr = noise(70, 30)
    tops, strips = zip(*iter_strips(engine, lr, tile=20), strict=True)
    assert len(strips) > 2 and tops[0] == 0
    assert [top + len(strip) for top, strip in zip(tops, strips, strict=True)] == [*tops[1:], 70 * engine.scale]
    assert_same(np.concatenate(strips), engine(lr[None])[0])


def test_integers_mean_their_full_range(engine):
    lr = np.random.default_rng(2).integers(0, 256, (30, 40, 3), np.uint8)
    assert_same(upscale_tiled(engine, lr, tile=15), engine(lr[None].astype(np.float32) / 255)[0])


@pytest.mark.parametrize("size", [(24, 20), (25, 20), (61, 83), (24, 200)])
def test_network_of_fixed_size_tiles_any_larger_picture(network, exported, size):
    lr = noise(*size)
    sr = upscale_tiled(TFLiteEngine(exported["fixed"], threads=1), lr)
    np.testing.assert_allclose(sr, KerasEngine(network)(lr[None])[0], atol=1e-5)


def test_network_of_fixed_size_is_exact_away_from_a_continued_border(network, exported):
    lr = noise(50, 12)  # 24x20: narrower than the window, so only the right border is continued
    sr = upscale_tiled(TFLiteEngine(exported["fixed"], threads=1), lr)
    assert sr.shape == (100, 24, 3)
    np.testing.assert_allclose(sr[:, :16], KerasEngine(network)(lr[None])[0][:, :16], atol=1e-5)
    assert upscale_tiled(TFLiteEngine(exported["fixed"]), noise(1, 1)).shape == (2, 2, 3)


LARGE = ("rrdb", "rrdb_11x32", "srresnet", "srresnet_8x32", "fast_srgan", "fast_srgan_6x32_bilinear")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in GENERATORS]
)
def test_every_generator_states_its_receptive_field(name):
    model = build_generator(name)
    random = np.random.default_rng(3)
    for variable in model.trainable_variables:  # an untrained tail may be too faint to show a seam
        variable.assign_add(random.normal(scale=0.02, size=variable.shape))
    engine, lr = KerasEngine(model), noise(40 + 2 * model.receptive_field, 24)
    counting = Halo(engine)
    assert_same(upscale_tiled(counting, lr, tile=20), engine(lr[None])[0])
    assert len(counting.sizes) > 1


@pytest.mark.parametrize(("scale", "unshuffle"), [(2, 2), (1, 4)])
@pytest.mark.parametrize("height", [200, 203])
def test_a_network_that_unshuffles_shows_no_seams(scale, unshuffle, height):
    """Its windows begin with its blocks of pixels; that the sizes are no multiples of them changes
    nothing.
    """
    keras.utils.set_random_seed(scale)
    model = build_generator("rrdb", depth=1, width=8, growth=4, scale=scale, unshuffle=unshuffle)
    random = np.random.default_rng(scale)
    for variable in model.trainable_variables:
        variable.assign_add(random.normal(scale=0.05, size=variable.shape))
    engine, lr = KerasEngine(model), noise(height, 41)
    counting, whole = Halo(engine), engine(lr[None])[0]
    counting.alignment = engine.alignment
    assert engine.alignment == unshuffle and whole.std() > 0.01
    np.testing.assert_allclose(upscale_tiled(counting, lr, tile=19), whole, atol=5e-6)
    assert len(counting.sizes) > 1
    counting.alignment = 1
    assert np.abs(upscale_tiled(counting, lr, tile=21) - whole).max() > 1e-3, "blocks that begin elsewhere are seen"


SMALL = {
    "srresnet": {"depth": 1, "width": 8},
    "compact_xs": {"depth": 2, "width": 8, "expansion": 2},
    "edsr_8x64": {"depth": 2, "width": 8},
    "rrdb": {"depth": 1, "width": 8},
    "rrdb_11x32": {"depth": 1, "width": 8},
    "compressed_rrdb": {"depth": 1, "width": 8},
    "compressed_rrdb_small": {"depth": 1, "width": 8},
    "fast_srgan": {"depth": 2, "width": 8},
    "fast_srgan_6x32": {"depth": 2, "width": 8},
    "fast_srgan_6x32_bilinear": {"depth": 2, "width": 8},
    "srvgg": {"depth": 2, "width": 8},
}
_ARCHITECTURES = {GENERATORS[name][0] for name in SMALL}
SMALL |= {name: {} for name, (cls, _) in GENERATORS.items() if cls not in _ARCHITECTURES}


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("name", SMALL)
def test_no_architecture_shows_seams_at_random_sizes(name, scale):
    """To the last bit of uint8, but for values so near to a half that TensorFlow's order of
    summing, another for each size, decides.
    """
    keras.utils.set_random_seed(scale)
    model = build_generator(name, scale=scale, **SMALL[name])
    random = np.random.default_rng(scale)
    for variable in model.trainable_variables:
        variable.assign_add(random.normal(scale=0.05, size=variable.shape))
    engine, undecided_of_all = KerasEngine(model), []
    for _ in range(3):
        height, width, tile = random.integers(1, 70), random.integers(1, 70), random.integers(3, 20)
        lr = noise(height, width, seed=int(tile))
        tiled, whole = upscale_tiled(engine, lr, tile=int(tile)), engine(lr[None])[0]
        np.testing.assert_allclose(tiled, whole, atol=5e-6)
        undecided = np.abs(whole * 255 % 1 - 0.5) < 2e-3
        undecided_of_all.append(undecided.ravel())
        np.testing.assert_array_equal(eight_bits(tiled)[~undecided], eight_bits(whole)[~undecided])
    assert np.concatenate(undecided_of_all).mean() < 0.02


def test_impossible_tilings_are_refused(engine):
    with pytest.raises(UserError, match="tile 0"):
        upscale_tiled(engine, noise(9, 9), tile=0)
    with pytest.raises(UserError, match="fixed size of 16 pixels leaves nothing between two halos of 8"):
        plan_fixed_axis(17, halo=8, window=16)
    assert plan_fixed_axis(16, halo=8, window=16) == [(0, 0, 16)]
