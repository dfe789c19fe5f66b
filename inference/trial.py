"""A .tflite file is a program for the runtime, and a damaged one can end the process: such a file is tried in another process first."""

import hashlib
import os
import signal
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from errors import UserError

_SECONDS = 600

# What the engine and the count of multiply-adds do with a file, on a small black image where its size is open. Exceptions are theirs to tell.
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


def try_out(path: Path, sidecar: dict[str, Any], *, side: int) -> None:
    """Open and run `path` in a process of its own, unless it is byte for byte the file that its sidecar describes.

    side: height and width of the image where the file leaves them open. Raises UserError where that process dies. What
    the runtime refuses in words is left to whoever opens the file next.
    """
    if "sha256" in sidecar and sidecar["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest():
        return
    state = path.stat()
    if death := _death(path.resolve(), side, state.st_mtime_ns, state.st_size):
        raise UserError(f"{path}: damaged, or not a network for this runtime: {death}")


@lru_cache
def _death(path: Path, side: int, *_: int) -> str | None:
    """How the process that runs the file ends, where it is by a signal or too late. The further arguments say which state of the file it was."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(path), str(side)],
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
