"""The reader over every way to store samples: files are put together here byte by byte,
expectations are exact fractions.
"""

import itertools
import struct
import zlib
from fractions import Fraction
from math import floor

import imagecodecs
import numpy as np
import pytest

from data.image_reader import read_still
from data.images import read_rgb

HEIGHT, WIDTH = 3, 5
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, INKS = 0, 1, 2, 3, 5
COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, INKS: 4}
TABLE = np.random.default_rng(5).integers(256, 65536, (3, 256))


def packed(samples, bits, order):
    """(rows, samples in a row) as bytes; each row begins at a byte."""
    if bits == 16:
        return samples.astype(f"{order}u2").tobytes()
    as_bits = (samples[..., None] >> np.arange(bits)[::-1]) & 1
    return np.packbits(as_bits.reshape(len(samples), -1).astype(np.uint8), axis=1).tobytes()


def packbits(content):
    """PackBits without any run: literals of at most 128 bytes."""
    parts = [content[at : at + 128] for at in range(0, len(content), 128)]
    return b"".join(bytes([len(part) - 1]) + part for part in parts)


COMPRESSIONS = {
    1: lambda content: content,
    5: imagecodecs.lzw_encode,
    8: zlib.compress,
    32773: packbits,
}


def tiff(samples, *, bits, photometric, extra=(), planar=1, order="<", compression=1, predictor=1, more=()):
    """A TIFF of samples (H, W, samples a pixel); two strips a plane."""
    height, width, count = samples.shape
    planes = [samples[..., k : k + 1] for k in range(count)] if planar == 2 else [samples]
    strips = []
    for plane in planes:
        for rows in (plane[:2], plane[2:]):
            if not len(rows):
                continue
            if predictor == 2:
                rows = np.concatenate([rows[:, :1], np.diff(rows, axis=1)], axis=1) & (2**bits - 1)
            strips.append(COMPRESSIONS[compression](packed(rows.reshape(len(rows), -1), bits, order)))
    tags = {
        256: ("H", [width]),
        257: ("H", [height]),
        258: ("H", [bits] * count),
        259: ("H", [compression]),
        262: ("H", [photometric]),
        277: ("H", [count]),
        278: ("H", [2]),
        279: ("L", [len(strip) for strip in strips]),
        284: ("H", [planar]),
        317: ("H", [predictor]),
        **({338: ("H", list(extra))} if extra else {}),
        **({320: ("H", list(TABLE[:, : 2**bits].ravel()))} if photometric == PALETTE else {}),
        **dict(more),
    }
    offsets = list(itertools.accumulate([8] + [len(strip) for strip in strips]))
    tags[273] = ("L", offsets[:-1])
    body = b"".join(strips)
    directory = 8 + len(body)
    beyond, entries, place = b"", b"", directory + 2 + 12 * len(tags) + 4
    for tag in sorted(tags):
        kind, values = tags[tag]
        content = struct.pack(f"{order}{len(values)}{kind}", *values)
        entries += struct.pack(f"{order}HHL", tag, {"B": 1, "H": 3, "L": 4}[kind], len(values))
        if len(content) > 4:
            entries += struct.pack(f"{order}L", place + len(beyond))
            beyond += content
        else:
            entries += content.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}L", directory)
    return head + body + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + beyond


def scaled(value, bits):
    """Over the full range of 8 bits, or of 16 where there are more than 8."""
    most = 255 if bits <= 8 else 65535
    return floor(Fraction(int(value) * most, 2**bits - 1) + Fraction(1, 2))


def expected_pixel(sample, bits, photometric, extra):
    """(colours, alpha or None) of one pixel, as the TIFF specification has it."""
    count, most = COLOURS[photometric], 255 if bits <= 8 else 65535
    alpha = next((at for at, kind in enumerate(extra) if kind), None)
    covering = None if alpha is None else scaled(sample[count + alpha], bits)
    if photometric == PALETTE:
        return [int(TABLE[k, sample[0]]) >> 8 for k in range(3)], covering
    colours = [scaled(value, bits) for value in sample[:count]]
    if covering and extra[alpha] == 1:
        up = 0 if most == 255 else Fraction(1, 2)  # 8 bits are rounded down
        colours = [min(most, floor(Fraction(value * most, covering) + up)) for value in colours]
    return [most - value for value in colours] if photometric == WHITE_IS_ZERO else colours, covering


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16])
@pytest.mark.parametrize("photometric", [WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE])
def test_tiff(tmp_path, bits, photometric):
    if photometric == PALETTE and bits > 8:
        pytest.skip("palettes have 8 bits at most")
    random, path = np.random.default_rng(bits), tmp_path / "a.tif"
    ways = itertools.product([(), (0,), (1,), (2,), (0, 2), (2, 0)], (1, 2), "<>", COMPRESSIONS, (1, 2))
    for number, (extra, planar, order, compression, predictor) in enumerate(ways):
        if predictor == 2 and (bits not in (8, 16) or compression in (1, 32773)):
            continue
        if photometric == PALETTE and 1 in extra:
            continue  # an index cannot be multiplied
        samples = random.integers(0, 2**bits, (HEIGHT, WIDTH, COLOURS[photometric] + len(extra)))
        path.write_bytes(
            tiff(
                samples,
                bits=bits,
                photometric=photometric,
                extra=extra,
                planar=planar,
                order=order,
                compression=compression,
                predictor=predictor,
            )
        )
        still = read_still(path)
        said = f"{number}: extra {extra}, planar {planar}, {order}, compression {compression}, predictor {predictor}"
        assert still.colours.dtype == (np.uint8 if bits <= 8 else np.uint16), said
        for row, column in np.ndindex(HEIGHT, WIDTH):
            colours, alpha = expected_pixel(samples[row, column], bits, photometric, extra)
            assert np.atleast_1d(still.colours[row, column]).tolist() == colours, said
            assert (None if still.alpha is None else still.alpha[row, column]) == alpha, said


