"""Draws the sheet of crops with Pillow: no screen needed, every pixel of a crop an exact square.

    | picture, region marked | LR | bicubic | model | model | HR |

Under each crop stand two figures: the PSNR of what is shown, and in grey that of the whole picture.
"""

from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

_PAPER, _INK, _FAINT, _MARK, _FRAME = (255, 255, 255), (24, 24, 27), (113, 113, 122), (225, 29, 72), (228, 228, 231)
_MARGIN, _GAP = 32, 16
_TEXT = 19  # pixels of font height
_LINE = 26
_CAPTION = 2 * _LINE + _GAP

_LEGEND = (
    "Where the models differ most, enlarged without smoothing. Below each crop: its PSNR (bold: the best of the row), "
    "and in grey that of the whole picture. Y (BT.601, 16-235), {border} px border, x{scale}, 8-bit output."
)


def draw_sheet(crops, *, tile, zoom):
    """Draw a list of `comparison.Crop` that all show the same models.

    tile: pixels of the sheet per side of a crop; zoom: integer factor of enlargement. A crop smaller than tile /
    zoom stands in the middle of its place. Returns a PIL picture in RGB.
    """
    fonts = {"plain": _font("DejaVuSans.ttf"), "bold": _font("DejaVuSans-Bold.ttf")}
    titles = [_wrap(name, fonts["bold"], tile) for name in ("", *crops[0].views, "HR")]
    top = _MARGIN + max(len(lines) for lines in titles) * _LINE + _GAP // 2
    width = 2 * _MARGIN + len(titles) * (tile + _GAP) - _GAP
    legend = _wrap(_LEGEND.format(border=crops[0].border, scale=crops[0].scale), fonts["plain"], width - 2 * _MARGIN)
    bottom = top + len(crops) * (tile + _CAPTION + _GAP)
    sheet = Image.new("RGB", (width, bottom + len(legend) * _LINE + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, lines in enumerate(titles):
        centre, first = _left(column, tile) + tile // 2, top - _GAP // 2 - len(lines) * _LINE
        for index, line in enumerate(lines):
            draw.text((centre, first + index * _LINE), line, _INK, fonts["bold"], anchor="ma")
    for row, crop in enumerate(crops):
        _draw_row(sheet, crop, top + row * (tile + _CAPTION + _GAP), tile=tile, zoom=zoom, fonts=fonts)
    for index, line in enumerate(legend):
        draw.text((_MARGIN, bottom + index * _LINE), line, _FAINT, fonts["plain"])
    return sheet


def _draw_row(sheet, crop, y, *, tile, zoom, fonts):
    draw = ImageDraw.Draw(sheet)
    _draw_overview(sheet, crop, y, tile=tile)
    name = _wrap(crop.name, fonts["plain"], tile)[0]
    draw.text((_MARGIN + tile // 2, y + tile + _GAP // 2), name, _INK, fonts["plain"], anchor="ma")
    best = max(round(view.crop_psnr, 2) for view in crop.views.values())
    for column, view in enumerate(crop.views.values(), start=1):
        x = _left(column, tile)
        _paste(sheet, _enlarged(view.pixels, zoom), x, y, tile=tile)
        font = fonts["bold" if round(view.crop_psnr, 2) == best else "plain"]
        draw.text((x + tile // 2, y + tile + _GAP // 2), f"{view.crop_psnr:.2f} dB", _INK, font, anchor="ma")
        place = (x + tile // 2, y + tile + _GAP // 2 + _LINE)
        draw.text(place, f"{view.picture_psnr:.2f} dB", _FAINT, fonts["plain"], anchor="ma")
    original = crop.hr[crop.top : crop.top + crop.size, crop.left : crop.left + crop.size]
    _paste(sheet, _enlarged(original, zoom), _left(len(crop.views) + 1, tile), y, tile=tile)


def _draw_overview(sheet, crop, y, *, tile):
    """The whole HR picture, shrunk to fit, with the region framed."""
    picture = Image.fromarray(crop.hr)
    ratio = min(tile / picture.width, tile / picture.height)
    size = (max(1, round(picture.width * ratio)), max(1, round(picture.height * ratio)))
    x, y = _paste(sheet, picture.resize(size, Image.Resampling.LANCZOS), _MARGIN, y, tile=tile)
    box = [x + crop.left * ratio, y + crop.top * ratio]
    box += [box[0] + crop.size * ratio - 1, box[1] + crop.size * ratio - 1]
    box = [round(side) for side in box]
    draw = ImageDraw.Draw(sheet)
    # White inside red: one of the two is seen on any picture.
    draw.rectangle([box[0] - 3, box[1] - 3, box[2] + 3, box[3] + 3], outline=_MARK, width=3)
    draw.rectangle(box, outline=_PAPER, width=1)


def _enlarged(pixels, zoom):
    return Image.fromarray(pixels.repeat(zoom, axis=0).repeat(zoom, axis=1))


def _paste(sheet, picture, x, y, *, tile):
    """In the middle of the tile at (x, y), with a hair line around. Returns where its corner came to lie."""
    x, y = x + (tile - picture.width) // 2, y + (tile - picture.height) // 2
    ImageDraw.Draw(sheet).rectangle([x - 1, y - 1, x + picture.width, y + picture.height], outline=_FRAME)
    sheet.paste(picture, (x, y))
    return x, y


def _left(column, tile):
    return _MARGIN + column * (tile + _GAP)


def _font(name):
    # matplotlib brings DejaVu with it: the same letters on every machine, Greek, Cyrillic and signs included.
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), _TEXT)


def _wrap(text, font, width):
    """Lines of at most `width` pixels; a word longer than that is cut short with an ellipsis."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        while font.getlength(word) > width:
            word = word.removesuffix("…")[:-1] + "…"
        lines = [*lines, word] if lines[-1] else [word]
    return lines
