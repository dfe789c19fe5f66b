"""inference/choice.py: which network for which file, where nobody names one: another for lossy
images than for clean ones.

What a lossy file holds beside its image, blocks and ringing, a network made for clean images
enlarges too, and one made for photographs takes away, and some fine texture with it.
`weights.PHOTO` is for JPEG up to a quality of 80, lossy WebP, videos, and for files whose pixels
show the blocks of JPEG; `weights.DEFAULT` for all others. On Kodak24 the one is ahead as JPEG of
80, the other as JPEG of 85.
"""

import struct
from pathlib import Path

import numpy as np
import tifffile
from absl import logging
from PIL import Image

import weights
from data.cutting import middle
from data.image_reader import TIFF_HEADS, Still
from data.seams import ENOUGH, shows_blocks
from data.tiff_pixels import shown_page
from errors import UserError, reason
from inference.composition import PreservedColour, SelfEnsemble
from inference.engines import use_tensorflow_threads
from inference.pixels import LUMA
from inference.upscaler import Upscaler, open_engine
from runs import phase_files
from settings.files import Upscaling

_LOSSY_QUALITY = 80  # of JPEG: up to here
_MEAN_OF_QUALITY_50 = 3688 / 64  # of the luma table in annex K of ITU-T T.81, which libjpeg takes for quality 50
_JPEG_IN_TIFF = (6, 7, 33007, 34892)  # compressions: old, new, alternative, lossy of DNG


class Networks:
    """The networks of one call of upscale.py.

    Each is opened when the first file needs it. A line says which it is and why, whenever it is
    another one than that of the file before. Where somebody named one that was made for clean
    images, a line warns of the first file that is none.
    """

    def __init__(self, settings: Upscaling, *, shipped: Path = weights.FOLDER):
        """shipped: folder of the networks to choose from where the settings name none.

        Raises UserError for a named one that cannot be opened.
        """
        self._settings, self._shipped, self._opened, self._said = settings, shipped, {}, None
        self._only = None if settings.model is None else open_upscaler(settings, settings.model)
        if settings.strength is not None and self._only is None:
            phase_files(weights.DEFAULT)  # raises before the first file
        self._chooses = self._only is None and self._has_photo()
        self._warns = self._only is not None and self._is_for_clean_images(settings.model)
        self.scale = self._only.scale if self._only else weights.scale_of(weights.DEFAULT, folder=shipped)
        self.memory_mb = settings.memory_mb

    def for_image(self, path: Path, image: Still) -> Upscaler:
        """The Upscaler for an image that was read from `path`; of an animation its first frame
        decides.
        """
        if self._warns and (trace := trace_of_loss(path, image)):
            self._warns = False
            model = self._settings.model
            logging.warning("%s %s: %s enlarges that too; %s removes it", path.name, trace, model, weights.PHOTO)
        if not self._chooses:
            return self._only or self._open(weights.DEFAULT, "as shipped")
        trace = trace_of_loss(path, image)
        if trace is None:
            return self._open(weights.DEFAULT, f"because {path.name} shows no strong loss")
        return self._open(weights.PHOTO, f"because {path.name} {trace}")

    def for_frames(self, why: str) -> Upscaler:
        """The Upscaler for the frames of a video. why: "clip.mp4 is a video"."""
        if not self._chooses:
            return self._only or self._open(weights.DEFAULT, "as shipped")
        return self._open(weights.PHOTO, f"because {why}")

    def _has_photo(self):
        """Whether there is a choice: a second network, in the form that is asked for, whose results
        bear the same names.
        """
        both = (weights.DEFAULT, weights.PHOTO)
        if weights.network_file(weights.PHOTO, kind=self._settings.engine, folder=self._shipped) is None:
            return False
        if self._settings.strength is not None and not all(map(weights.of_one_form, both)):
            return False
        return len({weights.scale_of(name, folder=self._shipped) for name in both}) == 1

    def _is_for_clean_images(self, model):
        """Whether it is shipped and for clean images, and there is another for photographs."""
        name = str(model).removesuffix(".int8")
        others = name in weights.names() and not name.endswith(weights.PHOTO_SUFFIX)
        return others and weights.network_file(weights.PHOTO, folder=self._shipped) is not None

    def _open(self, name, why):
        if name != self._said:
            logging.info("model: %s, %s; --model takes another", name, why)
            self._said = name
        if name not in self._opened:
            file = weights.network_file(name, kind=self._settings.engine, folder=self._shipped)
            mixed = self._settings.strength is not None
            self._opened[name] = open_upscaler(self._settings, name if mixed or file is None else file)
        return self._opened[name]


