import errno
import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms

from errors import UserError
from evaluation.candidates import BicubicEngine
from inference import Upscaler
from inference.image_files import upscale_file
from inference.sizes import bleed_colours, iter_alpha_strips


@pytest.fixture
def upscaler(nearest):
    return Upscaler(nearest)


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def larger(picture):
    return picture.repeat(4, axis=0).repeat(4, axis=1)


def saved(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".TIFF"])
def test_rgb_and_grey_keep_their_pixels_and_their_kind(upscaler, tmp_path, suffix):
    for name, picture in (("rgb", pixels(6, 9, 3)), ("grey", pixels(6, 9))):
        source = saved(tmp_path / f"{name}{suffix}", picture)
        target = upscale_file(upscaler, source, tmp_path / "new folder" / "of mine" / f"{name}_x4{suffix}")
        with Image.open(target) as image:
            assert image.mode == ("RGB" if name == "rgb" else "L")
            np.testing.assert_array_equal(np.asarray(image), larger(picture))


@pytest.mark.parametrize("suffix, tolerance", [(".jpg", 6), (".webp", 30)])
def test_lossy_formats_stay_close(upscaler, tmp_path, suffix, tolerance):
    picture = np.linspace(0, 255, 16 * 16 * 3).reshape(16, 16, 3).astype(np.uint8)
    with Image.open(upscale_file(upscaler, saved(tmp_path / "a.png", picture), tmp_path / f"b{suffix}")) as image:
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - larger(picture)).max() <= tolerance


def test_grey_jpeg_stays_grey(upscaler, tmp_path):
    source = saved(tmp_path / "a.jpg", np.full((8, 8), 77, np.uint8))
    with Image.open(upscale_file(upscaler, source, tmp_path / "b.jpg")) as image:
        assert (image.mode, image.size) == ("L", (32, 32))


def test_sixteen_bit_grey_stays_sixteen_bit(upscaler, tmp_path):
    picture = np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)
    for suffix in (".png", ".tif"):
        source = saved(tmp_path / f"a{suffix}", picture)
        with Image.open(upscale_file(upscaler, source, tmp_path / f"b{suffix}")) as image:
            np.testing.assert_array_equal(np.asarray(image), larger(picture))
    with Image.open(upscale_file(upscaler, source, tmp_path / "b.jpg")) as image:
        assert np.abs(np.asarray(image).astype(float) - larger(picture) / 257).max() < 4


def test_palette_and_cmyk_and_bilevel(upscaler, tmp_path):
    rgb = Image.new("RGB", (5, 4), (10, 200, 30))
    rgb.quantize(4).save(tmp_path / "palette.png")
    rgb.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=100)
    Image.fromarray(np.eye(4, dtype=bool)).save(tmp_path / "bilevel.png")
    expected = {"palette.png": ("RGB", (10, 200, 30)), "cmyk.jpg": ("RGB", (10, 200, 30)), "bilevel.png": ("L", 255)}
    for name, (mode, corner) in expected.items():
        with Image.open(upscale_file(upscaler, tmp_path / name, tmp_path / f"{name}.x4.png")) as image:
            assert image.mode == mode
            np.testing.assert_allclose(image.getpixel((0, 0)), corner, atol=2)


def disc(size=24):
    """Red and opaque inside, black and transparent outside, half transparent between: what drawing
    programs save.
    """
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    alpha = (255 * np.clip(size / 3 - np.hypot(x, y), 0, 1)).astype(np.uint8)
    colours = np.where(alpha[..., None] > 0, np.array([255, 0, 0], np.uint8), np.uint8(0))
    return np.dstack([colours, alpha])


