"""Models against benchmarks: every image once, every model on it, one broken model not stopping the
others.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from data.seams import LEAST_SIDE, block_seams
from errors import UserError, reason
from evaluation.candidates import Candidate
from evaluation.lpips import LPIPS
from evaluation.metrics import GRID_PLACE, SSIM_WINDOW, color_shift, grid, lr_psnr, psnr, rgb_to_y, ssim
from evaluation.pairs import Pair
from evaluation.progress import bar
from evaluation.results import BenchmarkScore, Evaluation, ModelResult, PictureScore, leave_out_exact
from inference.upscaler import Upscaler
from settings.evaluation import JPEG, Evaluate

FLAT_COLOURS = {"white": 255, "grey": 128, "black": 0}
_FLAT_SIZE = 48  # LR pixels per side: larger than twice the receptive field of any student, so that it has an inside

# What a model may end in without ending the others: its own mistakes, and the machine's memory.
_MODEL_ERRORS = (UserError, MemoryError, tf.errors.OpError)


def protocol(settings: Evaluate) -> dict[str, Any]:
    """How the settings say that quality is measured: keyword arguments of evaluate_models.

    Raises UserError for tiles that do not fit the scale.
    """
    asked, scale = settings.measures, settings.pictures.scale
    if asked.tiles and asked.tiles % scale:
        raise UserError(f"--tiles={asked.tiles}: has to be a multiple of --scale={scale}")
    lpips = LPIPS(asked.lpips_weights) if asked.lpips_weights else None
    seams = asked.seams or any(word.startswith(JPEG) for word in asked.degrade)
    return {"scale": scale, "lpips": lpips, "seams": seams} | {
        name: getattr(asked, name) for name in ("border", "channel", "rgb", "tiles")
    }


def evaluate_models(
    models: dict[str, Candidate],
    benchmarks: dict[str, Iterable[Pair]],
    *,
    scale: int = 4,
    border: int | None = None,
    channel: str = "y",
    lpips: Callable[[np.ndarray, np.ndarray], float] | None = None,
    rgb: bool = False,
    seams: bool = False,
    tiles: int | None = None,
    watch: Callable[[str, Pair, dict[str, np.ndarray]], None] | None = None,
) -> Evaluation:
    """Measure every model on every image of every benchmark.

    models: in the order of the table. benchmarks: see evaluation.pairs; what does not say by an
    attribute `degradation` how its LR images were made counts as MATLAB's bicubic. border: pixels
    not measured at every side, `scale` when None. channel: one of CHANNELS. lpips: an
    evaluation.lpips.LPIPS, or None. rgb: also measure PSNR on RGB and the grid. seams: also measure
    block seams, of the originals too. tiles: stated in the result, and nothing else; the benchmarks
    are cut already. watch: called as `watch(benchmark, pair, {model: sr})` with every image's
    results.

    Each engine gets the LR image as the user's own would be given to it (tiled where large), and
    its output is rounded to 8 bits. A model that fails is dropped, a benchmark with an unreadable
    image as well; both are named in `failures` and the rest goes on. Images on which a model is
    exact are left out of the means.
    """
    border = scale if border is None else border
    evaluation = Evaluation(scale, border, channel, {name: ModelResult(model) for name, model in models.items()})
    evaluation.rgb, evaluation.seams, evaluation.tiles = rgb, seams, tiles
    kinds = {getattr(pairs, "degradation", f"MATLAB bicubic x{scale}"): None for pairs in benchmarks.values()}
    evaluation.degradation = " and ".join(kinds)
    upscalers = {}
    for name, model in models.items():
        if model.pictures:
            upscalers[name] = _Reader(model.pictures)
        elif model.engine.scale == scale:
            upscalers[name] = _Runner(model.engine)
            _measure_flat(evaluation, name, upscalers)
        else:
            _drop(evaluation, name, f"upscales by {model.engine.scale}, and is compared at {scale}")
    for benchmark, pairs in benchmarks.items():
        _evaluate_benchmark(evaluation, upscalers, benchmark, pairs, lpips, watch)
        leave_out_exact(
            result.benchmarks[benchmark] for result in evaluation.sound.values() if benchmark in result.benchmarks
        )
    return evaluation


def flat_errors(upscaler: Upscaler) -> dict[str, int]:
    """{"white", "grey", "black"}: the largest difference from the colour in what an image of it
    becomes, borders included, of 255.

    upscaler: called as `upscale(image)`, uint8 to uint8.
    """
    errors = {}
    for colour, value in FLAT_COLOURS.items():
        sr = upscaler.upscale(np.full((_FLAT_SIZE, _FLAT_SIZE, 3), value, np.uint8))
        errors[colour] = int(np.abs(sr.astype(np.int16) - value).max())
    return errors


class _Runner:
    """A network's result for a pair."""

    def __init__(self, engine):
        self.upscaler = Upscaler(engine)

    def result(self, benchmark, pair):
        return self.upscaler.upscale(pair.lr)


