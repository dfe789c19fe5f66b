"""inference/compare.py: an image that shows what upscaling did: bicubic beside the result, whole
and where the two differ most.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data.bicubic import bicubic_resize
from data.image_reader import read_still
from data.images import on_white
from inference.writing import replacing

_REGIONS = 3
_REGION = 96  # side in pixels of the result
_ZOOM = 4  # of the regions, by repeating pixels: nothing is added to what is compared
_GAP = 8
_CAPTION = 20  # height of the line that says which side is which


def write_comparison(source: Path, target: Path, path: Path, *, overwrite: bool = False) -> None:
    """Write a PNG at `path`: left bicubic, right the result, above whole, below the most changed
    regions.

    source, target: image files before and after; of an animation the first frame is shown. Raises
    UserError for files that cannot be read or written.
    """
    before, after = (on_white(read_still(file, max_pixels=None, first=True)) for file in (source, target))
    bicubic = bicubic_resize(before, height=after.shape[0], width=after.shape[1])
    side = _REGION * _ZOOM
    rows = [(_thumbnail(bicubic, side), _thumbnail(after, side))]
    for top, left in changed_regions(bicubic, after):
        region = (slice(top, top + _REGION), slice(left, left + _REGION))
        rows.append(tuple(pixels[region].repeat(_ZOOM, 0).repeat(_ZOOM, 1) for pixels in (bicubic, after)))
    height = _CAPTION + sum(row[0].shape[0] + _GAP for row in rows) - _GAP
    sheet = Image.new("RGB", (2 * side + _GAP, height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_CAPTION - 6)
    for column, caption in enumerate(("bicubic", "result")):
        pen.text((column * (side + _GAP) + 4, 1), caption, fill="black", font=font)
    top = _CAPTION
    for row in rows:
        for column, pixels in enumerate(row):
            sheet.paste(Image.fromarray(pixels), (column * (side + _GAP), top))
        top += row[0].shape[0] + _GAP
    with replacing(path, overwrite=overwrite) as file:
        sheet.save(file, "PNG")


def changed_regions(one: np.ndarray, other: np.ndarray) -> list[tuple[int, int]]:
    """(top, left) of the blocks of 96×96 pixels with the largest mean difference, at most three.

    (H, W, 3) uint8 each.
    """
    means = []
    for top in range(0, max(1, one.shape[0] - _REGION + 1), _REGION):
        for left in range(0, max(1, one.shape[1] - _REGION + 1), _REGION):
            block = (slice(top, top + _REGION), slice(left, left + _REGION))
            means.append((np.abs(one[block].astype(np.int16) - other[block]).mean(), top, left))
    return [(top, left) for _, top, left in sorted(means, reverse=True)[:_REGIONS]]


def _thumbnail(pixels, side):
    height = max(1, round(pixels.shape[0] * side / pixels.shape[1]))
    return bicubic_resize(pixels, height=height, width=side)
