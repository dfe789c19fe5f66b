"""Validation during training: quality on a few fixed crops, and images to look at."""

import hashlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from absl import logging

from data import PictureStore, upscale
from data.cutting import middle
from evaluation.metrics import psnr, ssim
from inference.pixels import to_uint8


class Validator:
    """Measures generators on the middle of the first images of a store.

    pictures: how many of them. size: side of the high-resolution crop in pixels; smaller images are
    taken whole. teacher: a network whose images `pictures` shows too, unless the store has them for
    labels.
    PSNR and SSIM: Y, border of `scale` pixels, output rounded to 8 bits. A crop of one colour is
    left out: a network can be exact on it, and the mean of PSNR is infinite then, whatever the
    others show. identity: this in words, with a check sum of the pixels.
    """

    def __init__(self, store: PictureStore, *, pictures: int, size: int, teacher: Callable | None = None):
        self.scale, self._teacher, self._of_teacher = store.scale, teacher if store.originals else None, None
        self._reference = "hr" if store.originals else "label"
        crops = [
            _middle(store.lr(i), store.hr(i), size // store.scale, store.scale)
            for i in range(min(pictures, len(store)))
        ]
        flat = {i for i, (_, hr) in enumerate(crops) if (hr == hr[0, 0]).all()}
        flat = flat if len(flat) < len(crops) else set()
        for i in sorted(flat):
            logging.warning("%s: one colour only in its middle; not used for validation", store.names[i])
        self.crops = [crop for i, crop in enumerate(crops) if i not in flat]
        digest = hashlib.sha256()
        for image in (image for pair in self.crops for image in pair):
            digest.update(str(image.shape).encode() + image.tobytes())
        self.identity = (
            f"{len(self.crops)} images, middle {size} px, PSNR and SSIM on Y, {self.scale} px border, 8-bit output, "
            f"{store.degradation}, pixels {digest.hexdigest()[:16]}"
        )

    def metrics(self, model: Callable) -> dict[str, float]:
        """{"psnr_y": dB, "ssim_y": 0…1}, means over the crops."""
        values = [
            (psnr(hr, sr, border=self.scale), ssim(hr, sr, border=self.scale))
            for (_, hr), sr in zip(self.crops, self._upscale(model), strict=True)
        ]
        mean_psnr, mean_ssim = np.mean(values, axis=0)
        return {"psnr_y": float(mean_psnr), "ssim_y": float(mean_ssim)}

    def pictures(self, model: Callable, *, most: int = 4) -> dict[str, np.ndarray]:
        """{name: (1, H, n·W, 3) float32 in [0, 1]}: LR (nearest neighbour) | bicubic | teacher,
        where there is one | SR | HR, or its label.
        """
        if self._teacher is not None and self._of_teacher is None:  # once: it does not change
            self._of_teacher = self._upscale(self._teacher, most)
        panels = {}
        for i, ((lr, hr), sr) in enumerate(zip(self.crops[:most], self._upscale(model, most), strict=True)):
            parts = {"lr": lr.repeat(self.scale, axis=0).repeat(self.scale, axis=1), "bicubic": upscale(lr, self.scale)}
            if self._of_teacher:
                parts["teacher"] = self._of_teacher[i]
            parts |= {"sr": sr, self._reference: hr}
            panel = np.concatenate(list(parts.values()), axis=1)
            panels[f"{'_'.join(parts)}/{i}"] = (panel / np.float32(255.0))[None]
        return panels

    def _upscale(self, model, most=None):
        """8-bit outputs for the crops."""
        return [
            to_uint8(model(tf.constant(lr[None] / np.float32(255.0)), training=False)[0].numpy())
            for lr, _ in self.crops[:most]
        ]


def _middle(lr, hr, size, scale):
    """Central crop of at most size × size low-resolution pixels from an aligned pair, copied out of
    the store.
    """
    return np.array(middle(lr, (size, size))), np.array(middle(hr, (size * scale, size * scale), unit=scale))
