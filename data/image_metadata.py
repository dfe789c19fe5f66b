"""data/image_metadata.py: what an image file holds beside its pixels, in a form that every format
can be written from.
"""

import contextlib
import re
import struct
from pathlib import Path
from typing import NamedTuple

import tifffile
from absl import logging
from PIL import ExifTags, Image

from errors import reason

XMP_TAG, IPTC_TAG, _ICC_TAG = 700, 33723, 34675  # of TIFF
_PHOTOSHOP_IPTC = 0x0404

# TIFF tags that say how the old file stored its pixels: wrong for the new one. XMP, IPTC and ICC
# have fields of their own.
_LAYOUT_TAGS = frozenset(range(254, 260)) | {262, 266, 273, 277, 278, 279, 284, 317, 320, 330, 338, 339, 347}
_LAYOUT_TAGS |= frozenset(range(322, 326)) | {332, 333, 334, 512, 513, 514, 515, 519, 520, 521}
_LAYOUT_TAGS |= {XMP_TAG, IPTC_TAG, _ICC_TAG}
_IFDS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)

# PNG chunks that say what the numbers mean as colours, and the values that mean sRGB.
_COLOUR_CHUNKS = (b"cHRM", b"gAMA", b"sRGB", b"cICP")
_SRGB_PRIMARIES = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
_SRGB_CICP = bytes((1, 13, 0, 1))

# Texts of ImageMagick's that repeat what other fields hold.
_REPEATED_TEXT = re.compile(r"XML:com\.adobe\.xmp|Raw profile type (exif|APP1|xmp|icc|icm)", re.IGNORECASE)
_XMP_ORIENTATION = re.compile(rb'(tiff:Orientation(?:="|>))([1-8])')


class Metadata(NamedTuple):
    """exif: upright, without pixel layout. dpi: (x, y). xmp: a packet. iptc: its records (IIM).
    comment: of JPEG and GIF.

    text: (keyword, text) of a PNG. colour_chunks: {name: content} of a PNG's cHRM, gAMA, sRGB and
    cICP.
    """

    exif: Image.Exif | None = None
    icc_profile: bytes | None = None
    dpi: tuple | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    comment: bytes | None = None
    text: tuple = ()
    colour_chunks: dict | None = None

    def colours_beside_srgb(self) -> list[str]:
        """The chunks by which the numbers mean other colours than sRGB; none where a profile stands
        above them.
        """
        chunks = self.colour_chunks or {}
        if self.icc_profile or b"sRGB" in chunks:
            return []
        named = []
        if (gamma := chunks.get(b"gAMA")) and abs(int.from_bytes(gamma, "big") - 45455) > 500:
            named.append("gAMA")
        if len(primaries := chunks.get(b"cHRM", b"")) == 32:
            values = zip(struct.unpack(">8L", primaries), _SRGB_PRIMARIES, strict=True)
            named += ["cHRM"] if any(abs(value - usual) > 500 for value, usual in values) else []
        if chunks.get(b"cICP", _SRGB_CICP) != _SRGB_CICP:
            named.append("cICP")
        return named


def metadata_of(path: str | Path, image: Image.Image) -> tuple[Metadata, int]:
    """(Metadata, EXIF orientation from 1 to 8) of a file that Pillow has open.

    What is damaged is left out.
    """
    info = image.info
    orientation = _or_none(lambda: image.getexif().get(ExifTags.Base.Orientation))  # _kept_exif says what is damaged
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp")
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    photoshop = info.get("photoshop")
    iptc = photoshop.get(_PHOTOSHOP_IPTC) if isinstance(photoshop, dict) else None
    comment = info.get("comment") if image.format in ("JPEG", "MPO", "GIF") else None
    metadata = Metadata(
        exif=_kept_exif(image.getexif),
        icc_profile=info.get("icc_profile"),
        dpi=_dpi(image),
        xmp=_upright_xmp(xmp),
        iptc=iptc if isinstance(iptc, bytes) else None,
        comment=comment if isinstance(comment, bytes) else None,
    )
    if image.format == "PNG":
        texts = [(key, str(value)) for key, value in info.items() if _is_text(key, value)]
        metadata = metadata._replace(text=tuple(texts), colour_chunks=_colour_chunks(path))
    return metadata, _orientation(orientation, xmp)


