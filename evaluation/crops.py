"""Where do the models differ?

Finds the regions, scores them, and draws the sheet that shows them, with Pillow: no screen needed.

    | image, region marked | LR | bicubic | model | model | HR |

Under each crop stand two figures: the PSNR of what is shown, and in grey that of the whole image.
Every pixel of a crop is an exact square.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data import upscale
from errors import UserError
from evaluation.candidates import Candidate
from evaluation.metrics import psnr, rgb_to_y
from evaluation.pairs import Pair
from evaluation.report_files import writing

_INPUT = "LR"  # the first column
_PAPER, _INK, _FAINT, _MARK, _FRAME = (255, 255, 255), (24, 24, 27), (113, 113, 122), (225, 29, 72), (228, 228, 231)
_MARGIN, _GAP = 32, 16
_TEXT = 19  # pixels of font height
_LINE = 26
_CAPTION = 2 * _LINE + _GAP

_LEGEND = (
    "Where the models differ most, enlarged without smoothing. Below each crop: its PSNR (bold: the best of the row), "
    "and in grey that of the whole picture. Y (BT.601, 16-235), {border} px border, x{scale}, 8-bit output."
)


class View(NamedTuple):
    """What one model makes of a region: pixels (size, size, 3) uint8; and PSNR on Y, of the region
    and the image.
    """

    pixels: np.ndarray
    crop_psnr: float
    picture_psnr: float


class Crop(NamedTuple):
    """One row of the sheet: a square of `size` HR pixels at (top, left), and what each model shows
    there.

    scale, border: of the measurement. difference: see `different_regions`. views: name -> View, in
    the models' order.
    """

    name: str
    hr: np.ndarray
    top: int
    left: int
    size: int
    scale: int
    border: int
    difference: float
    views: dict[str, View]


class CropChooser:
    """Looks at the models' results image by image and keeps the regions in which they differ most.

    With fewer images than rows, an image gives several regions, which do not overlap.
    """

    def __init__(self, models: dict[str, Candidate], *, rows: int = 4, crop_size: int = 64, border: int | None = None):
        """models: dict name -> Candidate; in front come the input, its pixels repeated, and bicubic
        if there is none.

        crop_size: HR pixels per side, less where an image is smaller. border: HR pixels that are
        neither measured nor shown at the image's borders, the scale when None.
        """
        self._rows, self._size, self._border = rows, crop_size, border
        self._bicubic = [name for name, model in models.items() if model.is_bicubic]
        self._kept = []  # (rank of the region in its image, -difference, order of arrival, Crop)
        self._pictures = 0

    def add(self, pair: Pair, results: dict[str, np.ndarray]) -> None:
        """One image: a benchmark's Pair, and {model: sr (H, W, 3) uint8}."""
        scale = pair.hr.shape[0] // pair.lr.shape[0]
        if not self._bicubic:
            results = {"bicubic": upscale(pair.lr, scale), **results}
        results = {_INPUT: pair.lr.repeat(scale, axis=0).repeat(scale, axis=1), **results}
        border = scale if self._border is None else self._border
        size = min(self._size, *pair.hr.shape[:2])
        self._pictures += 1
        voters = [results[name] for name in self._voters(results)]
        regions = different_regions(
            # With one model alone, against the original: the sheet then shows where it falls short.
            voters if len(voters) > 1 else [*voters, pair.hr],
            size=size,
            border=border,
            most=self._rows,
        )
        # Later regions of an image are kept only while there are few images: most are not worth
        # measuring.
        last = self._kept[-1][:3] if len(self._kept) == self._rows else (self._rows,)
        regions = [(rank, *region) for rank, region in enumerate(regions) if (rank, -region[2], self._pictures) < last]
        whole = {name: psnr(pair.hr, sr, border=border) for name, sr in results.items()} if regions else {}
        for rank, top, left, difference in regions:
            region = (slice(top, top + size), slice(left, left + size))
            views = {
                name: View(sr[region].copy(), psnr(pair.hr[region], sr[region], border=0), whole[name])
                for name, sr in results.items()
            }
            crop = Crop(pair.name, pair.hr, top, left, size, scale, border, difference, views)
            self._kept.append((rank, -difference, self._pictures, crop))
        self._kept = sorted(self._kept, key=lambda entry: entry[:3])[: self._rows]

    def crops(self, names: Iterable[str] | None = None) -> list[Crop]:
        """The Crops that were kept: images that differ most first, regions of one image together.

        names: of the models to show, all when None (one that failed half-way cannot be shown
        everywhere).
        """
        strongest = {}
        for _, difference, picture, _ in self._kept:
            strongest[picture] = min(difference, strongest.get(picture, 0))
        ordered = sorted(self._kept, key=lambda entry: (strongest[entry[2]], entry[2], entry[0]))
        shown = None if names is None else {_INPUT, *names, *([] if self._bicubic else ["bicubic"])}
        return [
            crop._replace(views={name: view for name, view in crop.views.items() if shown is None or name in shown})
            for *_, crop in ordered
        ]

    def _voters(self, results):
        """Name the models whose difference counts: bicubic, far from any network everywhere, only
        beside a single one.
        """
        models = [name for name in results if name != _INPUT]
        networks = [name for name in models if name not in (self._bicubic or ["bicubic"])]
        return networks if len(networks) > 1 else models


