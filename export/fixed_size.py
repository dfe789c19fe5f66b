"""A copy of a finished .tflite file for one size of image, as delegates want it.

Weights and quantisation stay as they were trained; `export.write` would calibrate an int8 file
anew.
"""

import sys
from pathlib import Path
from typing import Any

from absl import logging

import data
from errors import UserError
from export.graph import read_metadata, with_fixed_size
from export.proof import prove_copy
from export.write import output_of, write_proven
from inference.engines import TFLiteEngine
from settings.files import ExportTflite

_OTHERS = ("calibration_dir", "max_drop_db", "licence", "saved_model")  # flags of what is made from weights


def export_fixed_size(settings: ExportTflite, source: Path) -> None:
    """Write the copy of `source`, a .tflite file of ours that takes any size, for --height and
    --width.

    It is kept where it gives the same, to the bit, on real images. Raises UserError where it does
    not, for another file, and for flags that do not go with it.
    """
    export = settings.export
    description = _describe(settings, source)
    output = output_of(export, source, name=f"{source.stem}_{export.width}x{export.height}.tflite")
    original = TFLiteEngine(source)
    images = [lr for _, _, lr in data.sample(split="validation", scale=original.scale).pairs()]

    def proof(file: Path) -> dict[str, Any]:
        return prove_copy(file, original, images)

    content = with_fixed_size(source.read_bytes(), height=export.height, width=export.width)
    description = write_proven(output, content, description, proof=proof, fault=_fault)
    logging.info(
        "%s: %s for %d×%d, %.0f kB, gives what %s gives; %.1f ms",
        *(output, description["network"], export.height, export.width, description["bytes"] / 1000),
        *(source, description["proof"]["milliseconds"]),
    )


def _describe(settings: ExportTflite, source: Path) -> dict[str, Any]:
    """What the copy says of itself: what the original says, but for the sizes and the command."""
    export = settings.export
    if export.height is None:
        raise UserError(
            f"--student={export.student}: a .tflite file already; --height and --width make a copy for one size"
        )
    try:
        description = read_metadata(source)
        (_, *sides, _), scale = description["input"]["shape"], int(description["scale"])
        larger = description["output"] | {"shape": [1, export.height * scale, export.width * scale, 3]}
    except OSError as error:
        raise UserError(f"{source}: cannot be read ({error.strerror})") from error
    except Exception as error:  # damaged bytes lead flatbuffers to any of them
        raise UserError(f"{source}: holds no description of ours; make a file for one size of its weights") from error
    wrong = [name for name in _OTHERS if name in settings.given]
    if "quantize" in settings.given and export.quantize != description.get("quantize"):
        wrong = ["quantize"]
    if wrong:
        raise UserError(f"--{wrong[0]}: {source} is finished ({description.get('quantize')}); give its weights instead")
    if None not in sides:
        raise UserError(f"{source}: takes {sides[0]}×{sides[1]} only; give the file that takes any size")
    alignment = description.get("alignment", 1)
    for name, side in (("height", export.height), ("width", export.width)):
        if side % alignment:
            raise UserError(f"--{name}={side}: {source} takes multiples of {alignment}")
    return description | {
        "input": description["input"] | {"shape": [1, export.height, export.width, 3]},
        "output": larger,
        "made_from": source.name,
        "command": " ".join(sys.argv),
    }


def _fault(proof):
    difference = proof["max_difference_from_original"]
    return f"differs from the original by {difference:.2g} on a real picture" if difference else None
