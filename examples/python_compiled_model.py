"""Enlarge one image with LiteRT's CompiledModel: python examples/python_compiled_model.py
student.tflite in.png out.png

A file of any size stands at 1×1 until it is resized; one of fixed size takes images of that size
only. docs/mobile.md has the contract.
"""

import sys

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from PIL import Image


def upscale(model_path: str, image: np.ndarray) -> np.ndarray:
    """image: (h, w, 3) uint8 RGB, to (scale·h, scale·w, 3) uint8."""
    model = CompiledModel.from_file(model_path)
    key = next(iter(model.get_signature_list()))
    (lr,) = model.get_input_tensor_details(key).values()
    floats = lr["dtype"] == "float32"
    if tuple(lr["shape"][1:3]) != image.shape[:2]:
        model.resize_input_tensor(0, [1, *image.shape])
    (sr,) = model.get_output_tensor_details(key).values()
    inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
    inputs[0].write((image / np.float32(255) if floats else image)[None])
    model.run_by_index(0, inputs, outputs)
    shape = tuple(int(side) for side in sr["shape"][1:])
    values = outputs[0].read(int(np.prod(shape)), np.float32 if floats else np.uint8).reshape(shape)
    return np.floor(values * 255 + 0.5).astype(np.uint8) if floats else values


if __name__ == "__main__":
    model, source, target = sys.argv[1:]
    opened = Image.open(source, formats=["PNG", "JPEG", "WEBP"]).convert("RGB")
    Image.fromarray(upscale(model, np.asarray(opened))).save(target)