@pytest.mark.parametrize("bits", [8, 16])
def test_inks(tmp_path, bits):
    """No ink is white, full cyan has no red, half black is half as bright; a fifth sample can be
    transparency.
    """
    most = 2**bits - 1
    samples = np.array([[[0, 0, 0, 0, most], [most, 0, 0, 0, 0], [0, 0, 0, most // 2, most]]])
    for planar, order, extra in itertools.product((1, 2), "<>", ((), (0,), (2,))):
        content = tiff(
            samples[..., : 4 + len(extra)], bits=bits, photometric=INKS, extra=extra, planar=planar, order=order
        )
        (tmp_path / "a.tif").write_bytes(content)
        still = read_still(tmp_path / "a.tif")
        assert still.colours[0].tolist() == [[255, 255, 255], [0, 255, 255], [128, 128, 128]]
        assert (still.alpha[0].tolist() if 2 in extra else still.alpha) == ([255, 0, 255] if 2 in extra else None)


def test_training_sees_the_same_tiff(tmp_path):
    """WhiteIsZero of 16 bits: 0 is white, 257 is 254.

    With half alpha on white: (0 * .5 + 255 * .5).
    """
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(np.array([[[0], [257], [65535]]]), bits=16, photometric=WHITE_IS_ZERO))
    assert read_rgb(path).tolist() == [[[255] * 3, [254] * 3, [0] * 3]]
    path.write_bytes(tiff(np.array([[[0, 0, 0, 32768]]]), bits=16, photometric=RGB, extra=(2,)))
    assert read_rgb(path).tolist() == [[[127, 127, 127]]]  # 65535 * 32767/65535 = 32767, a 257th of it 127.498


def test_an_unnamed_fourth_sample_is_alpha(tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff(np.array([[[1, 2, 3, 4]]]), bits=8, photometric=RGB))
    still = read_still(tmp_path / "a.tif")
    assert still.colours.tolist() == [[[1, 2, 3]]] and still.alpha.tolist() == [[4]]


def test_a_palette_of_8_bit_values(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "TABLE", TABLE >> 8)
    (tmp_path / "a.tif").write_bytes(tiff(np.array([[[3]]]), bits=4, photometric=PALETTE))
    assert read_still(tmp_path / "a.tif").colours[0, 0].tolist() == TABLE[:, 3].tolist()


def chunk(kind, content):
    return struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))


def png(samples, *, bits, kind, before=()):
    rows = [b"\0" + packed(row.reshape(1, -1), bits, ">") for row in samples]
    header = struct.pack(">LLBBBBB", samples.shape[1], samples.shape[0], bits, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), *before, (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*both) for both in chunks)


PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize(
    "kind, bits",
    [
        (0, 1),
        (0, 2),
        (0, 4),
        (0, 8),
        (0, 16),
        (2, 8),
        (2, 16),
        (3, 1),
        (3, 2),
        (3, 4),
        (3, 8),
        (4, 8),
        (4, 16),
        (6, 8),
        (6, 16),
    ],
)
def test_png(tmp_path, kind, bits, keyed):
    samples = np.random.default_rng(kind).integers(0, 2**bits, (HEIGHT, WIDTH, PNG_CHANNELS[kind]))
    table, chunks = TABLE[:, : 2**bits] >> 8, []
    if kind == 3:
        chunks.append((b"PLTE", table.T.astype(np.uint8).tobytes()))
    if keyed and kind in (0, 2):
        chunks.append((b"tRNS", samples[0, 0].astype(">u2").tobytes()))
    if keyed and kind == 3:
        chunks.append((b"tRNS", bytes(range(10, 10 + 2**bits)) if bits < 8 else bytes(range(256))))
    (tmp_path / "a.png").write_bytes(png(samples, bits=bits, kind=kind, before=chunks))
    still, most = read_still(tmp_path / "a.png"), 255 if bits <= 8 else 65535
    assert still.colours.dtype == (np.uint8 if bits <= 8 else np.uint16)
    for row, column in np.ndindex(HEIGHT, WIDTH):
        sample = samples[row, column]
        alpha = scaled(sample[-1], bits) if kind in (4, 6) else None
        if keyed and kind in (0, 2):
            alpha = 0 if (sample == samples[0, 0]).all() else most
        if keyed and kind == 3:
            alpha = sample[0] + (10 if bits < 8 else 0)
        colours = (
            table[:, sample[0]]
            if kind == 3
            else [scaled(value, bits) for value in sample[: 3 if kind in (2, 6) else 1]]
        )
        assert np.atleast_1d(still.colours[row, column]).tolist() == list(colours)
        assert (None if still.alpha is None else still.alpha[row, column]) == alpha


@pytest.mark.parametrize("most", [255, 65535])
def test_pnm(tmp_path, most):
    dtype = ">u2" if most > 255 else "u1"
    samples = np.random.default_rng(0).integers(0, most + 1, (HEIGHT, WIDTH, 3)).astype(dtype)
    for name, pixels in (("P6", samples), ("P5", samples[..., 0])):
        head = f"{name} # a comment\n{WIDTH} {HEIGHT}\n{most}\n".encode()
        (tmp_path / "a.ppm").write_bytes(head + pixels.tobytes())
        np.testing.assert_array_equal(read_still(tmp_path / "a.ppm").colours, pixels)
