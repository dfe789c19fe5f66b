"""Enlarge images and videos.

    python upscale.py photo.jpg                                photo_x4.jpg, beside it
    python upscale.py holiday/                                 every image under it, into holiday_x4/; called again it goes on
    python upscale.py logo.png scan.tif -o large/              into a folder
    python upscale.py photo.jpg --fit=3840x2160                or --scale=2, --width=1920, --height=1080
    python upscale.py photo.png --model=compact_s_perceptual   sharper, for clean images
    python upscale.py clip.mp4 -o large.mp4                    needs requirements-video.txt
    ffmpeg … | python upscale.py - --video_size=640x360 | …    raw RGB frames from standard input to standard output

Existing files are left alone unless --overwrite is given.
"""

from cli import app
from settings.files import Upscale


def main(settings: Upscale, words: list[str]) -> int:
    """Upscale each input; a failure is a line, and the others go on. Returns 1 when one failed."""
    from inference.session import upscale_all  # brings LiteRT, and Keras where a network needs it

    return upscale_all(settings.upscaling, words)


if __name__ == "__main__":
    app.run(main, Upscale(), description=__doc__, operands=True)
