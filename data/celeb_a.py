"""data/celeb_a.py: CelebA, 202,599 aligned photographs of faces, as the face SRGAN takes them:
64x64 to 256x256.

Source: Z. Liu, P. Luo, X. Wang, X. Tang, "Deep Learning Face Attributes in the Wild", ICCV 2015.
Read through TensorFlow Datasets (`celeb_a`). The first use downloads 1.4 GB from Google Drive,
which often refuses; later uses need no network. For non-commercial research only, as its authors
say.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from data.bicubic import bicubic_resize
from data.cutting import middle
from data.degradation import Degradation
from data.prepared import builder_files, prepared_builder, read_in_order
from data.source import Source, check_split, fingerprint, usable
from errors import UserError

_DRIVE = "https://drive.google.com"
_SIDE = 256
_VALIDATION_AT_MOST = 1000
_REMEDY = (
    "try again later, as Google Drive turns requests away; or unpack img_align_celeba.zip from CelebA's own page and train "
    "with --dataset=folder --hr_dir=img_align_celeba --degradation=blur"
)


def celeb_a(
    *,
    split: str,
    scale: int = 4,
    data_dir: str | Path = "datasets",
    pictures: int = 20_000,
    degradation: str = "blur",
    degradation_seed: int = 0,
    degradation_draws: int = 1,
) -> Source:
    """CelebA as a Source, downloaded and prepared under data_dir where it is not there yet.

    split: "train" or "validation", the official partitions. HR is the middle 178x178 of the 178x218
    pixels of a image, enlarged to 256x256 by MATLAB's bicubic, as the face SRGAN's size asks for:
    it holds no finer detail than 178 pixels can. 256 is cropped to a multiple of scale.
    pictures: how many of the 162,770 (19,867) are decoded, 0.21 MB of disc each; of the validation
    part at most 1000. TensorFlow Datasets has shuffled them, so that the first ones are a fair
    sample.
    degradation, degradation_seed, degradation_draws: how LR is made, see data.degradation.

    Without a network the call fails within about 20 seconds, unless the data are prepared already.
    Raises UserError for that and for any other failure to download or prepare; ValueError for
    another split.
    """
    check_split(split)
    degrade = Degradation(degradation, scale, degradation_seed, degradation_draws).of(split)
    builder = prepared_builder(
        "celeb_a", dataset="celeb_a", data_dir=data_dir, url=lambda builder: _DRIVE, remedy=_REMEDY
    )
    whole = builder.info.splits[split].num_examples
    count = min(whole, pictures if split == "train" else min(pictures, _VALIDATION_AT_MOST))
    options = {"dataset": "celeb_a", "split": split, "scale": scale, "pictures": count, **degrade.options}
    return Source(
        key=fingerprint(builder_files(builder), **options),
        description=f"CelebA ({count} of {whole} faces for {split}, {_SIDE}x{_SIDE}, LR: {degrade})",
        scale=scale,
        pairs=lambda: _pairs(builder, split=split, count=count, degrade=degrade),
        count=degrade.count(count, split),
        degradation=str(degrade),
        draws=degrade.draws,
    )


def _pairs(builder, *, split, count, degrade):
    """Yield (name, hr, lr) in the fixed order of the prepared files."""
    import tensorflow_datasets as tfds

    # Decoded by Pillow, as every other image: TensorFlow's own JPEG decoder is off by several
    # levels.
    as_files = {"image": tfds.decode.SkipDecoding()}

    def read(item):
        number, example = item
        name = f"{split}_{number:06d}"
        try:
            image = np.asarray(Image.open(io.BytesIO(example["image"]), formats=["JPEG"]).convert("RGB"))
        except Exception as error:  # a damaged file raises whatever its decoder tripped over
            raise UserError(f"{name}: damaged ({error})") from error
        return degrade.pairs(name, _face(image), index=number, split=split)

    examples = enumerate(read_in_order(builder, f"{split}[:{count}]", decoders=as_files))
    none = f"{builder.data_path}: no usable picture for {split}; delete that folder to have it prepared again"
    for pairs in usable(examples, read, otherwise=none):
        yield from pairs


def _face(picture):
    """The middle square of an image (H, W, 3), 256x256 uint8."""
    side = min(picture.shape[:2])
    return bicubic_resize(middle(picture, (side, side)), height=_SIDE, width=_SIDE)
