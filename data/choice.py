"""From the settings about images to a data set and its decoded store."""

from data.celeb_a import celeb_a
from data.div2k import div2k
from data.folder import folder
from data.paired import paired
from data.sample import sample
from data.source import Source
from data.store import PictureStore, open_store
from errors import UserError
from settings.fields import about, about_fields
from settings.training import Pictures

DATASETS = {"div2k": div2k, "folder": folder, "paired": paired, "celeb_a": celeb_a, "sample": sample}

_NEEDED = {
    "hr_dir": "the folder of original pictures",
    "lr_dir": "the folder of their low-resolution counterparts",
}


def open_source(pictures: Pictures, split: str) -> Source:
    """The data set that the settings name. split: "train" or "validation".

    Raises UserError for a folder that is missing, for a setting that the data set does not read, and for bicubic low-resolution images
    at scale 1.
    """
    readers = {item.name: about(item).datasets for item in about_fields(pictures) if about(item).datasets}
    _check(pictures, readers)
    read = {name for name, datasets in readers.items() if pictures.dataset in datasets}
    words = {name: getattr(pictures, name) for name in read if getattr(pictures, name) is not None}
    if "celeb_a_pictures" in words:
        words["pictures"] = words.pop("celeb_a_pictures")
    if "div2k" in words:
        words["track"] = words.pop("div2k")
    return DATASETS[pictures.dataset](split=split, scale=pictures.scale, **words)


def check_pictures(pictures: Pictures) -> None:
    """Raise `open_source`'s UserError for either split. It needs no TensorFlow, so a command finds out at once."""
    for split in ("train", "validation"):
        open_source(pictures, split)


def open_pictures(pictures: Pictures, split: str) -> PictureStore:
    """The decoded images of one split, "train" or "validation"."""
    return open_store(open_source(pictures, split), cache_dir=pictures.cache_dir)


def _check(pictures: Pictures, readers: dict[str, tuple[str, ...]]) -> None:
    dataset = pictures.dataset
    for name, meaning in _NEEDED.items():
        if dataset in readers[name] and not getattr(pictures, name):
            raise UserError(f"--dataset={dataset} needs --{name}, {meaning}")
    for name in ("hr_dir", "lr_dir", "valid_dir", "valid_lr_dir", "div2k", "degradation"):
        if dataset not in readers[name] and (value := getattr(pictures, name)):
            others = "|".join(readers[name])
            raise UserError(f"--{name}={value}: only --dataset={others} reads it; --dataset is {dataset}")
    bicubic = pictures.degradation == "bicubic" or (pictures.degradation is None and dataset in ("folder", "sample"))
    if pictures.scale == 1 and bicubic:
        raise UserError(
            "--scale=1: bicubic low-resolution pictures would be the originals themselves, with nothing left to learn; "
            "choose --degradation=photo, real or blur, or --dataset=paired"
        )
