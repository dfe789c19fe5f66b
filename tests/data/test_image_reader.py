"""What a file holds beside its pixels, what it is when it is no image, and how much it may
ask for.
"""

import io
import os
import struct
import time
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from data.image_reader import Animation, image_size, open_image, read_still
from data.images import list_images, read_rgb, search
from errors import UserError


def noise(*shape):
    return np.random.default_rng(3).integers(0, 256, shape, np.uint8)


@pytest.mark.skipif(os.name != "posix", reason="a shell script in the place of an interpreter")
@pytest.mark.parametrize("suffix", [".png", ".eps", ".tif", ".jpg"])
def test_no_file_starts_a_program(tmp_path, monkeypatch, suffix):
    """An EPS under any name: Pillow alone would run the first `gs` of the PATH."""
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    for read in (read_rgb, read_still, image_size):
        with pytest.raises(UserError, match="PostScript is not supported"):
            read(path)
    assert not (tmp_path / "started").exists()


def test_thumbnails_and_masks_of_a_tiff_are_not_the_image(tmp_path):
    path, pixels, small = tmp_path / "a.tif", noise(40, 30, 3), noise(4, 3, 3)
    for first, second in (((small, 1), (pixels, 0)), ((pixels, 0), (small, 1))):
        with tifffile.TiffWriter(path) as file:
            for page, kind in (first, second):
                file.write(page, photometric="rgb", subfiletype=kind)
            file.write(np.ones((40, 30), bool), photometric="mask", subfiletype=4)
        np.testing.assert_array_equal(read_still(path).colours, pixels)
        np.testing.assert_array_equal(read_rgb(path), pixels)
        assert image_size(path) == (40, 30)
    with tifffile.TiffWriter(path) as file:  # as cameras do: the image below its thumbnail
        file.write(small, photometric="rgb", subfiletype=1, subifds=1)
        file.write(pixels, photometric="rgb", subfiletype=0)
    np.testing.assert_array_equal(read_still(path).colours, pixels)
    tifffile.imwrite(path, noise(2, 9, 9, 3), photometric="rgb")
    with pytest.raises(UserError, match="a.tif: holds 2 pages; split it"):
        read_still(path)


def test_the_stand_in_of_an_animated_png_is_not_shown(tmp_path):
    stand_in, *frames = (Image.new("RGB", (6, 4), colour) for colour in ("black", "red", "blue"))
    stand_in.save(tmp_path / "a.png", save_all=True, append_images=frames, default_image=True, duration=[70, 90])
    with open_image(tmp_path / "a.png") as image:
        assert isinstance(image, Animation) and image.durations == [70, 90]
        assert [frame.colours[0, 0].tolist() for frame in image.frames] == [[255, 0, 0], [0, 0, 255]]
    assert read_rgb(tmp_path / "a.png")[0, 0].tolist() == [255, 0, 0]
    stand_in.save(tmp_path / "b.png", save_all=True, append_images=frames[:1], default_image=True)
    assert read_still(tmp_path / "b.png").colours[0, 0].tolist() == [255, 0, 0]


def test_the_first_of_a_multi_picture_jpeg(tmp_path):
    first, second = (Image.new("L", (16, 16), value) for value in (40, 200))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second])
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.n_frames == 2
    assert (read_still(tmp_path / "a.jpg").colours == 40).all()


def twelve_bit_jpeg():
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "JPEG")
    content = bytearray(file.getvalue())
    content[content.index(b"\xff\xc0") + 4] = 12
    return bytes(content)


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("a.jpg", twelve_bit_jpeg(), "JPEG of 12 bits is not supported"),
        ("a.png", b"\0\0\0\x1cftypavif", "AVIF is not supported"),
        ("a.jpg", b"\0\0\0\x18ftypheic", "HEIC is not supported"),
        ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000 is not supported"),
        ("a.tga", bytes([0, 0, 2]) + bytes(15) + b"pixels", "TGA is not supported"),
        ("a.png", bytes(40) + b"TRUEVISION-XFILE.\0", "TGA is not supported"),
        ("a.png", b"RIFF\x24\0\0\0WAVEfmt ", "a sound file, not an image"),
        ("a.png", b"ID3\x04" + bytes(20), "a sound file, not an image"),
        ("a.png", b"\0\0\0\x20ftypisom", "a video file, not an image"),
        ("a.png", b"dear diary", "not an image, or damaged beyond recognition"),
    ],
)
def test_what_is_no_image_here_is_named(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    for read in (read_rgb, read_still):
        with pytest.raises(UserError, match=f"{name}: {said}"):
            read(tmp_path / name)


def gif(width, height, *frames):
    """Each frame (width, height) of next to no content."""
    head = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0\0\0\0\xff\xff\xff"
    return head + b"".join(b"," + struct.pack("<HHHH", 0, 0, *size) + b"\0\2\2L\1\0" for size in frames) + b";"


def narrow_png(height):
    def chunk(kind, content):
        return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">LLBBBBB", 1, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(2 * height))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("a.gif", gif(8000, 8000, (8000, 8000), (8000, 8000)), "8000x8000 in 2 frames is more than 64 megapixels"),
        ("a.gif", gif(3000, 3000, *[(1, 1)] * 99), "3000x3000 in 99 frames is more than 64 megapixels"),
        ("a.gif", gif(1, 1, (1, 1), (60000, 60000)), ".*more than 64 megapixels"),
        ("a.gif", gif(1, 1, (60000, 60000)), ".*more than 64 megapixels"),
        ("a.png", narrow_png(1_000_001), "1x1000001 has a side of more than 1000000 pixels"),
    ],
)
def test_a_small_file_cannot_ask_for_much(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    begun = time.monotonic()
    with pytest.raises(UserError, match=f"too large: {said}; --allow_large takes it"):
        read_still(tmp_path / name)
    assert time.monotonic() - begun < 5


def test_training_takes_the_first_frame_of_any_number(tmp_path):
    (tmp_path / "a.gif").write_bytes(gif(300, 200, *[(1, 1)] * 2000))
    assert read_rgb(tmp_path / "a.gif").shape == (200, 300, 3)


def test_a_strip_that_is_missing_or_short_is_damage(tmp_path):
    """Not black rows."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise(64, 64, 3), photometric="rgb", rowsperstrip=16)
    whole = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        counts = file.pages[0].tags[279]
        width = counts.valuebytecount // counts.count
    for value in (0, 5):
        content = bytearray(whole)
        content[counts.valueoffset : counts.valueoffset + width] = value.to_bytes(width, "little")
        assert bytes(content) != whole
        path.write_bytes(content)
        with pytest.raises(UserError, match="a.tif: damaged"):
            read_still(path)


def test_a_folder_says_what_it_passes_over(tmp_path):
    names = ["a.JFIF", "b.jpe", "c.gif", "d.heic", "e.heic", "f", "._g.png", ".h/i.png", "__MACOSX/j.png", "k/l.mp4"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = search(tmp_path)
    assert (
        [path.name for path in found.images] == ["a.JFIF", "b.jpe", "c.gif"] == [p.name for p in list_images(tmp_path)]
    )
    assert found.others == {".heic": 2, ".mp4": 1, "without suffix": 1}


def test_a_link_to_itself_and_a_name_too_long_are_one_line(tmp_path):
    (tmp_path / "a.png").symlink_to("a.png")
    for path in (tmp_path / "a.png", tmp_path / ("b" * 300 + ".png")):
        for read in (read_rgb, read_still, image_size, list_images):
            with pytest.raises(UserError) as error:
                read(path)
            assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
