"""Models against benchmarks: every picture once, every model on it, one broken model not stopping the others."""

import numpy as np
import tensorflow as tf
from absl import logging

from errors import UserError
from evaluation.metrics import SSIM_WINDOW, color_shift, lr_psnr, psnr, ssim
from evaluation.results import BenchmarkScore, Evaluation, ModelResult, PictureScore
from inference.upscaler import Upscaler

FLAT_COLOURS = {"white": 255, "grey": 128, "black": 0}
_FLAT_SIZE = 48  # LR pixels per side: larger than twice the receptive field of any student, so that it has an inside

# What a model may end in without ending the others: its own mistakes, and the machine's memory.
_MODEL_ERRORS = (UserError, MemoryError, tf.errors.OpError)


def evaluate_models(models, benchmarks, *, scale=4, border=None, channel="y", lpips=None, watch=None):
    """Measure every model on every picture of every benchmark.

    models: dict name -> Candidate, in the order of the table. benchmarks: dict name -> iterable of Pair (see
    pairs.load_pairs); what does not say by an attribute `degradation` how its LR pictures were made counts as MATLAB's bicubic.
    border: pixels not measured at every side, `scale` when None. channel: one of metrics.CHANNELS. lpips: an
    evaluation.lpips.LPIPS, or None. watch: called as `watch(benchmark, pair, {model: sr})` with every picture's results.

    Each engine gets the LR picture as the user's own would be given to it (tiled where large), and its output is
    rounded to 8 bits. A model that fails is dropped, a benchmark with an unreadable picture as well;
    both are named in `failures` and the rest goes on. Returns an `Evaluation`.
    """
    border = scale if border is None else border
    evaluation = Evaluation(scale, border, channel, {name: ModelResult(model) for name, model in models.items()})
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
    return evaluation


def flat_errors(upscaler):
    """{"white", "grey", "black"}: the largest difference from the colour in what a picture of it becomes, borders included, of 255.

    upscaler: called as `upscale(picture)`, uint8 to uint8.
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
    """A ready-made picture as the result for a pair."""

    def __init__(self, pictures):
        self._pictures = pictures

    def result(self, benchmark, pair):
        return self._pictures.read(benchmark, pair.name)


def _measure_flat(evaluation, name, upscalers):
    try:
        evaluation.models[name].flat_errors = flat_errors(upscalers[name].upscaler)
    except _MODEL_ERRORS as error:
        del upscalers[name]
        _drop(evaluation, name, _line(error))


def _evaluate_benchmark(evaluation, upscalers, benchmark, pairs, lpips, watch):
    scores = {name: BenchmarkScore() for name in upscalers}
    measured = False
    try:
        for pair in pairs:
            _check_measurable(pair, evaluation.border)
            results = {}
            for name in list(upscalers):
                try:
                    results[name] = upscalers[name].result(benchmark, pair)
                    scores[name].pictures.append(_score(results[name], pair, evaluation, lpips))
                except _MODEL_ERRORS as error:
                    results.pop(name, None)
                    del upscalers[name]
                    _drop(evaluation, name, f"on {benchmark}, {pair.name}: {_line(error)}")
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
    for name in upscalers:
        evaluation.models[name].benchmarks[benchmark] = scores[name]


def _check_measurable(pair, border):
    if min(pair.hr.shape[:2]) - 2 * border < SSIM_WINDOW:
        size = f"{pair.hr.shape[1]}x{pair.hr.shape[0]}"
        raise UserError(f"{pair.name}: {size} leaves too little to measure inside a border of {border}")


def _score(sr, pair, protocol, lpips):
    how = {"border": protocol.border, "channel": protocol.channel}
    return PictureScore(
        pair.name,
        psnr(pair.hr, sr, **how),
        ssim(pair.hr, sr, **how),
        color_shift(pair.hr, sr).tolist(),
        lr_psnr(pair.lr, sr),
        lpips(pair.hr, sr) if lpips else None,
    )


def _drop(evaluation, name, reason):
    evaluation.drop(name, reason)
    logging.error("%s", evaluation.failures[-1])


def _report(evaluation, line):
    evaluation.failures.append(line)
    logging.error("%s", line)


def _line(error):
    """An error's message on one line, and short enough to be read."""
    return " ".join(str(error).split())[:300] or type(error).__name__
