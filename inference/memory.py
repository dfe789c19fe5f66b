"""How large a tile may be for the memory there is."""

import sys
from pathlib import Path

from absl import logging

from inference.engines import Engine

# Where nothing is asked for, in bytes: enough for the fastest tile of a small student on an image
# of any usual width...
_USUALLY = 600_000_000
# ... and no less than this above what the process has taken by then: TensorFlow alone may take all
# of the former.
_AT_LEAST_FREE = 300_000_000

_TILES = (512, 448, 384, 320, 256, 192, 128, 96, 64, 48, 32)
# Strips that exist at a time: one that grows, one that is written, and what the encoder makes of
# it.
_STRIPS = 3


def fitting_tile(
    engine: Engine, *, height: int, width: int, bytes_per_pixel: int, memory_mb: float | None = None
) -> int:
    """The side of the largest tile with which the process should stay within memory_mb (10^6
    bytes), all included; None: a usual amount.

    height, width: of the LR image. bytes_per_pixel: of the result. An estimate: at least 32, with a
    warning where that is not enough.
    """
    resident = resident_bytes()
    left = max(_USUALLY - resident, _AT_LEAST_FREE) if memory_mb is None else memory_mb * 1e6 - resident
    halo, scale = engine.receptive_field, engine.scale
    for tile in _TILES:
        window = min(height, tile + 2 * halo) * min(width, tile + 2 * halo)
        strip = min(height, tile) * width * scale**2 * bytes_per_pixel
        if window * engine.bytes_per_pixel + _STRIPS * strip <= left:
            return tile
    if memory_mb is not None:
        logging.warning("--memory_mb=%d is little for %dx%d; going on with the smallest tile", memory_mb, width, height)
    return _TILES[-1]


def resident_bytes() -> int:
    """The memory this process occupies now; 250 MB where the system does not say."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * _page_size()
    except OSError:
        return peak_bytes()


def _page_size():
    import resource

    return resource.getpagesize()


def peak_bytes() -> int:
    """The most memory that this process has occupied so far; 250 MB where the system does
    not say.
    """
    status = Path("/proc/self/status")
    if status.is_file():  # Linux, where getrusage would count the parent from before the exec as well
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return 250_000_000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
