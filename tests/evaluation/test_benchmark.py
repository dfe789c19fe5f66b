import numpy as np
import pytest
from PIL import Image

from data.bicubic import upscale
from errors import UserError
from evaluation.benchmark import evaluate_models, flat_errors
from evaluation.candidates import BicubicEngine, Candidate, ReadyPictures
from evaluation.metrics import color_shift, lr_psnr, psnr, ssim
from evaluation.pairs import FolderPairs
from inference.engines import Engine
from inference.upscaler import Upscaler


def smooth_picture(height, width, seed=0):
    corners = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), np.uint8)
    return np.asarray(Image.fromarray(corners).resize((width, height), Image.Resampling.BICUBIC))


class Faulty(Engine):
    """Bicubic with a fault: an offset, or an error at the images of one width."""

    receptive_field = 3

    def __init__(self, scale=4, *, offset=0.0, fails_at=None):
        self.scale, self.offset, self.fails_at = scale, offset, fails_at

    def __call__(self, lr):
        if lr.shape[2] == self.fails_at:
            raise UserError("broken.tflite: cannot run")
        return np.clip(BicubicEngine(self.scale)(lr) + np.float32(self.offset), 0, 1)


def candidates(**engines):
    return {name: Candidate(name, engine) for name, engine in engines.items()}


@pytest.fixture
def folder(tmp_path):
    for name, size in (("b", (61, 83)), ("a", (48, 64))):
        Image.fromarray(smooth_picture(*size)).save(tmp_path / f"{name}.png")
    return tmp_path


def test_bicubic_engine_is_the_8_bit_resize():
    lr = np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8)
    sr = BicubicEngine(3)(lr[None].astype(np.float32) / 255)
    np.testing.assert_array_equal(np.rint(sr[0] * 255).astype(np.uint8), upscale(lr, 3))


def test_figures_are_those_of_the_metrics(folder):
    evaluation = evaluate_models(candidates(bicubic=BicubicEngine(4)), {"Two": FolderPairs(folder, scale=4)})
    score = evaluation.models["bicubic"].benchmarks["Two"]
    assert (evaluation.border, evaluation.benchmarks, evaluation.failures) == (4, ["Two"], [])
    for picture, pair in zip(score.pictures, FolderPairs(folder, scale=4), strict=True):
        sr = upscale(pair.lr, 4)
        assert picture.picture == pair.name
        assert picture.psnr == psnr(pair.hr, sr, border=4) and picture.ssim == ssim(pair.hr, sr, border=4)
        assert picture.lr_psnr == lr_psnr(pair.lr, sr) and picture.color_shift == color_shift(pair.hr, sr).tolist()
        assert picture.lpips is None
    assert score.psnr == pytest.approx((score.pictures[0].psnr + score.pictures[1].psnr) / 2)


def test_output_is_rounded_to_8_bits(folder):
    """An offset below half a step changes nothing; one above it shifts every pixel by one."""
    models = candidates(exact=Faulty(), little=Faulty(offset=0.4 / 255), more=Faulty(offset=0.6 / 255))
    evaluation = evaluate_models(models, {"Two": FolderPairs(folder, scale=4)})
    exact, little, more = (result.benchmarks["Two"] for result in evaluation.models.values())
    assert little.pictures == exact.pictures
    shift = np.subtract(more.color_shift, exact.color_shift)
    np.testing.assert_allclose(shift, 1, atol=0.05)  # less where 255 is reached


def test_a_broken_model_does_not_stop_the_others(folder):
    models = candidates(bicubic=BicubicEngine(4), broken=Faulty(fails_at=20), twice=Faulty(2))
    evaluation = evaluate_models(models, {"Two": FolderPairs(folder, scale=4), "Again": FolderPairs(folder, scale=4)})
    assert evaluation.failures == [
        "twice: upscales by 2, and is compared at 4",
        "broken: on Two, b: broken.tflite: cannot run",
    ]
    assert evaluation.models["broken"].failure and not evaluation.models["broken"].benchmarks
    assert list(evaluation.models["bicubic"].benchmarks) == ["Two", "Again"]
    assert evaluation.models["bicubic"].failure is None