def test_alpha_without_dark_fringe(tmp_path):
    upscaler, picture = Upscaler(BicubicEngine(4)), disc()
    with Image.open(upscale_file(upscaler, saved(tmp_path / "a.png", picture), tmp_path / "b.png")) as image:
        assert image.mode == "RGBA"
        result = np.asarray(image)
    visible = result[..., 3] > 0
    assert (result[visible][:, 0] == 255).all() and (result[visible][:, 1:3] == 0).all()
    # The check can fail: without care for the hidden colours the edge is dark.
    careless = upscaler.upscale(picture[..., :3])
    assert careless[visible][:, 0].min() < 200
    # What was opaque, or empty, all around stays entirely so; and the edge is smooth.
    assert (result[40:56, 40:56, 3] == 255).all() and (result[:8, :8, 3] == 0).all()
    assert len(np.unique(result[..., 3])) > 20


def test_alpha_never_leaves_what_its_neighbourhood_held(nearest):
    class Noisy(type(nearest)):
        def __call__(self, lr):
            sr = super().__call__(lr)
            return np.clip(sr + np.random.default_rng(0).normal(scale=0.1, size=sr.shape), 0, 1).astype(np.float32)

    alpha = np.zeros((9, 9), np.uint8)
    alpha[:, 5:] = 255
    sr = np.concatenate(list(iter_alpha_strips(Upscaler(Noisy()), alpha)))
    assert (sr[:, :16] == 0).all() and (sr[:, 24:] == 255).all()


def test_bleeding_takes_the_nearest_visible_colour():
    colours = np.array([[1, 2, 3, 4, 5]], np.uint8)
    alpha = np.array([[0, 9, 0, 0, 255]], np.uint8)
    assert bleed_colours(colours, alpha).tolist() == [[2, 2, 2, 5, 5]]
    assert bleed_colours(colours, np.zeros_like(alpha)) is colours


@pytest.mark.parametrize("kind", ["grey alpha", "one transparent grey", "transparent palette"])
def test_other_ways_to_be_transparent(upscaler, tmp_path, kind):
    grey = np.array([[0, 100], [200, 100]], np.uint8)
    opaque = np.array([[255, 0], [255, 0]], np.uint8)
    if kind == "grey alpha":
        Image.merge("LA", [Image.fromarray(grey), Image.fromarray(opaque)]).save(tmp_path / "a.png")
    elif kind == "one transparent grey":
        Image.fromarray(grey).save(tmp_path / "a.png", transparency=100)
    else:
        palette = Image.fromarray(grey // 100, mode="P")
        palette.putpalette([0, 0, 0, 100, 100, 100, 200, 200, 200])
        palette.save(tmp_path / "a.png", transparency=1)
    with Image.open(upscale_file(upscaler, tmp_path / "a.png", tmp_path / "b.png")) as image:
        assert image.mode == ("RGBA" if kind == "transparent palette" else "LA")
        np.testing.assert_array_equal(np.asarray(image)[..., -1], larger(opaque))
        assert np.asarray(image)[0, 0, 0] == 0 and np.asarray(image)[7, 0, 0] == 200


def test_transparency_is_laid_on_white_where_the_format_has_none(upscaler, tmp_path):
    source = saved(tmp_path / "a.png", np.zeros((4, 4, 4), np.uint8))
    with Image.open(upscale_file(upscaler, source, tmp_path / "b.jpg")) as image:
        assert image.mode == "RGB" and np.asarray(image).min() > 250


def exif_of(orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Model] = orientation, "Camera"
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.ExifImageWidth: 9, ExifTags.Base.ExposureTime: 0.25}
    return exif


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_orientation_is_applied_and_reset_and_the_rest_kept(upscaler, tmp_path, suffix):
    picture = np.zeros((6, 9, 3), np.uint8)
    picture[:3, :4] = 255  # 6: the camera's top left becomes the top right
    source = saved(tmp_path / f"a{suffix}", picture, exif=exif_of(6).tobytes())
    with Image.open(upscale_file(upscaler, source, tmp_path / f"b{suffix}")) as image:
        result, exif = np.asarray(image.convert("RGB")), image.getexif()
    assert result.shape == (36, 24, 3)
    assert result[2, -3].min() > 220 and result[2, 2].max() < 30 and result[-3, -3].max() < 30
    assert exif.get(ExifTags.Base.Orientation, 1) == 1 and exif[ExifTags.Base.Model] == "Camera"
    details = exif.get_ifd(ExifTags.IFD.Exif)
    assert details[ExifTags.Base.ExifImageWidth] == 24 and float(details[ExifTags.Base.ExposureTime]) == 0.25


