"""The settings of the commands that make files of a finished network."""

from dataclasses import dataclass
from typing import ClassVar

from settings.fields import Command, setting
from settings.pictures import Pictures

QUANTIZATIONS = ("none", "float16", "dynamic", "int8")
IMAGE_FORMATS = ("png", "jpg", "webp", "tif", "bmp", "gif")
_RANGES = ("0_1", "0_255", "-1_1")
MODEL_RANGES = (*_RANGES, *(f"{taken}:{given}" for taken in _RANGES for given in _RANGES if taken != given))
MODEL_RANGE_HELP = (
    "Range of values of a network from elsewhere, whose file does not say it, as taken:given where the two differ; by default "
    "found by what it makes of a grey and a white image."
)


@dataclass(frozen=True)
class Export:
    """Which student becomes which file."""

    heading: ClassVar[str] = "Export"
    student: str | None = setting(
        None,
        "A run folder, a weight file, or a shipped network by name; with --check any network's name; with --height and --width "
        "also a finished .tflite file. The newest student under runs/ by default.",
    )
    output: str | None = setting(
        None, "The file to write; by default beside the weights, or in the current folder for a shipped network."
    )
    overwrite: bool = setting(False, "Replace the file and its .json where they are there already.")
    height: int | None = setting(None, "Fix the input height, in pixels; any height by default.", low=1)
    width: int | None = setting(None, "Fix the input width, in pixels; any width by default.", low=1)
    quantize: str = setting(
        "none",
        "none: float32; float16: half the file; dynamic: int8 weights; int8: integers throughout, uint8 in and out.",
        choices=QUANTIZATIONS,
    )
    calibration_dir: str | None = setting(
        None,
        "Folder of low-resolution images that set the ranges of --quantize=int8; by default the training "
        "images of the student's run, and for a shipped or imported network seven embedded photographs.",
    )
    max_drop_db: float | None = setting(
        None,
        "PSNR the file may lose, in dB, or it is not kept: against Keras and, after --qat, against the float student too; 0.15 for int8 and "
        "0.05 otherwise by default.",
        low=0.0,
    )
    licence: str | None = setting(
        None, "Of the weights, for the file's metadata; by default what the weight file says, or unknown."
    )
    saved_model: str | None = setting(None, "Folder to write a SavedModel into, instead of a TFLite file.")
    check: bool = setting(
        False,
        "Only say whether the network converts, and what XNNPACK and the GPU delegate would run; needs no weights.",
    )


@dataclass(frozen=True)
class ExportTflite(Command):
    """export_tflite.py: a TFLite file, proven on the images of the student's run."""

    export: Export = Export()
    pictures: Pictures = Pictures()
    unused: ClassVar[frozenset[str]] = frozenset({"validation_pictures", "validation_size"})


@dataclass(frozen=True)
class Importing:
    """What is made of somebody else's file."""

    heading: ClassVar[str] = "Import"
    output: str | None = setting(
        None, "The weight file to write, NAME.weights.h5; the file's own name in the current folder by default."
    )
    describe: bool = setting(False, "Only say what the file holds.")
    overwrite: bool = setting(False, "Replace the weight file where it is there already.")
    scale: int | None = setting(None, "The scale that is wanted: a network of another one is refused.", low=1)
    activation: str | None = setting(
        None,
        "Of an SRVGGNetCompact without PReLU, whose file does not say it.",
        choices=("relu", "leaky_relu"),
    )
    licence: str | None = setting(None, "Of the weights, to be written into the file and into what is exported of it.")


@dataclass(frozen=True)
class ImportWeights(Command):
    """import_weights.py: another program's network as a weight file."""

    importing: Importing = Importing()


@dataclass(frozen=True)
class Upscaling:
    """What is enlarged by which network, how far, and where it goes."""

    heading: ClassVar[str] = "Network"
    model: str | None = setting(
        None,
        "A shipped network by name: compact_s; compact_s_perceptual, sharper; compact_xs.int8, small and fast (weights/README.md lists all). "
        "Or a run folder, a .tflite, .weights.h5 or .keras file, a SavedModel folder. By default compact_s, and for JPEG, lossy WebP, videos "
        "and what shows the blocks of JPEG compact_s_photo, where that is shipped.",
    )
    strength: float | None = setting(
        None,
        "From 0, true to the image, to 1, as sharp as the adversarial phase made it: between two phases of a run folder, or both "
        "trainings of a shipped network.",
        low=0.0,
        high=1.0,
    )
    self_ensemble: bool = setting(False, "Average over eight orientations: a little better, eight times slower.")
    preserve_color: bool = setting(False, "Keep the image's own low frequencies.")
    engine: str = setting(
        "auto",
        "Which file of a run folder or shipped network: auto takes the fastest.",
        choices=("auto", "tflite", "keras"),
    )
    model_range: str | None = setting(None, MODEL_RANGE_HELP, choices=MODEL_RANGES)
    output: str | None = setting(
        None,
        "File, folder or pattern to write, such as 'large/{folder}/{stem}_x{scale}.{ext}'; beside the input by default.",
        alias="o",
        under="Results",
    )
    overwrite: bool = setting(False, "Replace results that are there already.", under="Results")
    format: str | None = setting(
        None, "Format of the results; each image's own by default.", choices=IMAGE_FORMATS, under="Results"
    )
    quality: int = setting(95, "Of JPEG and WebP.", low=1, high=100, under="Results")
    compare: bool = setting(
        False,
        "Also write NAME.compare.png: the result beside bicubic, and where they differ most.",
        under="Results",
    )
    scale: float | None = setting(
        None, "How many times larger, up to 16; the network's own factor by default.", low=0.01, high=16.0, under="Size"
    )
    width: int | None = setting(None, "Width of the result in pixels, instead of --scale.", low=1, under="Size")
    height: int | None = setting(None, "Height of the result in pixels, instead of --scale.", low=1, under="Size")
    fit: str | None = setting(
        None, "Box that the result fits into, such as 1920x1080, instead of --scale.", under="Size"
    )
    allow_large: bool = setting(
        False, "Take images of more than 64 megapixels, too (a small file can claim any size).", under="Size"
    )
    preview: bool = setting(False, "The first two seconds only.", under="Videos")
    deinterlace: str = setting(
        "auto",
        "Turn interlaced frames into whole ones first, or enlarge them with their combs.",
        choices=("auto", "off"),
        under="Videos",
    )
    video_size: str | None = setting(None, "WIDTHxHEIGHT of the raw frames on standard input.", under="Videos")
    threads: int | None = setting(
        None, "Threads of the network; all cores by default.", low=1, high=1024, under="Machine"
    )
    memory_mb: int | None = setting(
        None,
        "About how much memory to take in all, 600 if possible; decides how large the tiles are that are computed at a time.",
        low=1,
        under="Machine",
    )
    tile: int | None = setting(
        None, "Side of the tiles in input pixels, instead of --memory_mb.", low=1, under="Machine"
    )


@dataclass(frozen=True)
class Upscale(Command):
    """upscale.py: images, folders, videos and streams, larger."""

    upscaling: Upscaling = Upscaling()