def write_sheet(path: str | Path, crops: list[Crop], *, crop_size: int = 64, zoom: int = 4) -> None:
    """Write the sheet of `crops` as PNG. zoom: integer factor, nearest neighbour.

    Raises UserError when it cannot be written.
    """
    if not crops:
        raise UserError("a comparison needs at least one picture")
    sheet = draw_sheet(crops, tile=crop_size * zoom, zoom=zoom)
    with writing(Path(path)):
        sheet.save(path, format="PNG", optimize=True)


def different_regions(pictures: list[np.ndarray], *, size: int, border: int, most: int) -> list[tuple[int, int, float]]:
    """Find where images of one size differ most: up to `most` (top, left, difference) of squares of
    `size` inside `border`.

    The difference is the standard deviation of luma across the images, averaged over the square; of
    equal squares the topmost, then the leftmost is taken, so that the choice is the same every
    time. Where size and border leave no room, the border gives way. The squares do not overlap, the
    strongest comes first, and those after it have some difference.
    """
    difference = np.stack([rgb_to_y(picture) for picture in pictures]).std(axis=0)
    border = min(border, (min(difference.shape) - size) // 2)
    inside = difference[border : difference.shape[0] - border, border : difference.shape[1] - border]
    # The sum of a square from the sums of the four rectangles that begin at the corner.
    sums = np.pad(inside.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    means = (sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]) / size**2
    means = means.round(6)  # a rounding error must not decide between equal squares
    regions = []
    while len(regions) < most:
        top, left = (int(place) for place in np.unravel_index(np.argmax(means), means.shape))
        if regions and means[top, left] <= 0:
            break
        regions.append((top + border, left + border, float(means[top, left])))
        means[max(0, top - size + 1) : top + size, max(0, left - size + 1) : left + size] = -1  # would overlap
    return regions


def draw_sheet(crops: list[Crop], *, tile: int, zoom: int) -> Image.Image:
    """Draw crops that all show the same models.

    tile: pixels of the sheet per side of a crop; zoom: integer factor of enlargement. A crop
    smaller than tile / zoom stands in the middle of its place. Returns a PIL image in RGB.
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
    """The whole HR image, shrunk to fit, with the region framed."""
    picture = Image.fromarray(crop.hr)
    ratio = min(tile / picture.width, tile / picture.height)
    size = (max(1, round(picture.width * ratio)), max(1, round(picture.height * ratio)))
    x, y = _paste(sheet, picture.resize(size, Image.Resampling.LANCZOS), _MARGIN, y, tile=tile)
    box = [x + crop.left * ratio, y + crop.top * ratio]
    box += [box[0] + crop.size * ratio - 1, box[1] + crop.size * ratio - 1]
    box = [round(side) for side in box]
    draw = ImageDraw.Draw(sheet)
    # White inside red: one of the two is seen on any image.
    draw.rectangle([box[0] - 3, box[1] - 3, box[2] + 3, box[3] + 3], outline=_MARK, width=3)
    draw.rectangle(box, outline=_PAPER, width=1)


def _enlarged(pixels, zoom):
    return Image.fromarray(pixels.repeat(zoom, axis=0).repeat(zoom, axis=1))


def _paste(sheet, picture, x, y, *, tile):
    """In the middle of the tile at (x, y), with a hair line around.

    Returns where its corner came to lie.
    """
    x, y = x + (tile - picture.width) // 2, y + (tile - picture.height) // 2
    ImageDraw.Draw(sheet).rectangle([x - 1, y - 1, x + picture.width, y + picture.height], outline=_FRAME)
    sheet.paste(picture, (x, y))
    return x, y


def _left(column, tile):
    return _MARGIN + column * (tile + _GAP)


def _font(name):
    # matplotlib brings DejaVu with it: the same letters on every machine, Greek, Cyrillic and signs
    # included.
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
