"""What a file holds beside its pixels arrives in the result; read back by Pillow, tifffile and byte
by byte.
"""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, PngImagePlugin

from inference import Upscaler
from inference.image_files import upscale_file

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" exif:PixelXDimension="6"'
    b' tiff:ImageLength="4"><dc:title>Sea</dc:title></rdf:Description></x:xmpmeta>'
)
# 4 high and 6 wide, turned by a quarter and four times as large
XMP_AFTER = XMP.replace(b'Orientation="6"', b'Orientation="1"').replace(b'XDimension="6"', b'XDimension="16"')
XMP_AFTER = XMP_AFTER.replace(b'Length="4"', b'Length="24"')
IPTC = b"\x1c\x02\x05\x00\x03Sea\x1c\x02\x78\x00\x06a wave"


@pytest.fixture
def upscaler(nearest):
    return Upscaler(nearest)


@pytest.fixture
def image():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8))


def app13(records):
    """Photoshop's resources: IPTC (0x0404) after another one."""
    content = b"Photoshop 3.0\0"
    for number, data in ((0x03ED, b"\0" * 16), (0x0404, records)):
        content += b"8BIM" + struct.pack(">HHL", number, 0, len(data)) + data + bytes(len(data) % 2)
    return b"\xff\xed" + struct.pack(">H", len(content) + 2) + content


def with_iptc(path, image, suffix):
    if suffix == ".tif":
        tags = [(33723, 7, len(IPTC), IPTC, True), (700, 1, len(XMP), XMP, True)]
        tifffile.imwrite(
            path, np.asarray(image), photometric="rgb", extratags=tags, resolution=(300, 300), metadata=None
        )
    else:
        image.save(path, xmp=XMP, extra=app13(IPTC), dpi=(300, 300))


@pytest.mark.parametrize("source", [".jpg", ".tif"])
@pytest.mark.parametrize("target", [".jpg", ".tif"])
def test_iptc_xmp_and_resolution(upscaler, tmp_path, image, source, target):
    with_iptc(tmp_path / f"a{source}", image, source)
    upscale_file(upscaler, tmp_path / f"a{source}", tmp_path / f"b{target}")
    if target == ".tif":
        with tifffile.TiffFile(tmp_path / "b.tif") as file:
            tags = file.pages[0].tags
            assert bytes(tags[33723].value) == IPTC and bytes(tags[700].value) == XMP_AFTER
            assert [tags[282].value, tags[283].value, tags[296].value] == [(300, 1), (300, 1), 2]
    else:
        with Image.open(tmp_path / "b.jpg") as result:
            assert result.info["photoshop"] == {0x0404: IPTC} and result.info["xmp"] == XMP_AFTER
            assert result.info["dpi"] == (300, 300)


@pytest.mark.parametrize("source", [".png", ".jpg", ".webp", ".tif"])
@pytest.mark.parametrize("target", [".png", ".jpg", ".webp", ".tif"])
def test_xmp_everywhere_with_its_orientation_applied(upscaler, tmp_path, image, source, target):
    path = tmp_path / f"a{source}"
    if source == ".png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
        image.save(path, pnginfo=info)
    elif source == ".tif":
        with_iptc(path, image, source)
    else:
        image.save(path, xmp=XMP)
    upscale_file(upscaler, path, tmp_path / f"b{target}")
    with Image.open(tmp_path / f"b{target}") as result:
        xmp = result.info.get("xmp") or result.info["XML:com.adobe.xmp"].encode()
        assert result.size == (16, 24) and xmp == XMP_AFTER


@pytest.mark.parametrize("source, unit", [(".png", 0.01), (".bmp", 0.02), (".jpg", 0)])
@pytest.mark.parametrize("target", [".png", ".bmp", ".jpg", ".tif"])
def test_resolution(upscaler, tmp_path, image, source, unit, target):
    """PNG and BMP count in pixels per metre."""
    image.save(tmp_path / f"a{source}", dpi=(300, 150))
    upscale_file(upscaler, tmp_path / f"a{source}", tmp_path / f"b{target}")
    with Image.open(tmp_path / f"b{target}") as result:
        assert [float(side) for side in result.info["dpi"]] == pytest.approx([300, 150], abs=max(unit, 0.02))


def test_no_resolution_where_there_was_none(upscaler, tmp_path, image):
    image.save(tmp_path / "a.png")
    for target in ("b.png", "b.jpg"):
        upscale_file(upscaler, tmp_path / "a.png", tmp_path / target)
        with Image.open(tmp_path / target) as result:
            assert "dpi" not in result.info