def open_upscaler(settings: Upscaling, model: str | Path) -> Upscaler:
    """The upscaler of a network, as the settings want it. Raises UserError."""
    if settings.strength is not None:
        use_tensorflow_threads(settings.threads)
        from models.interpolation import interpolate  # brings Keras

        model = interpolate(*phase_files(model), alpha=settings.strength)
    engine = open_engine(model, threads=settings.threads, kind=settings.engine, model_range=settings.model_range)
    engine = SelfEnsemble(engine) if settings.self_ensemble else engine
    engine = PreservedColour(engine) if settings.preserve_color else engine
    return Upscaler(engine, tile=settings.tile, memory_mb=settings.memory_mb)


def trace_of_loss(path: Path, image: Still) -> str | None:
    """What shows that an image lost much when it was compressed, as the end of a sentence: "shows
    JPEG blocks"; None where nothing does.

    The file's content decides, not its name. Raises UserError where it cannot be read any more.
    """
    try:
        coded = _lossy_coding(path)
    except OSError as error:
        raise UserError(f"{path}: damaged or unreadable: {reason(error)}") from error
    if coded:
        return f"is {coded}"
    return "shows JPEG blocks" if shows_blocks(_luma(middle(image.colours, ENOUGH))) else None


def _lossy_coding(path):
    with open(path, "rb") as file:
        head = file.read(12)
        if head.startswith(b"\xff\xd8"):
            quality = _jpeg_quality(path)
            return None if quality > _LOSSY_QUALITY else f"a JPEG of quality {quality:.0f}"
        if head.startswith(b"RIFF") and head.endswith(b"WEBP"):
            return "lossy WebP" if _has_lossy_frame(file, 8 + int.from_bytes(head[4:8], "little")) else None
        if head.startswith(TIFF_HEADS):
            with tifffile.TiffFile(path) as tiff:
                return (
                    "a TIFF with JPEG inside"
                    if int(shown_page(tiff, first=True).compression) in _JPEG_IN_TIFF
                    else None
                )
    return None


def _jpeg_quality(path):
    """1 to 100, as libjpeg counts: by the mean of the quantisation table of luma, whoever
    made it.
    """
    with Image.open(path, formats=["JPEG"]) as image:
        tables = image.quantization
        if not tables:
            return 100.0
        percent = 100 * np.mean(tables[min(tables)]) / _MEAN_OF_QUALITY_50  # luma's is the first
    return max(1.0, 5000 / percent if percent > 100 else (200 - percent) / 2)


def _has_lossy_frame(file, end):
    """Whether a WebP file, open behind its first 12 bytes, holds a chunk "VP8 " (RFC 9649); a
    lossless image, or frame, is a "VP8L".
    """
    while file.tell() < end and len(head := file.read(8)) == 8:
        kind, length = struct.unpack("<4sI", head)
        if kind == b"VP8 ":
            return True
        # Of a frame, "ANMF", 16 bytes follow, and then chunks of its own.
        file.seek(16 if kind == b"ANMF" else length + length % 2, 1)
    return False


def _luma(colours):
    """(H, W) float32 in levels of 255 of (H, W, 3) or (H, W), uint8 or uint16."""
    levels = colours.astype(np.float32) * np.float32(255 / np.iinfo(colours.dtype).max)
    return levels if levels.ndim == 2 else levels @ LUMA