def test_exif_moves_from_tiff_to_jpeg_without_its_pixel_layout(upscaler, tmp_path):
    source = saved(tmp_path / "a.tif", pixels(4, 4, 3), exif=exif_of(1).tobytes())
    with Image.open(upscale_file(upscaler, source, tmp_path / "b.jpg")) as image:
        exif = image.getexif()
    assert exif[ExifTags.Base.Model] == "Camera"
    assert not {ExifTags.Base.StripOffsets, ExifTags.Base.ImageWidth, ExifTags.Base.Compression} & set(exif)


def test_damaged_exif_does_not_cost_the_picture(upscaler, tmp_path):
    source = saved(tmp_path / "a.jpg", pixels(4, 4, 3), exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f garbage")
    assert upscale_file(upscaler, source, tmp_path / "b.jpg").is_file()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_icc_profile_is_kept(upscaler, tmp_path, suffix):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = saved(tmp_path / f"a{suffix}", pixels(4, 4, 3), icc_profile=profile)
    with Image.open(upscale_file(upscaler, source, tmp_path / f"b{suffix}")) as image:
        assert image.info["icc_profile"] == profile


def bad_file(folder, kind):
    path = folder / f"{kind}.jpg"
    whole = io.BytesIO()
    Image.fromarray(pixels(64, 64, 3)).save(whole, "JPEG")
    content = {
        "empty": b"",
        "text": b"dear diary",
        "truncated": whole.getvalue()[:2000],
        "header": whole.getvalue()[:30],
    }
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(content[kind])
    return path


@pytest.mark.parametrize(
    "kind, reason",
    [
        ("empty", "empty file"),
        ("text", "not an image"),
        ("truncated", "damaged or unreadable: .*truncated"),
        ("header", "not an image|damaged"),
        ("missing", "no such file"),
        ("folder", "a folder, not an image"),
    ],
)
def test_bad_input_gets_one_line_and_leaves_nothing(upscaler, tmp_path, kind, reason):
    source = bad_file(tmp_path, kind)
    with pytest.raises(UserError, match=f"{kind}.jpg: ({reason})") as caught:
        upscale_file(upscaler, source, tmp_path / "out" / "b.png")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".gif", ".bmp"])
def test_no_cut_or_changed_byte_gives_anything_but_a_user_error(upscaler, tmp_path, suffix):
    whole, random = io.BytesIO(), np.random.default_rng(4)
    Image.fromarray(pixels(9, 9, 3)).save(whole, Image.registered_extensions()[suffix])
    source = tmp_path / f"a{suffix}"
    for _ in range(30):
        content = bytearray(whole.getvalue())
        content[int(random.integers(len(content)))] = int(random.integers(256))
        source.write_bytes(content[: int(random.integers(1, 2 * len(content)))])
        try:
            upscale_file(upscaler, source, tmp_path / "out" / "b.png", overwrite=True, max_pixels=100_000)
        except UserError as error:
            assert str(error).startswith(f"{source}: ")
        assert {path.name for path in tmp_path.glob("out/*")} <= {"b.png"}


def test_a_picture_of_floats_is_named_as_such(upscaler, tmp_path):
    for shape in ((4, 4), (4, 4, 3)):
        values = np.full(shape, 0.5, np.float32)
        values[0, 0] = np.nan
        tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack" if len(shape) == 2 else "rgb")
        with pytest.raises(
            UserError, match=r"a\.tif: 32-bit float.* pixels .*and some are NaN.*save it with 8 or 16 bits"
        ):
            upscale_file(upscaler, tmp_path / "a.tif", tmp_path / "b.tif")


