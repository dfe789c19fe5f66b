"""Reading image files of every kind; the files are written by Pillow, the expectations are
numbers.
"""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from data.images import list_images, read_rgb
from errors import UserError


def saved(path, image, **options):
    image.save(path, **options)
    return path


def noise(*shape):
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_rgb_comes_back_unchanged(tmp_path, suffix):
    pixels = noise(5, 7, 3)
    result = read_rgb(saved(tmp_path / f"a{suffix}", Image.fromarray(pixels)))
    assert result.dtype == np.uint8 and result.flags.writeable
    np.testing.assert_array_equal(result, pixels)


def test_webp_and_jpeg(tmp_path):
    pixels = np.full((16, 24, 3), (200, 40, 90), np.uint8)
    lossless = read_rgb(saved(tmp_path / "a.webp", Image.fromarray(pixels), lossless=True))
    np.testing.assert_array_equal(lossless, pixels)
    lossy = read_rgb(saved(tmp_path / "a.jpg", Image.fromarray(pixels), quality=100, subsampling=0))
    assert np.abs(lossy.astype(int) - pixels).max() <= 2


def test_grey_becomes_three_equal_channels(tmp_path):
    pixels = noise(4, 6)
    result = read_rgb(saved(tmp_path / "a.png", Image.fromarray(pixels)))
    for channel in range(3):
        np.testing.assert_array_equal(result[..., channel], pixels)


def test_black_and_white(tmp_path):
    result = read_rgb(saved(tmp_path / "a.png", Image.fromarray(np.array([[True, False]]))))
    assert result.tolist() == [[[255] * 3, [0] * 3]]


def test_palette(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    assert read_rgb(saved(tmp_path / "a.png", image)).tolist() == [[[10, 20, 30], [40, 50, 60]]]


def test_palette_with_a_transparent_colour_shows_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    path = saved(tmp_path / "a.png", image, transparency=1)
    assert read_rgb(path).tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_alpha_is_laid_over_white(tmp_path):
    """Alpha 51/255 = 0.2: 0.2 * 100 + 0.8 * 255 = 224; 0.2 * 0 + 204 = 204; 0.2 * 200 + 204
    = 244.
    """
    image = Image.new("RGBA", (1, 1), (100, 0, 200, 51))
    assert read_rgb(saved(tmp_path / "a.png", image)).tolist() == [[[224, 204, 244]]]
    grey = Image.new("LA", (1, 1), (100, 51))
    assert read_rgb(saved(tmp_path / "b.png", grey)).tolist() == [[[224, 224, 224]]]


def test_cmyk(tmp_path):
    """No ink is white; full cyan has no red; full black is black."""
    image = Image.new("CMYK", (3, 1))
    image.putpixel((1, 0), (255, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 255))
    assert read_rgb(saved(tmp_path / "a.tif", image)).tolist() == [[[255, 255, 255], [0, 255, 255], [0, 0, 0]]]


SIXTEEN_BITS = np.array([[0, 128, 129, 257, 32767, 32896, 65535]])
EIGHT_BITS = [0, 0, 1, 1, 127, 128, 255]  # v / 257 rounded, by hand: 128/257 < .5 < 129/257; 32767/257 = 127.498


@pytest.mark.parametrize(
    ("name", "dtype"), [("a.png", "<u2"), ("a.tif", "<u2"), ("big_endian.tif", ">u2"), ("i32.tif", "<i4")]
)
def test_sixteen_bits_are_scaled(tmp_path, name, dtype):
    path = saved(tmp_path / name, Image.fromarray(SIXTEEN_BITS.astype(dtype)))
    assert read_rgb(path)[0].tolist() == [[value] * 3 for value in EIGHT_BITS]


def test_exif_orientation_is_applied(tmp_path):
    pixels = noise(4, 6, 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees clockwise to show"
    result = read_rgb(saved(tmp_path / "a.png", Image.fromarray(pixels), exif=exif))
    np.testing.assert_array_equal(result, np.rot90(pixels, -1))


def png_of_claimed_size(width, height):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def bad_files(folder):
    """A dict of name to (path, part of the reason)."""
    whole = saved(folder / "whole.png", Image.fromarray(noise(64, 64, 3))).read_bytes()
    contents = {
        "empty.png": (b"", "empty"),
        "text.jpg": (b"this is no picture", "not an image"),
        "cut.png": (whole[: len(whole) // 2], "damaged"),
        "corrupt.png": (whole[:60] + b"\0" * 400 + whole[460:], "damaged"),
        "bomb.png": (png_of_claimed_size(60000, 60000), "too large"),
    }
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    saved(folder / "float.tif", Image.fromarray(np.zeros((4, 4), np.float32)))
    saved(folder / "huge_values.tif", Image.fromarray(np.full((4, 4), 70000, np.int32)))
    reasons = {name: reason for name, (_, reason) in contents.items()}
    reasons |= {"float.tif": "floating-point", "huge_values.tif": "70000", "missing.png": "no such file"}
    return {name: (folder / name, reason) for name, reason in reasons.items()}


def test_unusable_files_are_named_with_the_reason(tmp_path):
    for path, reason in bad_files(tmp_path).values():
        with pytest.raises(UserError) as error:
            read_rgb(path)
        assert str(error.value).startswith(f"{path}: ")
        assert reason in str(error.value)
        assert "\n" not in str(error.value)


def test_list_images(tmp_path):
    for name in ("b.PNG", "a/z.jpeg", "a/c.TIFF", "c.webp", "d.bmp", "e.jpg", "f.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name in (".hidden.png", "notes.txt", "png", ".thumbs/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in list_images(str(tmp_path))]
    assert found == ["a/c.TIFF", "a/z.jpeg", "b.PNG", "c.webp", "d.bmp", "e.jpg", "f.tif"]


def test_list_images_names_a_missing_folder(tmp_path):
    with pytest.raises(UserError, match="nowhere: no such folder"):
        list_images(tmp_path / "nowhere")
    (tmp_path / "file.png").touch()
    with pytest.raises(UserError, match="file.png: not a folder"):
        list_images(tmp_path / "file.png")
    (tmp_path / "empty").mkdir()
    assert list_images(tmp_path / "empty") == []
