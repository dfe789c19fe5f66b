"""Enlarge images and videos: upscale.py IMAGE, FOLDER or VIDEO … [--output FILE, FOLDER or PATTERN]

An image's result is written beside it as NAME_x4.png (or whatever the image's format is), a folder's into FOLDER_x4. Existing files are left alone
unless --overwrite is given; a folder that was begun goes on where it stopped. "-" is a stream
of raw RGB frames from standard input to standard output.
"""

from cli import app
from settings.files import Upscale


def main(settings: Upscale, words: list[str]) -> int:
    """Upscale each input; a failure is a line, and the others go on. Returns 1 when one failed."""
    from inference.session import upscale_all  # brings LiteRT, and Keras where a network needs it

    return upscale_all(settings.upscaling, words)


if __name__ == "__main__":
    app.run(main, Upscale(), description=__doc__, tensorflow=False, operands=True)