class _Reader:
    """A ready-made image as the result for a pair."""

    def __init__(self, pictures):
        self._pictures = pictures

    def result(self, benchmark, pair):
        return pair.part_of(self._pictures.read(benchmark, pair.whole or pair.name))


def _measure_flat(evaluation, name, upscalers):
    try:
        evaluation.models[name].flat_errors = flat_errors(upscalers[name].upscaler)
    except _MODEL_ERRORS as error:
        del upscalers[name]
        _drop(evaluation, name, reason(error, 300))


def _evaluate_benchmark(evaluation, upscalers, benchmark, pairs, lpips, watch):
    scores = {name: BenchmarkScore() for name in upscalers}
    measured, originals = False, []
    try:
        for pair in bar(pairs, benchmark):
            _check_measurable(pair, evaluation)
            if evaluation.seams:
                originals.append(_seams(pair.hr, evaluation))
            results = {}
            for name in list(upscalers):
                try:
                    results[name] = upscalers[name].result(benchmark, pair)
                    scores[name].pictures.append(_score(results[name], pair, evaluation, lpips))
                except _MODEL_ERRORS as error:
                    results.pop(name, None)
                    del upscalers[name]
                    _drop(evaluation, name, f"on {benchmark}, {pair.name}: {reason(error, 300)}")
            measured = True
            if watch and results:
                watch(benchmark, pair, results)
    except UserError as error:  # from reading: the mean of what is left would not be this benchmark's figure
        _report(evaluation, f"{benchmark}: left out: {error}")
        return
    if not measured:
        _report(evaluation, f"{benchmark}: left out: holds no pictures")
        return
    if upscalers:
        evaluation.benchmarks.append(benchmark)
        if originals:
            evaluation.original_seams[benchmark] = float(np.mean(originals))
    for name in upscalers:
        evaluation.models[name].benchmarks[benchmark] = scores[name]


def _check_measurable(pair, protocol):
    least = SSIM_WINDOW + 2 * protocol.border
    if protocol.rgb:
        least = max(least, GRID_PLACE * protocol.scale)
    if protocol.seams:
        least = max(least, LEAST_SIDE * protocol.scale)
    if min(pair.hr.shape[:2]) < least:
        size = f"{pair.hr.shape[1]}x{pair.hr.shape[0]}"
        raise UserError(f"{pair.name}: {size} leaves too little to measure inside a border of {protocol.border}")


def _score(sr, pair, protocol, lpips):
    how = {"border": protocol.border, "channel": protocol.channel}
    return PictureScore(
        pair.name,
        psnr(pair.hr, sr, **how),
        ssim(pair.hr, sr, **how),
        color_shift(pair.hr, sr).tolist(),
        lr_psnr(pair.lr, sr),
        lpips(pair.hr, sr) if lpips else None,
        psnr(pair.hr, sr, border=protocol.border, channel="rgb") if protocol.rgb else None,
        grid(pair.hr, sr, scale=protocol.scale) if protocol.rgb else None,
        _seams(sr, protocol) if protocol.seams else None,
    )


def _seams(image, protocol):
    return block_seams(rgb_to_y(image), scale=protocol.scale)


def _drop(evaluation, name, reason):
    evaluation.drop(name, reason)
    logging.error("%s", evaluation.failures[-1])


def _report(evaluation, line):
    evaluation.failures.append(line)
    logging.error("%s", line)
