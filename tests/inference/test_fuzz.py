"""Whatever a file holds, the answer is an image or one line; and no half file is left."""

import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from errors import UserError
from inference import Upscaler
from inference.engines import Engine
from inference.image_files import upscale_file


class Nearest(Engine):
    scale, receptive_field = 4, 0

    def __call__(self, lr):
        return lr.repeat(4, axis=1).repeat(4, axis=2)


LIMIT = 100_000  # pixels
QUICK = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def answer(content, suffix, target=".png"):
    """Upscale a file of that content; the result's size, or the one line why not."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / f"a{suffix}", Path(folder) / "out"
        source.write_bytes(content)
        try:
            upscale_file(Upscaler(Nearest()), source, out / f"b{target}", max_pixels=LIMIT)
        except UserError as error:
            assert str(error).startswith((f"{source}: ", f"{out / 'b'}{target}: ")) and "\n" not in str(error)
            assert not out.exists() or not list(out.iterdir())
            return str(error)
        assert [path.name for path in out.iterdir()] == [f"b{target}"]
        with Image.open(out / f"b{target}") as image:
            image.load()
            return image.size


def chunk(kind, content):
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


@QUICK
@given(
    width=st.integers(0, 2**32 - 1) | st.integers(0, 40),
    height=st.integers(0, 2**32 - 1) | st.integers(0, 40),
    depth=st.sampled_from([1, 2, 4, 8, 16, 0, 7, 255]),
    kind=st.integers(0, 7),
    interlace=st.integers(0, 2),
    pixels=st.binary(max_size=400),
    extra=st.sampled_from([b"tRNS", b"PLTE", b"eXIf", b"iCCP", b"acTL", b"zTXt"]),
    junk=st.binary(max_size=60),
)
def test_any_png_header(width, height, depth, kind, interlace, pixels, extra, junk):
    header = chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, depth, kind, 0, 0, interlace))
    body = chunk(extra, junk) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    got = answer(b"\x89PNG\r\n\x1a\n" + header + body, ".png")
    if isinstance(got, tuple):
        assert got == (4 * width, 4 * height)


def seeds():
    made = {}
    colour = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".png", ".jpg", ".webp", ".bmp", ".tif", ".gif"):
            path = Path(folder) / f"a{suffix}"
            Image.fromarray(colour).save(path)
            made[suffix] = path.read_bytes()
        import tifffile

        path = Path(folder) / "deep.tif"
        tifffile.imwrite(path, colour.astype(np.uint16) * 257, photometric="rgb", compression="lzw")
        made[".tiff"] = path.read_bytes()
        frames = [Image.fromarray(np.roll(colour, shift, 1)) for shift in range(3)]
        frames[0].save(path.with_suffix(".gif"), save_all=True, append_images=frames[1:])
        made[".GIF"] = path.with_suffix(".gif").read_bytes()
    return made


SEEDS = seeds()


@pytest.mark.parametrize("suffix", SEEDS)
@settings(QUICK, max_examples=60)
@given(data=st.data())
def test_changed_and_cut_files(suffix, data):
    content = bytearray(SEEDS[suffix])
    for _ in range(data.draw(st.integers(0, 4))):
        # headers most of all
        place = data.draw(st.integers(0, min(63, len(content) - 1)) | st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    answer(
        bytes(content[: data.draw(st.integers(1, 2 * len(content)))]), suffix, ".gif" if suffix == ".GIF" else ".png"
    )


@settings(QUICK, max_examples=40)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    channels=st.sampled_from(["L", "LA", "RGB", "RGBA", "I;16"]),
    target=st.sampled_from([".png", ".jpg", ".tif", ".webp", ".bmp", ".gif"]),
)
def test_any_size_in_any_format(height, width, channels, target):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        Image.new(channels, (width, height)).save(path)
        assert answer(path.read_bytes(), ".png", target) == (4 * width, 4 * height)
