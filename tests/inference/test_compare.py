import numpy as np
from PIL import Image

from inference.compare import changed_regions, write_comparison


def test_the_most_changed_regions_come_first():
    one = np.zeros((300, 400, 3), np.uint8)
    other = one.copy()
    other[96:192, 192:288], other[0:96, 0:96], other[192:288, 96:192] = 90, 30, 60
    assert changed_regions(one, other) == [(96, 192), (192, 96), (0, 0)]


def test_left_is_bicubic_and_right_the_result(tmp_path):
    Image.new("RGB", (60, 40), (200, 100, 50)).save(tmp_path / "a.png")
    Image.new("RGB", (240, 160), (10, 20, 30)).save(tmp_path / "b.png")
    write_comparison(tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png")
    with Image.open(tmp_path / "c.png") as sheet:
        assert sheet.width == 2 * 384 + 8
        for left in (0, 392):  # a caption, dark on white, above each side
            levels = np.asarray(sheet.convert("L").crop((left, 0, left + 384, 20)))
            assert levels.min() < 90 and levels.max() == 255
        for y in (25, 300, 500):
            assert sheet.getpixel((5, y)) == (200, 100, 50) and sheet.getpixel((400, y)) == (10, 20, 30)
