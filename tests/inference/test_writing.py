"""Strip-wise files hold what other libraries' decoders expect of them."""

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from errors import UserError
from inference import Upscaler
from inference.image_files import upscale_file
from inference.writing import WRITABLE, image_file


def noise(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def write(path, picture, strip, **options):
    height, width, channels = picture.shape
    options = {"channels": channels, "dtype": picture.dtype, **options}
    with image_file(path, width=width, height=height, **options) as write_rows:
        for top in range(0, height, strip):
            write_rows(picture[top : top + strip])


@pytest.mark.parametrize("strip", [1, 7, 64, 500])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_and_tiff_are_lossless_whatever_the_strips(tmp_path, strip, channels, dtype):
    picture = noise(131, 53, channels, dtype=dtype)
    write(tmp_path / "a.png", picture, strip)
    write(tmp_path / "a.tif", picture, strip)
    for read in (imagecodecs.png_decode((tmp_path / "a.png").read_bytes()), tifffile.imread(tmp_path / "a.tif")):
        np.testing.assert_array_equal(read.reshape(picture.shape), picture)


def test_png_is_about_as_small_as_pillows(tmp_path):
    from skimage import data

    picture = data.chelsea()
    write(tmp_path / "a.png", picture, 50)
    Image.fromarray(picture).save(tmp_path / "pillow.png")
    assert (tmp_path / "a.png").stat().st_size < 1.1 * (tmp_path / "pillow.png").stat().st_size


@pytest.mark.parametrize("strip", [1, 64, 100, 500])
@pytest.mark.parametrize("size", [(1, 1), (64, 9), (131, 53), (600, 17)])
def test_jpeg_by_strips_has_the_pixels_of_a_jpeg_at_once(tmp_path, strip, size):
    """Blocks are coded alone, so not one decoded value may differ."""
    for channels in (1, 3):
        picture = noise(*size, channels)
        write(tmp_path / "a.jpg", picture, strip, overwrite=True, quality=90)
        whole = Image.fromarray(picture[..., 0] if channels == 1 else picture)
        whole.save(tmp_path / "b.jpg", quality=90, subsampling=0)
        with Image.open(tmp_path / "a.jpg") as ours, Image.open(tmp_path / "b.jpg") as theirs:
            np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
        decoded = imagecodecs.jpeg8_decode((tmp_path / "a.jpg").read_bytes())  # libjpeg again, but strict
        assert decoded.shape[:2] == size


def test_big_tiff_is_read_by_tifffile(tmp_path, monkeypatch):
    """The layout for files above 4 GB, on a small one."""
    from inference.strip_writers import Layout, TiffWriter

    picture = noise(40, 30, 3)
    with open(tmp_path / "a.tif", "wb") as file:
        monkeypatch.setattr(TiffWriter, "_CLASSIC_LIMIT", 1000)
        writer = TiffWriter(file, Layout(30, 40, 3, np.dtype(np.uint8)))
        writer.write(picture)
        writer.close()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_bigtiff
        np.testing.assert_array_equal(file.asarray(), picture)


def test_jpeg_lays_transparent_pixels_on_white(tmp_path):
    picture = np.full((8, 8, 4), (200, 0, 0, 0), np.uint8)
    picture[:, 4:, 3] = 255
    write(tmp_path / "a.jpg", picture, 8)
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.getpixel((1, 1)) == pytest.approx((255, 255, 255), abs=4)
        assert image.getpixel((6, 1)) == pytest.approx((200, 0, 0), abs=8)


@pytest.mark.parametrize("suffix, reader", [("png", imagecodecs.imread), ("tif", tifffile.imread)])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bit_colour_stays_sixteen_bit(nearest, tmp_path, suffix, reader, channels):
    picture = noise(9, 6, channels, dtype=np.uint16)
    picture[..., 3:] = 65535 * (picture[..., 3:] > 30000)
    source, target = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    if suffix == "png":
        source.write_bytes(imagecodecs.png_encode(picture))
    else:
        extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
        tifffile.imwrite(source, picture, photometric="rgb", compression="lzw", **extra)
    upscale_file(Upscaler(nearest), source, target)
    result = reader(target)
    assert result.dtype == np.uint16
    visible = picture[..., -1] > 0 if channels == 4 else np.ones(picture.shape[:2], bool)
    np.testing.assert_array_equal(result[::4, ::4][visible], picture[visible])


def frames_of(path):
    with Image.open(path) as image:
        for index in range(image.n_frames):
            image.seek(index)
            image.load()
            yield np.asarray(image.convert("RGBA")), image.info["duration"], image.info.get("loop")


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_animations_frame_by_frame(nearest, tmp_path, suffix):
    source, durations = tmp_path / f"a{suffix}", [50, 120, 70]
    frames = [np.full((5, 8, 3), 60 * index, np.uint8) for index in range(3)]
    frames[1][:2, :2] = (250, 10, 10)
    first, *others = [Image.fromarray(frame) for frame in frames]
    first.save(source, save_all=True, append_images=others, duration=durations, loop=3, lossless=True)
    upscale_file(Upscaler(nearest), source, tmp_path / f"b{suffix}")
    result = list(frames_of(tmp_path / f"b{suffix}"))
    assert [duration for _, duration, _ in result] == durations and result[0][2] == 3
    for (pixels, _, _), frame in zip(result, frames, strict=True):
        assert pixels.shape == (20, 32, 4)
        assert np.abs(pixels[2::4, 2::4, :3].astype(int) - frame).max() <= (20 if suffix == ".webp" else 4)


def test_animation_in_a_format_that_cannot_hold_it(nearest, tmp_path):
    first, second = (Image.new("RGB", (4, 4), colour) for colour in ("red", "blue"))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    with pytest.raises(UserError, match="b.jpg: cannot hold 2 frames"):
        upscale_file(Upscaler(nearest), tmp_path / "a.gif", tmp_path / "b.jpg")


def test_transparent_animation_keeps_its_shape(nearest, tmp_path):
    frames = [Image.new("RGBA", (20, 20), (0, 0, 0, 0)) for _ in range(3)]
    for index, frame in enumerate(frames):
        frame.paste((0, 160, 60, 255), (index, 0, index + 5, 5))
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], disposal=2)
    upscale_file(Upscaler(nearest), tmp_path / "a.gif", tmp_path / "b.gif")
    for index, (pixels, _, _) in enumerate(frames_of(tmp_path / "b.gif")):
        visible = pixels[..., 3] > 0
        assert visible.sum() == 400 and visible[:20, 4 * index : 4 * index + 20].all()


def test_every_writable_suffix_can_be_read_by_pillow(tmp_path):
    for suffix in WRITABLE:
        write(tmp_path / f"a{suffix}", noise(9, 7, 4), 4)
        with Image.open(tmp_path / f"a{suffix}") as image:
            assert image.size == (7, 9)
