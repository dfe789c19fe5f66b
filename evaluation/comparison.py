"""Where do the models differ? Finds the regions, scores them, and writes the sheet that shows them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.bicubic import upscale
from errors import UserError
from evaluation.crop_sheet import draw_sheet
from evaluation.metrics import psnr, rgb_to_y

_INPUT = "LR"  # the first column


class View(NamedTuple):
    """What one model makes of a region: pixels (size, size, 3) uint8; and PSNR on Y, of the region and the picture."""

    pixels: np.ndarray
    crop_psnr: float
    picture_psnr: float


class Crop(NamedTuple):
    """One row of the sheet: a square of `size` HR pixels at (top, left), and what each model shows there.

    scale, border: of the measurement. difference: see `different_regions`. views: name -> View, in the models' order.
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
    """Looks at the models' results picture by picture and keeps the regions in which they differ most.

    With fewer pictures than rows, a picture gives several regions, which do not overlap.
    """

    def __init__(self, models, *, rows=4, crop_size=64, border=None):
        """models: dict name -> Candidate; in front come the input, its pixels repeated, and bicubic if there is none.

        crop_size: HR pixels per side, less where a picture is smaller. border: HR pixels that are neither measured nor shown at the picture's
        borders, the scale when None.
        """
        self._rows, self._size, self._border = rows, crop_size, border
        self._bicubic = [name for name, model in models.items() if model.is_bicubic]
        self._kept = []  # (rank of the region in its picture, -difference, order of arrival, Crop)
        self._pictures = 0

    def add(self, pair, results):
        """One picture: a benchmark's Pair, and {model: sr (H, W, 3) uint8}."""
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
        # Later regions of a picture are kept only while there are few pictures: most are not worth measuring.
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

    def crops(self, names=None):
        """The Crops that were kept: pictures that differ most first, regions of one picture together.

        names: of the models to show, all when None (one that failed half-way cannot be shown everywhere).
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
        """Name the models whose difference counts: bicubic, far from any network everywhere, only beside a single one."""
        models = [name for name in results if name != _INPUT]
        networks = [name for name in models if name not in (self._bicubic or ["bicubic"])]
        return networks if len(networks) > 1 else models


def write_sheet(path, crops, *, crop_size=64, zoom=4):
    """Write the sheet of `crops` as PNG. zoom: integer factor, nearest neighbour. Raises UserError when it cannot be written."""
    if not crops:
        raise UserError("a comparison needs at least one picture")
    sheet = draw_sheet(crops, tile=crop_size * zoom, zoom=zoom)
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path, format="PNG", optimize=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {(error.strerror or str(error)).lower()}") from error


def different_regions(pictures, *, size, border, most):
    """Find where pictures of one size differ most: up to `most` (top, left, difference) of squares of `size` inside `border`.

    The difference is the standard deviation of luma across the pictures, averaged over the square; of equal squares the
    topmost, then the leftmost is taken, so that the choice is the same every time. Where size and border leave no
    room, the border gives way. The squares do not overlap, the strongest comes first, and those after it have some difference.
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