def test_a_broken_benchmark_does_not_stop_the_others(folder, tmp_path_factory):
    damaged, empty, tiny = (tmp_path_factory.mktemp(name) for name in ("damaged", "empty", "tiny"))
    (damaged / "c.png").write_text("no picture")
    Image.fromarray(smooth_picture(17, 40)).save(tiny / "t.png")
    folders = {"damaged": damaged, "empty": empty, "tiny": tiny, "Two": folder}
    benchmarks = {name: FolderPairs(path, scale=4) for name, path in folders.items()}
    evaluation = evaluate_models(candidates(bicubic=BicubicEngine(4)), benchmarks)
    assert evaluation.benchmarks == ["Two"] == list(evaluation.models["bicubic"].benchmarks)
    damaged_line, empty_line, tiny_line = evaluation.failures
    assert "damaged: left out: " in damaged_line and "c.png" in damaged_line
    assert empty_line == "empty: left out: holds no pictures"
    assert tiny_line == "tiny: left out: t: 40x16 leaves too little to measure inside a border of 4"


def test_border_and_channel_are_passed_on(folder):
    models, pairs = candidates(bicubic=BicubicEngine(4)), FolderPairs(folder, scale=4)
    evaluation = evaluate_models(models, {"Two": pairs}, border=2, channel="rgb")
    first, pair = evaluation.models["bicubic"].benchmarks["Two"].pictures[0], next(iter(pairs))
    assert first.psnr == psnr(pair.hr, upscale(pair.lr, 4), border=2, channel="rgb")


def test_lpips_is_asked_and_results_are_shown(folder):
    seen = []
    evaluation = evaluate_models(
        candidates(bicubic=BicubicEngine(4)),
        {"Two": FolderPairs(folder, scale=4)},
        lpips=lambda hr, sr: float(abs(hr.astype(int) - sr).mean()),
        watch=lambda benchmark, pair, results: seen.append(
            (benchmark, pair.name, {k: v.shape for k, v in results.items()})
        ),
    )
    assert seen == [("Two", "a", {"bicubic": (48, 64, 3)}), ("Two", "b", {"bicubic": (60, 80, 3)})]
    score = evaluation.models["bicubic"].benchmarks["Two"]
    expected = [abs(pair.hr.astype(int) - upscale(pair.lr, 4)).mean() for pair in FolderPairs(folder, scale=4)]
    assert [picture.lpips for picture in score.pictures] == expected and score.lpips == pytest.approx(np.mean(expected))


def test_flat_errors():
    """An engine that is 3/255 too bright errs by 3 on grey and black, and cannot on white."""
    assert flat_errors(Upscaler(Faulty())) == {"white": 0, "grey": 0, "black": 0}
    assert flat_errors(Upscaler(Faulty(offset=3 / 255))) == {"white": 0, "grey": 3, "black": 3}


def test_ready_made_pictures(folder, tmp_path_factory):
    """The same figures as from the engine that made them; an image missing or of the wrong size
    drops the model alone.
    """
    made = tmp_path_factory.mktemp("made")
    for sub, names in (("Two", ("a_x4", "b")), ("short", ("a",)), ("wrong/Two", ("a", "b"))):
        (made / sub).mkdir(parents=True)
        for name, pair in zip(names, FolderPairs(folder, scale=4), strict=False):
            sr = upscale(pair.lr, 4)[: -1 if sub.startswith("wrong") else None]
            Image.fromarray(sr).save(made / sub / f"{name}.png")
    models = candidates(bicubic=BicubicEngine(4))
    for name, path in (("made", made), ("short", made / "short"), ("wrong", made / "wrong")):
        models[name] = Candidate(name, pictures=ReadyPictures(path))
    evaluation = evaluate_models(models, {"Two": FolderPairs(folder, scale=4)})
    assert evaluation.models["made"].benchmarks == evaluation.models["bicubic"].benchmarks
    assert evaluation.models["made"].flat_errors is None
    assert evaluation.failures == [
        "wrong: on Two, a: sizes differ: 64x47 against an original of 64x48",
        f"short: on Two, b: {made / 'short'}: no picture named b",
    ]
    with pytest.raises(UserError, match=r"empty\d+: holds no pictures"):
        ReadyPictures(tmp_path_factory.mktemp("empty"))
