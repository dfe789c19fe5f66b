"""How much memory a network needs, measured in a process of its own, where nothing else has left its buffers.

`python -m evaluation.peak_memory MODEL SCALE HEIGHT WIDTH THREADS` prints {"peak_memory": bytes}.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from errors import UserError
from evaluation.candidates import BicubicEngine
from inference.tiling import upscale_tiled
from inference.upscaler import open_engine

_ROOT = Path(__file__).parent.parent
_SECONDS = 300


def peak_memory(model: str | Path, *, scale: int, height: int, width: int, threads: int) -> int | None:
    """Bytes by which opening `model` and upscaling one image raises the peak of a process that has loaded the runtime.

    model: "bicubic" or a path that inference.upscaler.open_engine takes. height, width: of the LR image. The runtime itself (TensorFlow
    some 400 MB, LiteRT some 60) is not counted: it is the same for all models. Returns None on systems that do not tell (Windows).
    Raises UserError when the model cannot run there.
    """
    if sys.platform == "win32":
        return None
    command = [
        sys.executable,
        "-m",
        "evaluation.peak_memory",
        *(str(word) for word in (model, scale, height, width, threads)),
    ]
    if model != "bicubic":
        command[3] = str(Path(model).resolve())
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(_ROOT), *sys.path])}
    try:
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=_SECONDS, env=environment)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"memory: no result within {_SECONDS} s") from error
    if done.returncode:
        reason = (done.stderr.strip() or f"ended with status {done.returncode}").splitlines()[-1]
        raise UserError(f"memory: {reason[:200]}")
    return json.loads(done.stdout.splitlines()[-1])["peak_memory"]


def _measure(model, scale, height, width, threads):
    lr = np.random.default_rng(0).random((height, width, 3), np.float32)
    _load_runtime(model)
    before = _peak()
    engine = BicubicEngine(scale) if model == "bicubic" else open_engine(model, threads=threads)
    if engine.fixed_size in (None, lr.shape[:2]):
        engine(lr[None])
    else:
        upscale_tiled(engine, lr)
    return _peak() - before


def _load_runtime(model):
    """Import what the model runs on, and run something small, so that only the model's own memory is counted."""
    if model.endswith(".tflite"):
        import ai_edge_litert.interpreter  # noqa: F401
    elif model != "bicubic":
        import tensorflow as tf

        import models  # noqa: F401

        tf.nn.conv2d(tf.zeros((1, 8, 8, 3)), tf.zeros((3, 3, 3, 3)), 1, "SAME")


def _peak():
    """The largest resident size of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux, where getrusage would count the parent from before the exec as well
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    word, *numbers = sys.argv[1:]
    print(json.dumps({"peak_memory": _measure(word, *(int(number) for number in numbers))}))
