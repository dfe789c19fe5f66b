"""inference/sizes.py: any size: what is asked for, the network passes that lead there, and an exact
resize at the end.

Transparency is enlarged beside the colours, without dark fringes and without new holes.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from data.bicubic import iter_resized
from data.image_reader import Still
from errors import UserError
from inference.upscaler import Upscaler


class Size(NamedTuple):
    """What is asked for: a factor, or a width, a height, or both: the box to fit into, with the
    image's own form.
    """

    scale: float | None = None
    width: int | None = None
    height: int | None = None

    @property
    def label(self) -> str:
        """For file names: "4", "w1920", "1920x1080"."""
        if self.scale is not None:
            return f"{self.scale:g}"
        if self.width and self.height:
            return f"{self.width}x{self.height}"
        return f"w{self.width}" if self.width else f"h{self.height}"

    def of(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of the result for an image of that size; rounded half up, at least one
        pixel each.
        """
        if self.scale is not None:
            rows, columns = height * self.scale, width * self.scale
        elif self.height is None or (self.width is not None and self.width * height <= self.height * width):
            rows, columns = height * self.width / width, self.width
        else:
            rows, columns = self.height, width * self.height / height
        return max(1, int(rows + 0.5)), max(1, int(columns + 0.5))


def parse_box(text: str, *, flag: str = "fit") -> Size:
    """A Size from "1920x1080". Raises UserError."""
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UserError(f"--{flag}={text}: write WIDTHxHEIGHT, such as 1920x1080")
    return Size(width=int(width), height=int(height))


def result_size(upscaler: Upscaler, image: Still, size: Size | None = None) -> tuple[int, int]:
    """(height, width) of what becomes of a `Still`. size: None for the network's own factor.

    Raises UserError beyond two passes.
    """
    height, width = image.colours.shape[:2]
    if size is None:
        return height * upscaler.scale, width * upscaler.scale
    rows, columns = size.of(height, width)
    most = upscaler.scale**2
    if rows > most * height or columns > most * width:
        raise UserError(f"{width}x{height} to {columns}x{rows}: more than {most} times, all that two passes can do")
    return rows, columns


def iter_sized_strips(upscaler: Upscaler, image: Still, size: Size | None = None) -> Iterator[np.ndarray]:
    """The result for a `Still` strip by strip, alpha as the last channel: (rows, W) or (rows, W,
    channels).

    Up to the network's own factor s: one pass, shrunk to size. Up to s²: two passes, the first
    shrunk so far that the second ends at the size, or just above. A result no larger than the image
    is only resized.
    """
    scale, (height, width) = upscaler.scale, image.colours.shape[:2]
    rows, columns = result_size(upscaler, image, size)
    if rows <= height and columns <= width:
        whole = image.colours
        if image.alpha is not None:
            whole = np.dstack([bleed_colours(image.colours, image.alpha), image.alpha])
        yield from iter_resized([whole], whole.shape, height=rows, width=columns)
        return
    if rows > scale * height or columns > scale * width:
        first = _enlarged_strips(upscaler, image)
        height, width = -(-rows // scale), -(-columns // scale)
        image = _split(_whole(_resized(first, image, scale, height, width), height), image)
    yield from _resized(_enlarged_strips(upscaler, image), image, scale, rows, columns)


def _resized(strips, image, scale, rows, columns):
    height, width = (side * scale for side in image.colours.shape[:2])
    if (height, width) == (rows, columns):
        return strips
    channels = (*image.colours.shape[2:], 1)[0] + (image.alpha is not None)
    shape = (height, width) if image.colours.ndim == 2 and image.alpha is None else (height, width, channels)
    return iter_resized(strips, shape, height=rows, width=columns)


def _whole(strips, height):
    """The image of that height that its strips make up; each is let go of when it is copied."""
    first = next(strips)
    whole = np.empty((height, *first.shape[1:]), first.dtype)
    whole[: len(first)], top = first, len(first)
    for strip in strips:
        whole[top : top + len(strip)] = strip
        top += len(strip)
    return whole


def _split(pixels, image):
    """The opposite of stacking alpha behind the colours, with all else that `image` has."""
    if image.alpha is None:
        return image._replace(colours=pixels)
    colours = pixels[..., 0] if image.colours.ndim == 2 else pixels[..., :3]
    return image._replace(colours=np.ascontiguousarray(colours), alpha=np.ascontiguousarray(pixels[..., -1]))


def bleed_colours(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Give fully transparent pixels the colour of the nearest visible one.

    A transparent pixel's stored colour is arbitrary, often black. An upscaler mixes neighbours, so
    that black would come into view as a dark fringe along every edge. colours (H, W, 3) or (H, W),
    alpha (H, W), same dtype out as in; an image that is opaque everywhere, or nowhere visible,
    comes back as it is.
    """
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return colours
    rows, columns = ndimage.distance_transform_edt(hidden, return_distances=False, return_indices=True)
    return colours[rows, columns]


def _enlarged_strips(upscaler, image):
    """The rows of the larger image: yields (rows, W) or (rows, W, channels) with alpha as the last
    channel.
    """
    if image.alpha is None:
        yield from upscaler.iter_strips(image.colours)
        return
    colours = bleed_colours(image.colours, image.alpha)
    tile = upscaler.tile or upscaler.choose_tile(colours, channels=8)  # two strips, then both in one
    if image.alpha.min() == image.alpha.max():  # opaque, most often: nothing for a network to do
        for strip in upscaler.iter_strips(colours, tile=tile):
            yield np.dstack([strip, np.full(strip.shape[:2], image.alpha.flat[0], strip.dtype)])
        return
    strips = zip(
        upscaler.iter_strips(colours, tile=tile), iter_alpha_strips(upscaler, image.alpha, tile=tile), strict=True
    )
    for strip, alpha in strips:
        yield np.dstack([strip, alpha])


def iter_alpha_strips(
    upscaler: Upscaler, alpha: np.ndarray, *, tile: int | tuple[int, int] | None = None
) -> Iterator[np.ndarray]:
    """Upscale alpha (H, W), uint8 or uint16, strip by strip: yields (rows, s*W) of its type.

    Upscaled by the same network as the colours, so that both have the same edges, then kept within
    what the 3x3 LR pixels around held: what is opaque, or transparent, stays entirely so, though a
    network reproduces no value to the last bit. Strips are those of `Upscaler.iter_strips` with the
    same tile.
    """
    scale, top = upscaler.scale, 0
    low = ndimage.minimum_filter(alpha, size=3, mode="nearest")
    high = ndimage.maximum_filter(alpha, size=3, mode="nearest")
    for strip in upscaler.iter_strips(alpha, tile=tile):
        rows = slice(top // scale, (top + len(strip)) // scale)
        yield np.clip(strip, _enlarge(low[rows], scale), _enlarge(high[rows], scale), out=strip)
        top += len(strip)


def _enlarge(plane, scale):
    return plane.repeat(scale, axis=0).repeat(scale, axis=1)
