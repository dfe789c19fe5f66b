"""Upscale an image of any size by windows, with the result that the whole image at once would have
given.

A network pads with zeros at the borders of what it is given. An output pixel further than the
receptive field from a window's border does not see that padding; so every window carries a *halo*
of `engine.receptive_field` LR pixels that is thrown away after upscaling. Where a window's border
is the image's own border nothing is added and nothing thrown away: the network pads there exactly
as it would for the whole image.

A network that brings blocks of pixels into channels first (RRDB with pixel-unshuffle) sees another
image where it begins at another pixel of a block. Its windows begin at multiples of
`engine.alignment`. The last one may reach beyond the image by less than that, and is continued by
reflection, as the network continues the whole image.

Windows are all of one size: those at the borders are moved inwards, not made smaller. TFLite
allocates anew for each shape, so an image costs one allocation; and a network exported with a fixed
size can be used on any image at least that large.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from errors import UserError
from inference.engines import Engine
from inference.pixels import as_float


class Span(NamedTuple):
    """One window along one axis, in LR pixels: it reads [start, start + window) and owns [first,
    last).
    """

    start: int
    first: int
    last: int


def iter_windows(
    engine: Engine, lr: np.ndarray, *, tile: int | tuple[int, int] | None = None
) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Upscale window by window, from left to right and from top to bottom.

    lr: (h, w, 3), float in [0, 1], or an unsigned integer type whose full range means [0, 1]; it is
    converted window by window, so that a large image never exists as a whole in float32. tile: LR
    pixels that each window adds to the result along each axis, halo not counted; a pair gives rows
    and columns; None takes the whole image in one window. Ignored by an engine of fixed size.

    Yields (rows, columns, sr): two slices of the result, and what stands there, (rows, columns, 3)
    float32 in [0, 1], or uint8 from an engine that takes uint8 where lr is that. No two overlap,
    and all together leave nothing out.

    Equality: put together they equal `engine` run on the whole image. The one exception is an
    engine of fixed size given a smaller image: it is continued by reflection below and to the
    right, and the result is exact only further than the receptive field from the borders that were
    continued.

    Raises UserError when tile < 1, and when a fixed size leaves nothing between two halos.
    """
    scale, alignment = engine.scale, engine.alignment
    halo = _up(engine.receptive_field, alignment)
    height, width = lr.shape[:2]
    if engine.fixed_size is None:
        tile_rows, tile_columns = tile if isinstance(tile, tuple) else (tile, tile)
        window_height, rows = plan_axis(height, halo=halo, tile=tile_rows, alignment=alignment)
        window_width, columns = plan_axis(width, halo=halo, tile=tile_columns, alignment=alignment)
    else:
        window_height, window_width = engine.fixed_size
        rows = plan_fixed_axis(height, halo=halo, window=window_height, alignment=alignment)
        columns = plan_fixed_axis(width, halo=halo, window=window_width, alignment=alignment)
    as_it_is = lr.dtype == np.uint8 and engine.takes_uint8
    for row in rows:
        for column in columns:
            window = lr[row.start : row.start + window_height, column.start : column.start + window_width]
            window = window if as_it_is else as_float(window)
            window = _continue_to(window, height=window_height, width=window_width)[None]
            # The result is bound to no name here: its memory is free again for the next one when
            # the caller lets go of it.
            yield (
                _place_of(row, scale),
                _place_of(column, scale),
                engine(window)[0][_own(row, scale), _own(column, scale)],
            )


def iter_strips(
    engine: Engine,
    lr: np.ndarray,
    *,
    tile: int | tuple[int, int] | None = None,
    channels: tuple[int, ...] = (3,),
    dtype: DTypeLike = np.float32,
    store: Callable[[np.ndarray, np.ndarray], None] = np.copyto,
) -> Iterator[tuple[int, np.ndarray]]:
    """The windows of `iter_windows` put together to strips, from top to bottom.

    channels, dtype: of the strips, and store: called as `store(part_of_a_strip, sr)`; so that a
    strip need not be as large as its float32.

    Yields (top, strip): strip (rows, s*w, *channels), top the SR row where it begins. Strips follow
    each other without gap.
    """
    width = lr.shape[1] * engine.scale
    for rows, columns, sr in iter_windows(engine, lr, tile=tile):
        if columns.start == 0:
            strip = np.empty((rows.stop - rows.start, width, *channels), dtype)
        store(strip[:, columns], sr)
        if columns.stop == width:
            yield rows.start, strip


def upscale_tiled(engine: Engine, lr: np.ndarray, *, tile: int | tuple[int, int] | None = None) -> np.ndarray:
    """The windows of `iter_windows` in one image: lr (h, w, 3) -> (s*h, s*w, 3) float32 in
    [0, 1].
    """
    height, width = lr.shape[:2]
    sr = np.empty((height * engine.scale, width * engine.scale, 3), np.float32)
    for rows, columns, window in iter_windows(engine, lr, tile=tile):
        sr[rows, columns] = as_float(window)
    return sr


def plan_axis(length: int, *, halo: int, tile: int | None, alignment: int = 1) -> tuple[int, list[Span]]:
    """Windows of one size that cover `length` pixels, each adding about `tile` of them. halo: a
    multiple of `alignment`.

    Returns (window, list of Span). Their number is the smallest that `tile` allows, and the window
    then the smallest for that number: no window is much smaller in use than its neighbours.
    """
    if tile is not None and tile < 1:
        raise UserError(f"tile {tile}: must be at least 1 pixel")
    if tile is None or length <= tile + 2 * halo:
        return length, [Span(0, 0, length)]
    inner = length - 2 * halo  # the outermost windows also own the halo at the image's border, where none is needed
    count = math.ceil(inner / tile)
    step = _up(math.ceil(inner / count), alignment)
    return step + 2 * halo, _place(length, window=step + 2 * halo, halo=halo, alignment=alignment)


def plan_fixed_axis(length: int, *, halo: int, window: int, alignment: int = 1) -> list[Span]:
    """Cover `length` by spans of exactly `window` pixels; by a single one where the image is
    smaller.
    """
    if length <= window:
        return [Span(0, 0, length)]
    if window - window % alignment <= 2 * halo:
        raise UserError(
            f"the network's fixed size of {window} pixels leaves nothing between two halos of {halo}, so it cannot be "
            f"tiled; use pictures of at most {window} pixels or a network of dynamic size"
        )
    return _place(length, window=window, halo=halo, alignment=alignment)


def _place(length, *, window, halo, alignment):
    """Windows from left to right at equal steps, the last one moved back to end with the image."""
    step = window - window % alignment - 2 * halo
    count = math.ceil((length - 2 * halo) / step)
    starts = [min(index * step, _up(max(0, length - window), alignment)) for index in range(count)]
    firsts = [0] + [start + halo for start in starts[1:]]
    return [Span(*span) for span in zip(starts, firsts, firsts[1:] + [length], strict=True)]


def _up(length, multiple):
    return -(-length // multiple) * multiple


def _place_of(span, scale):
    return slice(span.first * scale, span.last * scale)


def _own(span, scale):
    return slice((span.first - span.start) * scale, (span.last - span.start) * scale)


def _continue_to(window, *, height, width):
    missing = (height - window.shape[0], width - window.shape[1])
    if not any(missing):
        return window
    return np.pad(window, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="reflect")
