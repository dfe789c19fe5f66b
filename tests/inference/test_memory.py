"""Memory, measured from outside the process that does the work."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.tflite import convert
from inference.engines import KerasEngine, TFLiteEngine
from inference.memory import fitting_tile, resident_bytes
from models import build_generator

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    path = tmp_path_factory.mktemp("memory") / "student.tflite"
    model = build_generator("compact_s")
    path.write_bytes(convert(model))
    path.with_suffix(".json").write_text(f'{{"scale": 4, "receptive_field": {model.receptive_field}}}')
    return path


def peak_megabytes(student, source, target, *flags):
    code = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:])\n"
        "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [
        sys.executable,
        str(ROOT / "upscale.py"),
        str(source),
        f"--output={target}",
        f"--model={student}",
        *flags,
    ]
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, timeout=900)
    status, kilobytes = map(int, done.stdout.split())
    assert status == 0, done.stderr
    return kilobytes / (1e6 if sys.platform == "darwin" else 1e3)


def photograph(path, width, height):
    from skimage import data

    Image.fromarray(data.chelsea()).resize((width, height), Image.Resampling.BICUBIC).save(path, quality=92)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_four_megapixels_take_700_megabytes_in_all(student, tmp_path, suffix):
    source = photograph(tmp_path / "a.jpg", 2448, 1632)
    assert peak_megabytes(student, source, tmp_path / f"b{suffix}") < 700


@pytest.mark.slow
def test_twenty_four_megapixels_take_at_most_800_megabytes_and_their_raw_output(student, tmp_path):
    source = photograph(tmp_path / "a.jpg", 6000, 4000)
    assert peak_megabytes(student, source, tmp_path / "b.jpg") < 24_000 * 4_000 * 16 * 3 / 4e6 + 800


@pytest.mark.slow
def test_less_memory_makes_smaller_tiles_and_the_same_file(student, tmp_path):
    source = photograph(tmp_path / "a.jpg", 1000, 700)
    much = peak_megabytes(student, source, tmp_path / "much.png", "--memory_mb=1000")
    little = peak_megabytes(student, source, tmp_path / "little.png", "--memory_mb=250")
    assert little < 300 < much
    much, little = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("much", "little"))
    np.testing.assert_array_equal(much, little)


def test_engines_say_what_a_pixel_takes(student):
    """32 channels of float32 and their like; a network at the size of its result takes far more."""
    small, large = KerasEngine(build_generator("compact_s")), KerasEngine(build_generator("srresnet", depth=1))
    assert 300 < TFLiteEngine(student).bytes_per_pixel < 2000
    assert 300 < small.bytes_per_pixel < 3000
    assert large.bytes_per_pixel > 4 * 64 * 16


def test_tile_falls_with_memory(student):
    engine, size = TFLiteEngine(student), {"height": 4000, "width": 6000, "bytes_per_pixel": 3}
    now = resident_bytes() // 10**6
    tiles = [fitting_tile(engine, memory_mb=now + extra, **size) for extra in (50, 150, 300, 3000)]
    assert tiles == sorted(tiles) and tiles[0] < tiles[-1] == 512