def test_too_large_is_refused_unless_allowed(upscaler, tmp_path):
    source = saved(tmp_path / "a.png", pixels(20, 20, 3))
    with pytest.raises(UserError, match="a.png: too large: 20x20 is more than 0.0003 megapixels; --allow_large"):
        upscale_file(upscaler, source, tmp_path / "b.png", max_pixels=300)
    assert upscale_file(upscaler, source, tmp_path / "b.png", max_pixels=None).is_file()


def test_nothing_is_overwritten_unless_told(upscaler, tmp_path):
    source, target = saved(tmp_path / "a.png", pixels(4, 4, 3)), tmp_path / "b.png"
    target.write_bytes(b"precious")
    with pytest.raises(UserError, match="b.png: exists already"):
        upscale_file(upscaler, source, target)
    assert target.read_bytes() == b"precious"
    upscale_file(upscaler, source, target, overwrite=True)
    upscale_file(upscaler, source, source, overwrite=True)  # onto itself
    assert source.read_bytes() == target.read_bytes()


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp", ".gif"])
def test_no_half_file_is_left(nearest, tmp_path, suffix, error):
    """The network fails, or is interrupted, at the third of its windows: the file has been begun by
    then.
    """

    class Failing(type(nearest)):
        calls = 0

        def __call__(self, lr):
            Failing.calls += 1
            if Failing.calls == 3:
                assert len(list((tmp_path / "out").iterdir())) == 1
                raise error
            return super().__call__(lr)

    source = saved(tmp_path / "a.png", pixels(40, 4, 3))
    with pytest.raises(type(error)):
        upscale_file(Upscaler(Failing(), tile=8), source, tmp_path / "out" / f"b{suffix}")
    assert Failing.calls == 3 and list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disc that is always full")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp", ".gif"])
def test_a_full_disc_is_a_line_and_leaves_nothing(upscaler, tmp_path, monkeypatch, suffix):
    source = saved(tmp_path / "a.png", pixels(40, 40, 3))
    monkeypatch.setattr("pathlib.Path.open", lambda path, mode: open("/dev/full", "wb"))  # noqa: SIM115
    target = tmp_path / "out" / f"b{suffix}"
    with pytest.raises(UserError, match=f"b{suffix}: cannot be written: no space left on device"):
        upscale_file(upscaler, source, target)
    assert list((tmp_path / "out").iterdir()) == []


def test_targets_that_cannot_be(upscaler, tmp_path):
    source = saved(tmp_path / "a.png", pixels(4, 4, 3))
    (tmp_path / "folder.png").mkdir()
    for target, reason in (
        (tmp_path / "b.xcf", "cannot write .xcf"),
        (tmp_path / "b", "cannot write a name without suffix"),
        (tmp_path / "folder.png", "is a folder"),
        (source / "b.png", "cannot be written"),
    ):
        with pytest.raises(UserError, match=f"{target.name}: {reason}"):
            upscale_file(upscaler, source, target)


def test_side_too_long_for_the_format(upscaler, tmp_path):
    source = saved(tmp_path / "a.png", pixels(1, 5000, 3))
    assert upscale_file(upscaler, source, tmp_path / "b.png").is_file()
    with pytest.raises(UserError, match="b.webp: cannot be written"):
        upscale_file(upscaler, source, tmp_path / "b.webp")
    assert not list(tmp_path.glob(".*"))


def test_names_with_spaces_and_unicode(upscaler, tmp_path):
    source = saved(tmp_path / "Käse über 日本.png", pixels(4, 4, 3))
    assert upscale_file(upscaler, source, tmp_path / "ö ä" / "ß 日.png").is_file()
