"""Upscale one image with nothing but LiteRT, numpy and Pillow: python examples/python_litert.py
student.tflite in.png out.png

The contract, as the file's metadata states it: input [1, height, width, 3] RGB, output [1,
scale·height, scale·width, 3]; float32 in [0, 1], or uint8 in [0, 255] for an int8 file.
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image


def upscale(model_path: str, image: np.ndarray) -> np.ndarray:
    """image: (h, w, 3) uint8 RGB, to (scale·h, scale·w, 3) uint8."""
    interpreter = Interpreter(model_path=model_path)
    tensor = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(tensor["index"], (1, *image.shape))
    interpreter.allocate_tensors()
    floats = tensor["dtype"] == np.float32
    interpreter.set_tensor(tensor["index"], (image / np.float32(255) if floats else image)[None])
    interpreter.invoke()
    sr = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    return np.floor(sr * 255 + 0.5).astype(np.uint8) if floats else sr


if __name__ == "__main__":
    model, source, target = sys.argv[1:]
    Image.fromarray(
        upscale(model, np.asarray(Image.open(source, formats=["PNG", "JPEG", "WEBP"]).convert("RGB")))
    ).save(target)
