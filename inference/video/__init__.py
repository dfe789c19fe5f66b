"""Films through PyAV (FFmpeg): decoding, upscaling and encoding overlap; sound and subtitles are
copied untouched.

source.py     a film's frames and packets, past whatever is damaged, on one rising time line (clock.py)
colours.py    its colours to RGB and back, without a bias, and what it says of them
target.py     the film that is written: H.264 (VP9 in .webm), 8 bits, 4:2:0; all else carried, or named where it cannot be
copies.py     streams whose packets are copied
damage.py     what could not be read, counted
interlacing.py   bwdif
enlarging.py  the three together

PyAV is an optional requirement, see requirements-video.txt. Without it an import of this package
raises UserError.
"""

from errors import UserError

_LEAST_PYAV = (18, 1)  # requirements-video.txt says the same

try:
    import av
except ImportError as error:
    raise UserError("videos need PyAV, and it Python 3.11: pip install -r requirements-video.txt") from error
if tuple(int(part) for part in av.__version__.split(".")[:2]) < _LEAST_PYAV:
    raise UserError(f"PyAV {av.__version__} is too old for videos: pip install -r requirements-video.txt")
