"""Where a run's teacher comes from: a network that runs at every update, or images
(--cache_teacher, --teacher_images).
"""

from pathlib import Path

import keras
import numpy as np

from data import PictureStore
from data.orientations import ORIENTATIONS, inverse_orient, orient
from data.teacher_pictures import TeacherPictures, open_teacher_pictures, teacher_images
from errors import UserError
from inference import Upscaler
from models import load_generator
from records import sha256
from runs import find_teacher
from settings.transfer import Distill


class Teacher:
    """The teacher of a run.

    phase: of the teacher's training whose end is wanted. guide: a weight file that takes the
    teacher's place. labels: its images are made once, and in float32, as labels. file: the weight
    file; None with --teacher_images. network: the network in it, once `load` was called.
    Raises UserError when there is no such teacher.
    """

    def __init__(self, settings: Distill, *, phase: str, guide: Path | None = None, labels: bool = False) -> None:
        transfer = settings.transfer
        self._settings, self._transfer, self._labels = settings, transfer, labels
        self.file = None if transfer.teacher_images else guide or find_teacher(transfer.teacher, phase=phase)
        self.cached = bool(labels or transfer.cache_teacher or transfer.teacher_images)
        if labels and transfer.cache_format != "uint8":
            raise UserError(f"--cache_format={transfer.cache_format}: labels are images of 8 bits; leave it at uint8")
        if transfer.self_ensemble and (transfer.teacher_images or not (labels or transfer.cache_teacher)):
            raise UserError("--self_ensemble: goes with --cache_teacher, and not with --teacher_images")
        self.network = None

    @property
    def name(self) -> str:
        """For reports: the weight file, or the folder of --teacher_images."""
        return str(self.file or self._transfer.teacher_images)

    def load(self) -> keras.Model | None:
        """The network that runs at every update; None where its images come with the batch."""
        if self.file is not None:
            self.network = load_in_float32(self.file) if self._labels else load_generator(self.file)
            self.network.trainable = False
            if self.network.scale != self._settings.pictures.scale:
                raise UserError(
                    f"{self.file}: enlarges {self.network.scale} times, but --scale is {self._settings.pictures.scale}"
                )
        return None if self.cached else self.network

    def pictures(self, store: PictureStore) -> TeacherPictures | None:
        """The teacher's images of a store; None where the network runs."""
        if not self.cached:
            return None
        cache_dir = self._settings.pictures.cache_dir
        if self._transfer.teacher_images:
            return teacher_images(self._transfer.teacher_images, store, cache_dir=cache_dir)
        digest = sha256(Path(self.file))
        precision = "float32" if self._labels else self._settings.machine.precision
        ensemble = self._transfer.self_ensemble
        return open_teacher_pictures(
            store,
            upscale=_upscale_with(self.network, ORIENTATIONS if ensemble else 1),
            teacher_key=f"{digest} self_ensemble={ensemble} {precision}",
            cache_dir=cache_dir,
            dtype=self._transfer.cache_format,
        )


def load_in_float32(path: Path) -> keras.Model:
    """The generator in that file, computing in float32 whatever --precision says: for what is done
    once and counts in every bit.
    """
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        return load_generator(path)
    finally:
        keras.config.set_dtype_policy(policy)


def _upscale_with(network: keras.Model, orientations: int):
    """`f(lr)`, uint8 (h, w, 3) to float32 in [0, 1]: the mean over so many orientations."""
    upscaler = Upscaler(network)

    def upscale(lr: np.ndarray) -> np.ndarray:
        lr = lr / np.float32(255.0)
        turned = (inverse_orient(upscaler.upscale(orient(lr, k)), k) for k in range(orientations))
        return np.mean(list(turned), axis=0, dtype=np.float32)

    return upscale
