"""The settings of evaluate.py: what is compared, by which measures, how fast it has to be, and
which table is wanted.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from settings.fields import Command, setting
from settings.files import MODEL_RANGE_HELP, MODEL_RANGES
from settings.pictures import DEGRADATIONS, Pictures

CHANNELS = ("y", "y8", "rgb")
CLEAN, JPEG, NOISE = "clean", "jpeg", "noise"
_OF_ORIGINALS = tuple(name for name in DEGRADATIONS if name != "bicubic")  # which is how a benchmark's own are made


def degradations(words: list[str]) -> list[str]:
    """The words of --degrade in one form each: jpeg:30, noise:10, clean, or a name of DEGRADATIONS.

    Raises ValueError.
    """
    found = [_degradation(word) for word in words]
    for word in found:
        if found.count(word) > 1:
            raise ValueError(f"{word} stands there twice; name it once")
    return found


def _degradation(word: str) -> str:
    kind, colon, number = word.strip().partition(":")
    if not colon and kind in (CLEAN, *_OF_ORIGINALS):
        return kind
    if kind == JPEG:
        if not re.fullmatch("0*([1-9][0-9]?|100)", number, re.ASCII):
            raise ValueError(f"{word}: write {JPEG}:QUALITY, a whole number from 1 to 100, such as {JPEG}:30")
        return f"{JPEG}:{int(number)}"
    if kind == NOISE:
        if not re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", number, re.ASCII) or not 0 < float(number) <= 255:
            raise ValueError(f"{word}: write {NOISE}:SIGMA, a number above 0, at most 255, such as {NOISE}:10")
        return f"{NOISE}:{float(number):g}"
    known = ", ".join((f"{JPEG}:QUALITY", f"{NOISE}:SIGMA", *_OF_ORIGINALS, CLEAN))
    raise ValueError(f"{word or 'an empty word'}: no degradation; there is {known}")


@dataclass(frozen=True)
class Comparison:
    """Which models, on which images."""

    heading: ClassVar[str] = "Comparison"
    models: tuple[str, ...] = setting(
        (),
        "What to compare, with commas: bicubic, shipped networks by name, run folders, .weights.h5, .keras and .tflite files, SavedModel "
        "folders, folders of images that another upscaler made; NAME=FILE names a row.",
    )
    model_range: str | None = setting(None, MODEL_RANGE_HELP, choices=MODEL_RANGES)
    benchmarks: tuple[str, ...] = setting(
        (),
        "Folders of original images, as NAME:FOLDER, with commas; NAME:FOLDER:LR_FOLDER with given low-resolution files; NAME alone is a "
        "folder in --data_root. The student's validation images by default.",
    )
    data_root: str | None = setting(None, "Folder that holds the benchmarks' folders by name.")
    teacher: str = setting("runs/teacher", "The teacher: a run folder, a weight file, or a shipped network by name.")
    student: str | None = setting(
        None,
        "The student's run folder; by default the newest under runs/, or the shipped networks where nothing was trained.",
    )
    output: str | None = setting(
        None, "Folder for the reports and images; evaluation/ in the student's run by default."
    )
    baseline: str | None = setting(
        None, "The row that costs are also given as ratios to, and that --max_drop and --max_ms_ratio refer to."
    )


@dataclass(frozen=True)
class Measures:
    """What is measured of an image."""

    heading: ClassVar[str] = "Measures"
    channel: str = setting(
        "y",
        "What PSNR and SSIM are measured on. y: luma; y8: luma rounded to 8 bits, as MATLAB does; rgb: all three channels.",
        choices=CHANNELS,
    )
    border: int | None = setting(None, "Pixels left out at every side of the output; the scale by default.", low=0)
    lpips_weights: str | None = setting(
        None, "The .npz file of LPIPS v0.1 with SqueezeNet 1.1; adds the LPIPS figures."
    )
    crops: int = setting(4, "Regions shown in comparison.png.", low=1)
    tiles: int | None = setting(
        None,
        "Cut the originals into squares of so many pixels, complete ones only, and measure each as an image of its own; with --baseline "
        "also the mean difference to it, tile by tile, with a 95 % interval.",
        low=32,
    )
    rgb: bool = setting(
        False,
        "Also measure PSNR on RGB, and the grid that a network draws with the period of its scale, in 8-bit levels.",
    )
    degrade: tuple[str, ...] = setting(
        (),
        "Measure every benchmark once for each of these, with commas: "
        f"{JPEG}:QUALITY, its low-resolution images as JPEG; {NOISE}:SIGMA, with Gaussian noise, of 255; {', '.join(_OF_ORIGINALS)}, made of "
        f"the originals as --degradation makes them; {CLEAN}, as they are. The same for every model and on every machine.",
        words=degradations,
    )
    seams: bool = setting(
        False,
        f"Also measure the seams between the blocks of a JPEG, as a ratio that is about 1 without any; always with {JPEG} in --degrade.",
    )


@dataclass(frozen=True)
class Speed:
    """How models are timed."""

    heading: ClassVar[str] = "Speed"
    repetitions: int = setting(10, "Times that each model is timed; 0 leaves timing out.", low=0)
    height: int = setting(180, "Height of the input that is timed, in pixels.", low=1, high=8192)
    width: int = setting(320, "Width of the input that is timed, in pixels.", low=1, high=8192)
    threads: int | None = setting(None, "Threads that a model may use; all cores by default.", low=1, high=1024)
    memory: bool = setting(True, "Measure peak memory, each model in a process of its own. Not without timing.")


@dataclass(frozen=True)
class Gates:
    """What a model has to reach."""

    heading: ClassVar[str] = "Gates (exit status 3 when a model other than bicubic and the baseline misses one)"
    min_psnr: tuple[str, ...] = setting(
        (), "Least PSNR in dB: a number for every benchmark, or BENCHMARK:NUMBER, with commas."
    )
    max_drop: float | None = setting(None, "Most dB that PSNR may lie below --baseline on any benchmark.", low=0.0)
    max_ms_ratio: float | None = setting(None, "Most time, as a ratio to --baseline.", low=0.0)


@dataclass(frozen=True)
class OtherTables:
    """Tables other than the comparison of models."""

    heading: ClassVar[str] = "Other tables"
    ledger: tuple[str, ...] = setting(
        (),
        "Run folders, with commas or blanks: what knowledge transfer gained over the student trained alone, for runs that are equal in all else.",
    )
    interpolate: tuple[str, ...] = setting(
        (),
        "Two weight files or run folders of one network, with a comma: sweep alpha in (1 - alpha) * first + alpha * second.",
    )
    alphas: tuple[str, ...] = setting((), "Values of alpha for --interpolate; 0 to 1 in steps of 0.1 by default.")


@dataclass(frozen=True)
class Evaluate(Command):
    """evaluate.py: models side by side, the ledger of knowledge transfer, or a sweep between two
    networks.
    """

    comparison: Comparison = Comparison()
    measures: Measures = Measures()
    speed: Speed = Speed()
    gates: Gates = Gates()
    tables: OtherTables = OtherTables()
    pictures: Pictures = Pictures()
    unused: ClassVar[frozenset[str]] = frozenset({"validation_size"})
