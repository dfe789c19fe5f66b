import pytest

import weights
from errors import UserError
from evaluation.peak_memory import file_peak_memory, peak_memory


def test_bicubic_needs_its_output_and_more_for_larger_pictures():
    small, large = (peak_memory("bicubic", scale=4, height=side, width=side, threads=1) for side in (32, 512))
    assert large > 512 * 512 * 16 * 3 * 5  # the output as uint8 and as float32
    assert small < large / 4


def test_a_model_that_cannot_run_there(tmp_path):
    with pytest.raises(UserError, match=r"memory: .*none\.tflite"):
        peak_memory(tmp_path / "none.tflite", scale=4, height=8, width=8, threads=1)


def test_a_file_alone_needs_its_widest_layer_and_its_output(tmp_path):
    needed = file_peak_memory(weights.tflite_file("compact_s"), height=256, width=256)
    assert 256 * 256 * 4 * (32 + 3 * 16) < needed < 256_000_000
    with pytest.raises(UserError, match=r"memory: .*none\.tflite"):
        file_peak_memory(tmp_path / "none.tflite", height=8, width=8)
