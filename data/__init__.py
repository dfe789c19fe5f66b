"""data: from image files to batches.

A data set is a function that returns a `Source`; `open_store` decodes it once; `batches` draws
training crops from the store:

    store = open_store(DATASETS["folder"]("photos", split="train", scale=4))
    for lr, hr in batches(store, batch_size=16, patch_size=48, seed=0): ...

Inside this package images are uint8 in 0..255; batches are float32 in [0, 1].
"""

from data.bicubic import downscale, upscale
from data.choice import DATASETS, check_pictures, labelled_part, open_pictures
from data.cutting import crop_to_multiple
from data.images import IMAGE_SUFFIXES, list_images, read_rgb
from data.mixture import Mixture, labelled_rows
from data.paired import paired
from data.patches import batches, check_patch_size
from data.sample import sample
from data.store import PictureStore, open_store

__all__ = [
    "DATASETS",
    "IMAGE_SUFFIXES",
    "Mixture",
    "PictureStore",
    "batches",
    "check_patch_size",
    "check_pictures",
    "crop_to_multiple",
    "downscale",
    "labelled_part",
    "labelled_rows",
    "list_images",
    "open_pictures",
    "open_store",
    "paired",
    "read_rgb",
    "sample",
    "upscale",
]
