"""Films through PyAV (FFmpeg): decoding, upscaling and encoding overlap; sound and subtitles are copied untouched.

source.py     a film's frames and packets, past whatever is damaged, on one rising time line (clock.py)
colours.py    its colours to RGB and back, without a bias, and what it says of them
target.py     the film that is written: H.264 (VP9 in .webm), 8 bits, 4:2:0; all else carried, or named where it cannot be
copies.py     streams whose packets are copied
damage.py     what could not be read, counted
interlacing.py   bwdif
enlarging.py  the three together; raw frames from a pipe

PyAV is an optional requirement, see requirements-video.txt.
"""

from inference.video.enlarging import READABLE_VIDEOS, VideoResult, upscale_raw, upscale_video
from inference.video.target import CONTAINERS

__all__ = ["CONTAINERS", "READABLE_VIDEOS", "VideoResult", "upscale_raw", "upscale_video"]
