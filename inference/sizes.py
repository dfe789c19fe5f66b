"""Any size: what is asked for, the network passes that lead there, and an exact resize at the end."""

from typing import NamedTuple

import numpy as np

from data.bicubic import iter_resized
from errors import UserError
from inference.alpha import bleed_colours, iter_picture_strips


class Size(NamedTuple):
    """What is asked for: a factor, or a width, a height, or both: the box to fit into, with the picture's own form."""

    scale: float | None = None
    width: int | None = None
    height: int | None = None

    @property
    def label(self):
        """For file names: "4", "w1920", "1920x1080"."""
        if self.scale is not None:
            return f"{self.scale:g}"
        if self.width and self.height:
            return f"{self.width}x{self.height}"
        return f"w{self.width}" if self.width else f"h{self.height}"

    def of(self, height, width):
        """(height, width) of the result for a picture of that size; rounded half up, at least one pixel each."""
        if self.scale is not None:
            rows, columns = height * self.scale, width * self.scale
        elif self.height is None or (self.width is not None and self.width * height <= self.height * width):
            rows, columns = height * self.width / width, self.width
        else:
            rows, columns = self.height, width * self.height / height
        return max(1, int(rows + 0.5)), max(1, int(columns + 0.5))


def parse_box(text, *, flag="fit"):
    """A Size from "1920x1080". Raises UserError."""
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UserError(f"--{flag}={text}: write WIDTHxHEIGHT, such as 1920x1080")
    return Size(width=int(width), height=int(height))


def result_size(upscaler, picture, size=None):
    """(height, width) of what becomes of a `Picture`. size: None for the network's own factor.

    Raises UserError beyond two passes.
    """
    height, width = picture.colours.shape[:2]
    if size is None:
        return height * upscaler.scale, width * upscaler.scale
    rows, columns = size.of(height, width)
    most = upscaler.scale**2
    if rows > most * height or columns > most * width:
        raise UserError(f"{width}x{height} to {columns}x{rows}: more than {most} times, all that two passes can do")
    return rows, columns


def iter_sized_strips(upscaler, picture, size=None):
    """The result for a `Picture` strip by strip, alpha as the last channel: (rows, W) or (rows, W, channels).

    Up to the network's own factor s: one pass, shrunk to size. Up to s²: two passes, the first shrunk so far that the
    second ends at the size, or just above. A result no larger than the picture is only resized.
    """
    scale, (height, width) = upscaler.scale, picture.colours.shape[:2]
    rows, columns = result_size(upscaler, picture, size)
    if rows <= height and columns <= width:
        whole = picture.colours
        if picture.alpha is not None:
            whole = np.dstack([bleed_colours(picture.colours, picture.alpha), picture.alpha])
        yield from iter_resized([whole], whole.shape, height=rows, width=columns)
        return
    if rows > scale * height or columns > scale * width:
        first = iter_picture_strips(upscaler, picture)
        middle = np.concatenate(list(_resized(first, picture, scale, -(-rows // scale), -(-columns // scale))))
        picture = _split(middle, picture)
    yield from _resized(iter_picture_strips(upscaler, picture), picture, scale, rows, columns)


def _resized(strips, picture, scale, rows, columns):
    height, width = (side * scale for side in picture.colours.shape[:2])
    if (height, width) == (rows, columns):
        return strips
    channels = (*picture.colours.shape[2:], 1)[0] + (picture.alpha is not None)
    shape = (height, width) if picture.colours.ndim == 2 and picture.alpha is None else (height, width, channels)
    return iter_resized(strips, shape, height=rows, width=columns)


def _split(pixels, picture):
    """The opposite of stacking alpha behind the colours, with all else that `picture` has."""
    if picture.alpha is None:
        return picture._replace(colours=pixels)
    colours = pixels[..., 0] if picture.colours.ndim == 2 else pixels[..., :3]
    return picture._replace(colours=np.ascontiguousarray(colours), alpha=np.ascontiguousarray(pixels[..., -1]))
