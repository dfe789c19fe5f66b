"""Exported students in the form in which the page runs them.

LiteRT.js compiles a file whose height and width are open, but cannot run it. So every open size is
filled in, and where those sizes stand in the file is told to the page, which writes its window's
size over them: one file serves every size, weights and operations untouched.
"""

from pathlib import Path
from typing import Any

import numpy as np
from absl import logging
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.tools import flatbuffer_utils

from errors import UserError
from inference.engines import TFLiteEngine

# What a visitor chooses between, in this order, and which shipped network it is; the first that is
# there is the page's default.
CHOICES = {
    "compact_s": ("Faithful", "true to the original"),
    "compact_s_perceptual": ("Sharp", "crisp, some detail invented"),
    "compact_s_photo": ("Photo", "mends noise and compression"),
    "compact_xs.int8": ("Small and fast", "least work for this device"),
}
_HEIGHT, _WIDTH = 64, 96  # what stands in the file until the page writes its own


def read_students(folder: Path) -> list[tuple[bytes, dict]]:
    """(content, entry) of each usable .tflite file in `folder`, see `read_student`.

    Those of CHOICES stand first, in their order; then compact networks before others, the largest
    first, then by name.

    A file that the page cannot run is left out with a warning. Raises UserError when none is left.
    """
    students = []
    for path in sorted(folder.glob("*.tflite")):
        try:
            students.append(read_student(path))
        except UserError as error:
            logging.warning("%s; left out", error)
    if not students:
        raise UserError(
            f"--models={folder}: holds no exported student; make one with export_tflite.py --output={folder}/NAME.tflite, "
            "or name another folder (make web MODELS=FOLDER)"
        )
    return sorted(students, key=lambda student: _place(student[1]))


def _place(entry):
    # The page begins with the first: where there is no choice, the best of those that were made for
    # such machines.
    chosen = list(CHOICES).index(entry["name"]) if entry["name"] in CHOICES else len(CHOICES)
    return chosen, not str(entry["network"]).endswith("Compact"), -entry["parameters"], entry["name"]


def read_student(path: Path) -> tuple[bytes, dict[str, Any]]:
    """One student for the page: (bytes of its file, what students.json says of it).

    path: of a .tflite file with its .json beside it, of open height and width. The entry holds
    name, file, bytes, scale receptive_field       the halo of a window, in pixels of the small
    image network, parameters, quantize  as the .json tells them input, output         {"dtype":
    "float32"}, or "uint8" with scale and zero_point: pixel = scale · (q - zero_point) choice, about
    the visitor's word for it and what it means, of a network in CHOICES sizes                 [byte
    offset, factor] of every place where two little-endian int32 have to be factor × the window's
    height, width

    Raises UserError when the file is no upscaling network, has a fixed size, or works on signed
    integers, which LiteRT.js does not take.
    """
    engine = TFLiteEngine(path, threads=1)
    if engine.fixed_size is not None:
        raise UserError(f"{path}: has a fixed size; export it without --height and --width")
    content, sizes = fill_sizes(path.read_bytes(), path=path)
    interpreter = Interpreter(model_content=content)
    (lr,), (sr,) = interpreter.get_input_details(), interpreter.get_output_details()
    entry = {
        "name": path.stem,
        "file": path.name,
        "bytes": len(content),
        "scale": engine.scale,
        "receptive_field": engine.receptive_field,
        "network": engine.sidecar.get("network"),
        "parameters": engine.sidecar.get("parameters", 0),
        "quantize": {"none": "float32"}.get(form := engine.sidecar.get("quantize", lr["dtype"].__name__), form),
        "input": _pixels(lr, path),
        "output": _pixels(sr, path),
        "sizes": sizes,
    }
    if path.stem in CHOICES:
        entry["choice"], entry["about"] = CHOICES[path.stem]
    return content, entry


def fill_sizes(content: bytes, *, path: Path) -> tuple[bytes, list[list[int]]]:
    """Fill in the open heights and widths of a TFLite file.

    Returns (content, sizes), see `read_student`.

    content: bytes of a file whose input is (1, open, open, 3). path: for the message of the
    UserError that is raised where a size inside does not follow the input's as a whole multiple.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    shapes, factors = _shapes(content), {}
    for number, tensor in enumerate(model.subgraphs[0].tensors):
        if tensor.shapeSignature is None or -1 not in tensor.shapeSignature:
            continue
        shape = [int(side) for side in shapes[number]]
        factors[number] = shape[1] // _HEIGHT
        if list(tensor.shapeSignature[1:-1]) != [-1, -1] or shape[1:3] != [
            _HEIGHT * factors[number],
            _WIDTH * factors[number],
        ]:
            raise UserError(f"{path}: tensor {tensor.name.decode()} has a size that the page cannot follow: {shape}")
        tensor.shape, tensor.shapeSignature = shape, None
    content = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    graph = schema.Model.GetRootAs(content, 0).Subgraphs(0)
    return content, [[_height_offset(graph.Tensors(number)), factor] for number, factor in factors.items()]


def _shapes(content):
    """What the runtime makes of every tensor at the size that is filled in.

    Without XNNPACK, which would leave out those between its operations.
    """
    interpreter = Interpreter(
        model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    lr = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(lr, (1, _HEIGHT, _WIDTH, 3), strict=True)
    interpreter.allocate_tensors()
    return {tensor["index"]: tensor["shape"] for tensor in interpreter.get_tensor_details()}


def _height_offset(tensor):
    """The byte where the second of a tensor's sizes stands.

    The generated reader gives values only; this is how it finds them itself.
    """
    shape_field = 4  # the first field of a flatbuffer's table, in its vtable
    return tensor._tab.Vector(tensor._tab.Offset(shape_field)) + 4


def _pixels(tensor, path):
    if tensor["dtype"] == np.float32:
        return {"dtype": "float32"}
    if tensor["dtype"] != np.uint8:
        raise UserError(f"{path}: works on {tensor['dtype'].__name__}; the page needs float32 or uint8")
    scale, zero_point = tensor["quantization"]
    return {"dtype": "uint8", "scale": float(scale), "zero_point": int(zero_point)}