def metadata_of_tiff(file: tifffile.TiffFile, page: tifffile.TiffPage) -> tuple[Metadata, int]:
    """The same for a `tifffile.TiffPage` of an open `tifffile.TiffFile`."""

    def exif():
        found = Image.Exif()
        found.endian, found.bigtiff = file.byteorder, file.is_bigtiff
        found.load_from_fp(file.filehandle, page.offset)
        return found

    def tag(code):
        value = page.tags[code].value if code in page.tags else None
        return struct.pack(f"{file.byteorder}{len(value)}L", *value) if isinstance(value, tuple) else value

    orientation = page.tags[274].value if 274 in page.tags else None
    values = (_or_none(tag, code) for code in (XMP_TAG, IPTC_TAG, _ICC_TAG))
    xmp, iptc, profile = (value if isinstance(value, bytes) else None for value in values)
    orientation = _orientation(orientation, xmp)
    kept = _kept_exif(exif)
    if kept and orientation != 1:
        kept.pop(ExifTags.Base.Orientation, None)
    metadata = Metadata(kept, profile, _or_none(_resolution, page), _upright_xmp(xmp), iptc)
    return metadata, orientation


def _orientation(exif, xmp):
    """EXIF's, else what XMP says; 1 where neither makes sense."""
    if exif is None and xmp and (said := _XMP_ORIENTATION.search(xmp)):
        exif = int(said[2])
    return exif if exif in range(1, 9) else 1


def _or_none(function, *arguments):
    with contextlib.suppress(Exception):  # a damaged tag: any kind
        return function(*arguments)
    return None


def _kept_exif(read):
    """The EXIF to keep: orientation 1, without pixel layout; None where there is none, or it is
    damaged.

    Damaged EXIF is common, and never worth losing the image for.
    """
    try:
        exif, kept = read(), Image.Exif()
        for tag, value in exif.items():
            # tifffile's own description, of the old size
            shape = tag == ExifTags.Base.ImageDescription and str(value).startswith('{"shape"')
            if tag not in _LAYOUT_TAGS and tag not in _IFDS and not shape:
                kept[tag] = value
        for ifd in _IFDS:
            if ifd in exif:
                kept[ifd] = dict(exif.get_ifd(ifd))  # read now, while the file is open
        if ExifTags.Base.Orientation in kept:
            kept[ExifTags.Base.Orientation] = 1
        kept.tobytes()  # shows whether it can be written
    except Exception as error:  # any kind, as for decoders
        logging.warning("EXIF left out: %s", reason(error))
        return None
    return kept if len(kept) else None


def _dpi(image):
    """(x, y) in pixels per inch where the format itself says so; None for an aspect only."""
    dpi = image.info.get("dpi") if image.format in ("PNG", "BMP") else None
    if unit := image.info.get("jfif_unit"):
        dpi = tuple(side * (2.54 if unit == 2 else 1) for side in image.info.get("jfif_density", ()))
    return dpi if dpi and len(dpi) == 2 and min(dpi) > 0 else None


def _resolution(page):
    unit = page.tags[296].value if 296 in page.tags else 2
    sides = [numerator / denominator for numerator, denominator in (page.tags[code].value for code in (282, 283))]
    return tuple(side * (2.54 if unit == 3 else 1) for side in sides) if unit in (2, 3) and min(sides) > 0 else None


def _upright_xmp(xmp):
    return _XMP_ORIENTATION.sub(rb"\g<1>1", xmp) if xmp else None


def _is_text(key, value):
    return isinstance(key, str) and isinstance(value, str) and not _REPEATED_TEXT.fullmatch(key)


def _colour_chunks(path):
    """{name: content} of the chunks before a PNG's pixels."""
    found = {}
    with open(path, "rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8 and head[4:] != b"IDAT":
            length = int.from_bytes(head[:4], "big")
            if head[4:] in _COLOUR_CHUNKS:
                found[head[4:]] = file.read(length)
                length = 0
            file.seek(length + 4, 1)
    return found
