"""How much memory a network needs, measured in a process of its own, where nothing else has left
its buffers.

`python -m evaluation.peak_memory engine MODEL SCALE HEIGHT WIDTH THREADS` and
`python -m evaluation.peak_memory file FILE HEIGHT WIDTH` print {"peak_memory": bytes}.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from errors import UserError
from evaluation.candidates import BicubicEngine
from inference.memory import peak_bytes
from inference.tiling import upscale_tiled
from inference.upscaler import open_engine

_ROOT = Path(__file__).parent.parent
_SECONDS = 300


def peak_memory(model: str | Path, *, scale: int, height: int, width: int, threads: int) -> int | None:
    """Bytes by which opening `model` and upscaling one image raises the peak of a process that has
    loaded the runtime.

    model: "bicubic" or a path that inference.upscaler.open_engine takes. height, width: of the LR
    image. The runtime itself (TensorFlow some 400 MB, LiteRT some 60) is not counted: it is the
    same for all models. Returns None on systems that do not tell (Windows).
    Raises UserError when the model cannot run there.
    """
    where = model if model == "bicubic" else Path(model).resolve()
    return _measured_apart("engine", where, scale, height, width, threads)


def file_peak_memory(path: Path, *, height: int, width: int) -> int | None:
    """The same of a .tflite file alone: opened by LiteRT, and run once on a black image, as any
    program may do it.

    height, width: of the LR image, where the file leaves them open. Returns and raises as
    `peak_memory`.
    """
    return _measured_apart("file", path.resolve(), height, width)


def _measured_apart(*words):
    if sys.platform == "win32":
        return None
    command = [sys.executable, "-m", "evaluation.peak_memory", *map(str, words)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(_ROOT), *sys.path])}
    try:
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=_SECONDS, env=environment)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"memory: no result within {_SECONDS} s") from error
    if done.returncode:
        reason = (done.stderr.strip() or f"ended with status {done.returncode}").splitlines()[-1]
        raise UserError(f"memory: {reason[:200]}")
    return json.loads(done.stdout.splitlines()[-1])["peak_memory"]


def _of_engine(model, scale, height, width, threads):
    lr = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    _load_runtime(model)
    before = peak_bytes()
    engine = BicubicEngine(scale) if model == "bicubic" else open_engine(model, threads=threads)
    lr = lr if engine.takes_uint8 else lr / np.float32(255.0)
    if engine.fixed_size in (None, lr.shape[:2]):
        engine(lr[None])
    else:
        upscale_tiled(engine, lr)
    return peak_bytes() - before


def _of_file(path, height, width):
    from ai_edge_litert.interpreter import Interpreter

    before = peak_bytes()
    interpreter = Interpreter(model_path=path, num_threads=1)
    tensor, shape = interpreter.get_input_details()[0], (1, height, width, 3)
    if -1 in tensor["shape_signature"]:
        interpreter.resize_tensor_input(tensor["index"], shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(tensor["index"], np.zeros(shape, tensor["dtype"]))
    interpreter.invoke()
    return peak_bytes() - before


def _load_runtime(model):
    """Import what the model runs on, and run something small, so that only the model's own memory
    is counted.
    """
    if model.endswith(".tflite"):
        import ai_edge_litert.interpreter  # noqa: F401
    elif model != "bicubic":
        import tensorflow as tf

        import models  # noqa: F401

        tf.nn.conv2d(tf.zeros((1, 8, 8, 3)), tf.zeros((3, 3, 3, 3)), 1, "SAME")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kind, name, *numbers = sys.argv[1:]
    measure = {"engine": _of_engine, "file": _of_file}[kind]
    print(json.dumps({"peak_memory": measure(name, *map(int, numbers))}))
