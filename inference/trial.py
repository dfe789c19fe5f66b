"""What is tried before a network is used: whether its file runs, and by how much it enlarges.

A .tflite file is a program for the runtime, and a damaged one can end the process: so it is run in
another process first.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from errors import UserError, reason
from records import sha256

_SECONDS = 600
_SIDE = 16  # of the image, where a network takes any size: one that halves it four times runs too

# What the engine and the count of multiply-adds do with a file, on a small black image where its
# size is open. Exceptions are theirs to tell.
_PROGRAM = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

path, side = sys.argv[1], int(sys.argv[2])
plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
for options in ({}, {"experimental_op_resolver_type": plain, "experimental_preserve_all_tensors": True}):
    interpreter = Interpreter(model_path=path, num_threads=1, **options)
    entry = interpreter.get_input_details()[0]
    size_is_open = -1 in entry["shape_signature"]
    if size_is_open:
        interpreter.resize_tensor_input(entry["index"], (1, side, side, 3))
    interpreter.allocate_tensors()
    if size_is_open or not options:
        interpreter.set_tensor(entry["index"], np.zeros(interpreter.get_input_details()[0]["shape"], entry["dtype"]))
        interpreter.invoke()
"""


def try_out(path: Path, sidecar: dict[str, Any]) -> None:
    """Open and run `path` in a process of its own, unless it is byte for byte the file that its
    sidecar describes.

    Raises UserError where that process dies. What the runtime refuses in words is left to whoever
    opens the file next.
    """
    if "sha256" in sidecar and sidecar["sha256"] == sha256(path):
        return
    state = path.stat()
    if death := _death(path.resolve(), state.st_mtime_ns, state.st_size):
        raise UserError(f"{path}: damaged, or not a network for this runtime: {death}")


@lru_cache
def _death(path: Path, *_: int) -> str | None:
    """How the process that runs the file ends, where it is by a signal or too late.

    The further arguments say which state of the file it was.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(path), str(_SIDE)],
            capture_output=True,
            timeout=_SECONDS,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    except subprocess.TimeoutExpired:
        return f"it has not run after {_SECONDS} seconds"
    if done.returncode in (0, 1):  # 1: an exception of Python
        return None
    code = done.returncode
    return f"it ends the process that runs it ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"


def probed_scale(
    run: Callable[[np.ndarray], np.ndarray], *, path: str | Path, size: tuple[int, int] | None = None
) -> int:
    """The factor of a network, by running a small black image: what comes out says more than any
    label.

    run: maps (1, h, w, 3) float32 to (1, s*h, s*w, 3). size: the only (h, w) that it takes, or
    None. Raises UserError that names `path` where s is no whole number.
    """
    height, width = size or (_SIDE, _SIDE)
    try:
        sr = run(np.zeros((1, height, width, 3), np.float32))
    except UserError:
        raise
    except Exception as error:  # whatever TensorFlow or a layer raises on a shape it does not take
        raise UserError(f"{path}: cannot run on a picture of {width}x{height}: {reason(error)}") from error
    scale = sr.shape[1] // height if sr.ndim == 4 else 0
    if scale < 1 or sr.shape != (1, scale * height, scale * width, 3):
        raise UserError(f"{path}: turns {(1, height, width, 3)} into {sr.shape}; not an upscaling network")
    return scale