def test_texts_of_a_png(upscaler, tmp_path, image):
    info = PngImagePlugin.PngInfo()
    texts = {"Title": "Sea", "Author": "\u65e5\u672c", "Comment": "line\n" * 200}
    for keyword, text in texts.items():
        info.add_text(keyword, text, zip=keyword == "Comment")
    image.save(tmp_path / "a.png", pnginfo=info)
    upscale_file(upscaler, tmp_path / "a.png", tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as result:
        assert result.text == texts


@pytest.mark.parametrize("suffix", [".jpg", ".gif"])
def test_comments(upscaler, tmp_path, image, suffix):
    image.save(tmp_path / f"a{suffix}", comment=b"a wave")
    upscale_file(upscaler, tmp_path / f"a{suffix}", tmp_path / f"b{suffix}")
    with Image.open(tmp_path / f"b{suffix}") as result:
        assert result.info["comment"] == b"a wave"


def chunks(content):
    at, found = 8, {}
    while at < len(content):
        length = struct.unpack_from(">L", content, at)[0]
        found[content[at + 4 : at + 8]] = content[at + 8 : at + 8 + length]
        at += 12 + length
    return found


ADOBE_RGB = struct.pack(">8L", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)


@pytest.mark.parametrize(
    "name, content, said",
    [
        (b"gAMA", struct.pack(">L", 100_000), "gAMA"),
        (b"gAMA", struct.pack(">L", 45_455), None),
        (b"cHRM", ADOBE_RGB, "cHRM"),
        (b"cICP", bytes([9, 16, 0, 1]), "cICP"),
        (b"cICP", bytes([1, 13, 0, 1]), None),
    ],
)
def test_what_a_png_says_of_its_colours(upscaler, tmp_path, image, monkeypatch, name, content, said):
    """Kept in a PNG, which then shows as its source does; named where it is lost, and would have
    changed a colour.
    """
    image.save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    extra = struct.pack(">L", len(content)) + name + content + struct.pack(">L", zlib.crc32(name + content))
    (tmp_path / "a.png").write_bytes(whole[:33] + extra + whole[33:])
    lines = []
    monkeypatch.setattr("absl.logging.warning", lambda text, *values: lines.append(text % values))
    upscale_file(upscaler, tmp_path / "a.png", tmp_path / "b.png")
    assert not lines and chunks((tmp_path / "b.png").read_bytes())[name] == content
    upscale_file(upscaler, tmp_path / "a.png", tmp_path / "b.jpg")
    assert len(lines) == bool(said) and all(f"b.jpg: {said} left out" in line for line in lines)


def test_what_jpeg_cannot_hold_is_named_and_left_out(upscaler, tmp_path, image, monkeypatch):
    lines = []
    monkeypatch.setattr("absl.logging.warning", lambda text, *values: lines.append(text % values))
    image.save(tmp_path / "a.webp", xmp=b"<x/>" * 20_000)
    upscale_file(upscaler, tmp_path / "a.webp", tmp_path / "b.jpg")
    assert ["xmp left out: 80000 bytes" in line for line in lines] == [True]


@pytest.mark.parametrize("suffix", [".webp", ".png", ".gif"])
def test_animations_keep_theirs(upscaler, tmp_path, suffix):
    frames = [Image.new("RGB", (6, 4), (60 * i, 10, 200)) for i in range(3)]
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Hokusai"
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "Sea")
    options = {
        ".webp": {"exif": exif, "xmp": XMP.replace(b'Orientation="6"', b'Orientation="1"'), "icc_profile": b"icc"},
        ".png": {"exif": exif, "pnginfo": texts, "icc_profile": b"icc"},
        ".gif": {"comment": b"a wave"},
    }[suffix]
    source, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=50, **options)
    upscale_file(upscaler, source, target)
    with Image.open(target) as made:
        assert made.n_frames == 3 and made.size == (24, 16)
        if suffix == ".gif":
            assert made.info["comment"] == b"a wave"
        else:
            assert made.getexif()[ExifTags.Base.Artist] == "Hokusai" and made.info["icc_profile"] == b"icc"
        if suffix == ".webp":
            assert b"<dc:title>Sea" in made.info["xmp"] and b'XDimension="24"' in made.info["xmp"]
        if suffix == ".png":
            assert made.text["Title"] == "Sea"
