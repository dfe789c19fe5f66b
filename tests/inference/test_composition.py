import keras
import numpy as np
import pytest
from scipy import ndimage

from errors import UserError
from inference.choice import open_upscaler
from inference.composition import PreservedColour, SelfEnsemble
from inference.engines import KerasEngine, TFLiteEngine
from inference.tiling import upscale_tiled
from models import build_generator, save_weights
from runs import phase_files
from settings.files import Upscaling


def noise(height, width):
    return np.random.default_rng(0).random((1, height, width, 3), np.float32)


@pytest.mark.parametrize("wrap", [SelfEnsemble, PreservedColour, lambda engine: PreservedColour(SelfEnsemble(engine))])
def test_tiled_equals_untiled(network, wrap):
    engine, lr = wrap(KerasEngine(network)), noise(61, 47)
    np.testing.assert_allclose(upscale_tiled(engine, lr[0], tile=11), engine(lr)[0], atol=2e-6)


def test_self_ensemble_commutes_with_turns_and_mirrors(network):
    """What the mean over a group has, and the network alone has not."""
    engine, ensemble, lr = KerasEngine(network), SelfEnsemble(KerasEngine(network)), noise(9, 14)
    for turn in (lambda x: np.rot90(x, 1, (1, 2)), lambda x: x[:, :, ::-1]):
        np.testing.assert_allclose(ensemble(turn(lr)), turn(ensemble(lr)), atol=1e-5)
        assert np.abs(engine(np.ascontiguousarray(turn(lr))) - turn(engine(lr))).max() > 0.01


@pytest.mark.parametrize("size", [(60, 44), (61, 47)])
def test_tiled_equals_untiled_where_blocks_are_turned(size):
    keras.utils.set_random_seed(0)
    model = build_generator("rrdb", depth=1, width=8, growth=4, scale=2, unshuffle=2)
    engine, lr = SelfEnsemble(KerasEngine(model)), noise(*size)
    assert engine.alignment == 2 and engine(lr).shape == (1, 2 * size[0], 2 * size[1], 3)
    np.testing.assert_allclose(upscale_tiled(engine, lr[0], tile=12), engine(lr)[0], atol=2e-5)


def test_self_ensemble_needs_a_square_or_free_size(exported):
    with pytest.raises(UserError, match="--self_ensemble: the network takes 20x24 pixels only"):
        SelfEnsemble(TFLiteEngine(exported["fixed"]))


def test_preserved_colour_takes_away_a_cast_and_leaves_details(nearest):
    class Tinted(type(nearest)):
        def __call__(self, lr):
            checks = np.indices((4 * lr.shape[1], 4 * lr.shape[2])).sum(0) % 2 - 0.5
            return super().__call__(lr) + np.float32([0.1, 0, -0.1]) + 0.04 * checks[None, ..., None].astype(np.float32)

    lr = np.full((1, 30, 40, 3), 0.5, np.float32)
    lr[:, :, 20:] = 0.6
    with_cast, without = Tinted()(lr), PreservedColour(Tinted())(lr)
    assert np.abs(with_cast.mean((0, 1, 2)) - lr.mean((0, 1, 2))).max() > 0.09
    np.testing.assert_allclose(without.mean((0, 1, 2)), lr.mean((0, 1, 2)), atol=1e-4)

    def details(sr):
        return sr[0] - ndimage.uniform_filter(sr[0], (4, 4, 0))

    np.testing.assert_allclose(details(without), details(with_cast), atol=0.002)


@pytest.fixture
def run(tmp_path):
    fidelity, perceptual = (build_generator("compact_xs") for _ in range(2))
    save_weights(fidelity, tmp_path / "student.transfer.weights.h5")
    save_weights(perceptual, tmp_path / "student.adversarial.weights.h5")
    return tmp_path, fidelity, perceptual


def test_strength_mixes_the_weights_of_two_phases(run):
    folder, fidelity, perceptual = run
    for strength in (0, 0.25, 1):
        mixed = open_upscaler(Upscaling(strength=strength), folder).engine.model
        for got, first, second in zip(
            mixed.get_weights(), fidelity.get_weights(), perceptual.get_weights(), strict=True
        ):
            np.testing.assert_allclose(got, first + strength * (second - first), atol=1e-6)


def test_strength_without_two_phases_or_with_other_networks_is_refused(run, tmp_path):
    folder, _, perceptual = run
    save_weights(build_generator("compact_xs", width=8), folder / "student.transfer.weights.h5")
    with pytest.raises(UserError, match="hold different networks"):
        open_upscaler(Upscaling(strength=0.5), folder)
    (folder / "student.transfer.weights.h5").unlink()
    with pytest.raises(UserError, match="--strength: .* does not hold the weights of two phases"):
        phase_files(folder)
    save_weights(perceptual, folder / "student.pixel.weights.h5")
    assert [path.name for path in phase_files(folder)] == ["student.pixel.weights.h5", "student.adversarial.weights.h5"]
