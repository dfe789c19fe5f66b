"""data/bicubic.py: the bicubic resize of the super-resolution literature (MATLAB's `imresize`).

Published figures stand on low-resolution images made by `imresize`, and a network trained on
another resize (`tf.image.resize`, OpenCV) loses decibels on them. What defines it: Keys' cubic
kernel with a = -0.5, widened by 1/scale when shrinking (antialiasing), pixel centres at
half-integers, borders mirrored with the edge pixel repeated, weights normalised to a sum of one.
Everything is computed in float64 and rounded once, half-up, at the end: the same as
`im2uint8(imresize(im2double(A), ...))`.

Sources: R. Keys, "Cubic convolution interpolation for digital image processing", 1981; MATLAB's
documentation of `imresize`.
"""

import functools
from collections.abc import Iterable, Iterator

import numpy as np

_BLOCK = 32  # output rows or columns made at a time: few enough that the dense weight matrix stays nearly banded
_TIE_GUARD = 1e-9  # float64 noise is about 1e-13 of 255; a true distance from .5 this small does not occur


def bicubic_resize(image: np.ndarray, *, height: int, width: int, scale: float | None = None) -> np.ndarray:
    """Resize an image to `height` x `width` pixels.

    image: (H, W) or (H, W, C). uint8 in 0..255 gives uint8, rounded half-up and clipped; float
    gives float64 in the range of the input, neither rounded nor clipped (the cubic overshoots at
    edges).
    scale: output over input for the kernel, as in `imresize(A, scale)`; None takes height / H and
    width / W axis by axis, as in `imresize(A, [height width])`. The two differ only where height is
    not exactly H * scale.

    Returns (height, width) or (height, width, C). Works in strips, so that memory beyond input and
    output stays small.
    Raises ValueError for another rank or type, an empty image, or a size or scale that is not
    positive.
    """
    image = np.asarray(image)
    _check(image, height, width, scale)
    rows = _blocks(image.shape[0], height, float(scale or height / image.shape[0]))
    columns = _blocks(image.shape[1], width, float(scale or width / image.shape[1]))
    pixels = image[:, :, np.newaxis] if image.ndim == 2 else image
    result = np.empty((height, width, pixels.shape[2]), np.uint8 if image.dtype == np.uint8 else np.float64)
    for top, bottom, first, last, weights in rows:
        result[top:bottom] = _resized(pixels[first:last], weights, columns)
    return result[:, :, 0] if image.ndim == 2 else result


def iter_resized(
    strips: Iterable[np.ndarray], shape: tuple[int, ...], *, height: int, width: int
) -> Iterator[np.ndarray]:
    """Resize an image that comes in strips from top to bottom, as `bicubic_resize` does the whole.

    strips: arrays (rows, W) or (rows, W, C), uint8 or uint16, that follow each other; shape: of the
    whole image. Yields strips of the result, of the same type, rounded half-up. Holds no more rows
    than the kernel reaches.
    """
    blocks = _blocks(shape[0], height, height / shape[0])
    columns = _blocks(shape[1], width, width / shape[1])
    strips, held, top = iter(strips), None, 0
    for _, _, first, last, weights in blocks:
        while held is None or top + len(held) < last:
            strip = next(strips)
            held = strip if held is None else np.concatenate([held, strip])
        held, top = held[max(0, first - top) :], max(top, first)
        rows = held[first - top : last - top]
        resized = _resized(rows.reshape(len(rows), shape[1], -1), weights, columns).astype(rows.dtype)
        yield resized.reshape(len(resized), width, *shape[2:])


def downscale(image: np.ndarray, scale: int) -> np.ndarray:
    """Shrink by a whole factor: (H, W[, C]) to (H / scale, W / scale[, C]), type and range as
    `bicubic_resize`.

    Raises ValueError unless H and W are multiples of scale; see `data.cutting.crop_to_multiple`.
    """
    height, width = np.shape(image)[:2]
    if height % scale or width % scale:
        raise ValueError(
            f"a picture of {height}x{width} pixels cannot be shrunk by {scale}: not a multiple; crop it first"
        )
    return bicubic_resize(image, height=height // scale, width=width // scale, scale=1 / scale)


def upscale(image: np.ndarray, scale: int) -> np.ndarray:
    """Enlarge by a whole factor: (H, W[, C]) to (H * scale, W * scale[, C]), type and range as
    `bicubic_resize`.
    """
    height, width = np.shape(image)[:2]
    return bicubic_resize(image, height=height * scale, width=width * scale, scale=scale)


def cubic_kernel(x: np.ndarray) -> np.ndarray:
    """Keys' kernel with a = -0.5: 1.5|x|^3 - 2.5|x|^2 + 1 up to 1, -0.5|x|^3 + 2.5|x|^2 - 4|x| + 2
    up to 2, then 0.
    """
    x = np.abs(x)
    inner = (1.5 * x - 2.5) * x * x + 1
    outer = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, inner, np.where(x <= 2, outer, 0.0))


def _check(image, height, width, scale):
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError(f"expected a picture (H, W) or (H, W, C) with at least one pixel, got shape {image.shape}")
    if image.dtype != np.uint8 and not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"expected a picture of uint8 or float, got {image.dtype}")
    if height < 1 or width < 1 or (scale is not None and scale <= 0):
        raise ValueError(f"height {height}, width {width} and scale {scale} must be positive")


def _resized(rows, weights, columns):
    """One block of output rows, (n, width, C) float64, of the input rows (r, W, C) that its
    `weights` (n, r) reach.

    Of integers: clipped to their range, and so that cutting off the fraction rounds half-up.
    """
    strip = weights @ rows.reshape(len(rows), -1).astype(np.float64)
    strip = strip.reshape(len(weights), *rows.shape[1:]).transpose(1, 0, 2).reshape(rows.shape[1], -1)
    resized = np.empty((columns[-1][1], strip.shape[1]))
    for left, right, start, stop, column_weights in columns:
        np.matmul(column_weights, strip[start:stop], out=resized[left:right])
    if rows.dtype.kind == "u":
        resized += 0.5 + _TIE_GUARD  # in place, for speed
        np.clip(resized, 0, np.iinfo(rows.dtype).max, out=resized)
    return resized.reshape(len(resized), len(weights), -1).transpose(1, 0, 2)


@functools.lru_cache(maxsize=64)
def _blocks(size, new_size, scale):
    """One axis in output blocks: (output start, output stop, input start, input stop, float64
    weight matrix).
    """
    stretch = max(1.0, 1 / scale)  # the kernel is widened when shrinking, never when enlarging
    centres = (np.arange(new_size) + 0.5) / scale - 0.5
    taps = int(np.ceil(4 * stretch)) + 2
    positions = np.floor(centres - 2 * stretch).astype(np.int64)[:, np.newaxis] + np.arange(taps)
    weights = cubic_kernel((centres[:, np.newaxis] - positions) / stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = positions % (2 * size)  # ... c b a | a b c | c b a ...
    mirrored = np.where(mirrored < size, mirrored, 2 * size - 1 - mirrored)
    blocks = []
    for start in range(0, new_size, _BLOCK):
        stop = min(start + _BLOCK, new_size)
        indices = mirrored[start:stop]
        first, last = int(indices.min()), int(indices.max()) + 1
        matrix = np.zeros((stop - start, last - first))
        np.add.at(matrix, (np.arange(stop - start)[:, np.newaxis], indices - first), weights[start:stop])
        blocks.append((start, stop, first, last, matrix))
    return blocks
