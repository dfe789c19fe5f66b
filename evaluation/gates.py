"""Gates for continuous integration: is a model good enough, and no worse or slower than the one before?"""


def missed(evaluation, *, min_psnr=None, max_drop=None, max_ms_ratio=None):
    """The gates that were not met, a line each; an empty list when all were.

    Every sound model is held to them, but bicubic and the baseline. min_psnr: {benchmark: dB}. max_drop: most dB of PSNR below
    the baseline, on each benchmark. max_ms_ratio: most median milliseconds, over the baseline's. A figure that is missing misses its gate.
    """
    lines = []
    for name, result in evaluation.sound.items():
        if result.candidate.is_bicubic or name == evaluation.baseline:
            continue
        for benchmark, least in (min_psnr or {}).items():
            score = result.benchmarks.get(benchmark)
            if score is None or score.psnr < least:
                found = f"{score.psnr:.2f} dB" if score else "no figure"
                lines.append(f"{name}: {found} on {benchmark}, --min_psnr is {least:g}")
        if max_drop is not None:
            lines += _dropped(evaluation, name, max_drop)
        if max_ms_ratio is not None:
            ratio = evaluation.ratios(name).get("median_ms")
            if ratio is None or ratio > max_ms_ratio:
                found = "no time" if ratio is None else f"{ratio:.2f} times the time of {evaluation.baseline}"
                lines.append(f"{name}: {found}, --max_ms_ratio is {max_ms_ratio:g}")
    return lines


def _dropped(evaluation, name, max_drop):
    reference = evaluation.models[evaluation.baseline].benchmarks
    if not reference:
        return [f"{name}: {evaluation.baseline} has no figures to compare with, --max_drop is {max_drop:g}"]
    drops = {
        benchmark: score.psnr - evaluation.models[name].benchmarks[benchmark].psnr
        for benchmark, score in reference.items()
    }
    return [
        f"{name}: {drop:.2f} dB below {evaluation.baseline} on {benchmark}, --max_drop is {max_drop:g}"
        for benchmark, drop in drops.items()
        if drop > max_drop
    ]
