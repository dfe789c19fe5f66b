"""Transparency: upscale it without dark fringes and without new holes."""

import numpy as np
from scipy import ndimage


def bleed_colours(colours, alpha):
    """Give fully transparent pixels the colour of the nearest visible one.

    A transparent pixel's stored colour is arbitrary, often black. An upscaler mixes neighbours, so that black
    would come into view as a dark fringe along every edge. colours (H, W, 3) or (H, W), alpha (H, W), same dtype
    out as in; a picture that is opaque everywhere, or nowhere visible, comes back as it is.
    """
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return colours
    rows, columns = ndimage.distance_transform_edt(hidden, return_distances=False, return_indices=True)
    return colours[rows, columns]


def iter_picture_strips(upscaler, picture):
    """The rows of the larger picture: yields (rows, W) or (rows, W, channels) with alpha as the last channel."""
    if picture.alpha is None:
        yield from upscaler.iter_strips(picture.colours)
        return
    colours = bleed_colours(picture.colours, picture.alpha)
    tile = upscaler.tile or upscaler.choose_tile(colours, channels=8)  # two strips, then both in one
    if picture.alpha.min() == picture.alpha.max():  # opaque, most often: nothing for a network to do
        for strip in upscaler.iter_strips(colours, tile=tile):
            yield np.dstack([strip, np.full(strip.shape[:2], picture.alpha.flat[0], strip.dtype)])
        return
    strips = zip(
        upscaler.iter_strips(colours, tile=tile), iter_alpha_strips(upscaler, picture.alpha, tile=tile), strict=True
    )
    for strip, alpha in strips:
        yield np.dstack([strip, alpha])


def iter_alpha_strips(upscaler, alpha, *, tile=None):
    """Upscale alpha (H, W), uint8 or uint16, strip by strip: yields (rows, s*W) of its type.

    Upscaled by the same network as the colours, so that both have the same edges, then kept within what the 3x3 LR
    pixels around held: what is opaque, or transparent, stays entirely so, though a network reproduces no value to
    the last bit. Strips are those of `Upscaler.iter_strips` with the same tile.
    """
    scale, top = upscaler.scale, 0
    low = ndimage.minimum_filter(alpha, size=3, mode="nearest")
    high = ndimage.maximum_filter(alpha, size=3, mode="nearest")
    for strip in upscaler.iter_strips(alpha, tile=tile):
        rows = slice(top // scale, (top + len(strip)) // scale)
        yield np.clip(strip, _enlarge(low[rows], scale), _enlarge(high[rows], scale), out=strip)
        top += len(strip)


def upscale_alpha(upscaler, alpha):
    """The strips of `iter_alpha_strips` in one: alpha (H, W) -> (s*H, s*W)."""
    return np.concatenate(list(iter_alpha_strips(upscaler, alpha)))


def _enlarge(plane, scale):
    return plane.repeat(scale, axis=0).repeat(scale, axis=1)
