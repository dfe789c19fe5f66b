"""import_weights.py, as people type it, and what other commands then do with its file."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import models

ROOT = Path(__file__).parent.parent.parent


def run(folder, *words):
    return subprocess.run(
        [sys.executable, str(ROOT / words[0]), *map(str, words[1:])],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_describes_writes_once_and_upscales(files, answers, tmp_path):
    source = files / "rrdb_new_x2_unshuffle.pth"
    done = run(tmp_path, "import_weights.py", source, "--licence=BSD-3")
    assert done.returncode == 0, done.stderr
    assert "RRDB (ESRGAN), scale 2: depth 1, width 4, growth 2, unshuffle 2" in done.stdout
    assert "tensors of float16 under 'params_ema'" in done.stdout
    path = tmp_path / "rrdb_new_x2_unshuffle.weights.h5"
    assert models.read_facts(path)["licence"] == "BSD-3"
    again = run(tmp_path, "import_weights.py", source)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1) and "--overwrite replaces it" in again.stderr
    lr, expected = answers[f"{source.name}.x"], answers[f"{source.name}.y"]
    Image.fromarray(np.rint(lr * 255).astype(np.uint8)).save(tmp_path / "a.png")
    done = run(tmp_path, "upscale.py", "a.png", f"--model={path}", "--output=b.png")
    assert done.returncode == 0, done.stderr
    rounded = np.array(models.load_generator(path)(np.rint(lr * 255)[None] / np.float32(255), training=False))[0]
    assert np.abs(rounded - expected).max() < 0.05  # the image came in 8 bits
    np.testing.assert_allclose(
        np.array(Image.open(tmp_path / "b.png")) / 255, np.clip(rounded, 0, 1), atol=0.5 / 255 + 1e-4
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.pth"], "nothing.pth: no such file"),
        ([], "no file: give one file"),
        (["{}/rrdb_old_x1.pth", "--scale=4"], "enlarges 1 times, but --scale is 4"),
        (["{}/rrdb_old_x1.pth", "--output=a.h5"], "--output=a.h5: the name has to end in .weights.h5"),
        (
            ["{}/span_no_norm_x2.safetensors", f"--output={ROOT}/weights/a.weights.h5"],
            "the folder of the shipped networks",
        ),
        (["{}/answers.npz"], "answers.npz: a zip archive, but none of PyTorch's"),
    ],
)
def test_a_mistake_is_one_line(files, tmp_path, words, said):
    done = run(tmp_path, "import_weights.py", *(word.format(files) for word in words))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1) and said in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "quantize"),
    [
        *(("rrdb_new_x2_unshuffle.pth", quantize) for quantize in ("none", "float16", "int8")),
        *((name, "int8") for name in ("span_no_norm_x2.safetensors", "msrresnet_x4.pth", "edsr_basicsr_x4.pth")),
    ],
)
def test_what_was_imported_is_exported(files, tmp_path, name, quantize):
    assert run(tmp_path, "import_weights.py", files / name, "--output=a.weights.h5").returncode == 0
    done = run(
        tmp_path,
        "export_tflite.py",
        "--student=a.weights.h5",
        f"--quantize={quantize}",
        "--max_drop_db=3",
        "--output=a.tflite",
    )
    assert done.returncode == 0, done.stderr
    described = json.loads((tmp_path / "a.json").read_text())
    assert described.get("alignment", 1) == (2 if "unshuffle" in name else 1)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (61, 83, 3), np.uint8)).save(tmp_path / "a.png")
    for tile in (1000, 13):
        done = run(tmp_path, "upscale.py", "a.png", "--model=a.tflite", f"--tile={tile}", f"--output={tile}.png")
        assert done.returncode == 0, done.stderr
    whole, tiled = (np.array(Image.open(tmp_path / f"{tile}.png")).astype(int) for tile in (1000, 13))
    assert np.abs(whole - tiled).max() <= 1 and whole.std() > 0


def test_who_stops_to_read_has_enough(files, tmp_path):
    words = [sys.executable, str(ROOT / "import_weights.py"), str(files / "rrdb_old_x1.pth"), "--describe"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
    process.stdout.close()
    assert (process.wait(120), process.stderr.read()) == (141, b"")
