"""The settings of the commands that make files of a finished network."""

from dataclasses import dataclass
from typing import ClassVar

from settings.fields import Command, setting
from settings.training import Pictures

QUANTIZATIONS = ("none", "float16", "dynamic", "int8")


@dataclass(frozen=True)
class Export:
    """Which student becomes which file."""

    heading: ClassVar[str] = "Export"
    student: str | None = setting(
        None,
        "A run folder, a weight file, or a shipped network by name; with --check any network's name. The newest student under runs/ by default.",
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
        "Folder of low-resolution images that set the ranges of --quantize=int8; the training images of the student's run by default.",
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
    check: bool = setting(False, "Only say whether the network converts and what XNNPACK would run; needs no weights.")


@dataclass(frozen=True)
class ExportTflite(Command):
    """export_tflite.py: a TFLite file, proven on the images of the student's run."""

    export: Export = Export()
    pictures: Pictures = Pictures()
