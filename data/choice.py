"""From the settings about images to a data set and its decoded store."""

from dataclasses import replace

from data.celeb_a import celeb_a
from data.div2k import div2k
from data.folder import folder
from data.paired import paired
from data.sample import sample
from data.source import Source
from data.store import PictureStore, open_store
from data.unlabelled import unlabelled
from errors import UserError
from settings.fields import about, about_fields
from settings.pictures import Pictures

DATASETS = {
    **{"div2k": div2k, "folder": folder, "paired": paired, "celeb_a": celeb_a, "sample": sample},
    "unlabelled": unlabelled,
}

_ORIGINALS = {"hr_dir": "the folder of original pictures"}
_NEEDED = {
    "folder": _ORIGINALS,
    "paired": {**_ORIGINALS, "lr_dir": "the folder of their low-resolution counterparts"},
    "unlabelled": {"lr_dir": "the folder of your images, which have no originals"},
}
_WITHOUT_ORIGINALS = ("unlabelled",)


def open_source(pictures: Pictures, split: str, *, originals: bool = True) -> Source:
    """The data set that the settings name. split: "train" or "validation". originals: whether it
    must have them.

    Raises UserError for a folder that is missing, for a setting that the data set does not read,
    for bicubic low-resolution images at scale 1, and where the data set has no originals and must.
    """
    readers = _readers(pictures)
    _check(pictures, readers)
    read = {name for name, datasets in readers.items() if pictures.dataset in datasets}
    words = {name: getattr(pictures, name) for name in read if getattr(pictures, name) is not None}
    if "celeb_a_pictures" in words:
        words["pictures"] = words.pop("celeb_a_pictures")
    if "div2k" in words:
        words["track"] = words.pop("div2k")
    source = DATASETS[pictures.dataset](split=split, scale=pictures.scale, **words)
    if originals and not source.originals:
        raise UserError(
            f"--dataset={pictures.dataset}: the images of {pictures.lr_dir} have no originals; distill.py --method=adapt learns from "
            "them, and evaluate.py measures on others (--benchmarks)"
        )
    return source


def check_pictures(pictures: Pictures, *, originals: bool = True, downloads: bool = True) -> None:
    """Raise UserError for what `open_source` refuses of either split, or of the `labelled_part`.

    It needs no TensorFlow, so a command finds out at once.

    originals: whether the data set must have them; one that has them is refused where it must not.
    downloads: also look at data sets that this would download.
    """
    if not originals and pictures.dataset not in _WITHOUT_ORIGINALS:
        raise UserError(
            f"--dataset={pictures.dataset}: --method=adapt learns from images without originals, those of --lr_dir; leave --dataset "
            "out (--hr_dir adds originals)"
        )
    if not downloads and pictures.dataset in _readers(pictures)["data_dir"]:
        return
    for split in ("train", "validation"):
        open_source(pictures, split, originals=originals)
    if labelled := labelled_part(pictures):
        open_source(labelled, "train")


def labelled_part(pictures: Pictures) -> Pictures | None:
    """Of a data set without originals: the settings of the originals under --hr_dir that share a
    batch with it, or None.
    """
    if pictures.dataset not in _WITHOUT_ORIGINALS or not pictures.hr_dir:
        return None
    return replace(pictures, dataset="folder", lr_dir=None)


def open_pictures(pictures: Pictures, split: str, *, originals: bool = True) -> PictureStore:
    """The decoded images of one split, "train" or "validation". originals: whether they must have
    them.
    """
    return open_store(open_source(pictures, split, originals=originals), cache_dir=pictures.cache_dir)


def _readers(pictures: Pictures) -> dict[str, tuple[str, ...]]:
    """{setting: the data sets that read it}, of those that not all read."""
    return {item.name: about(item).datasets for item in about_fields(pictures) if about(item).datasets}


def _check(pictures: Pictures, readers: dict[str, tuple[str, ...]]) -> None:
    dataset = pictures.dataset
    for name, meaning in _NEEDED.get(dataset, {}).items():
        if not getattr(pictures, name):
            raise UserError(f"--dataset={dataset} needs --{name}, {meaning}")
    for name in ("hr_dir", "lr_dir", "valid_dir", "valid_lr_dir", "div2k", "degradation"):
        if dataset not in readers[name] and (value := getattr(pictures, name)):
            others = "|".join(readers[name])
            raise UserError(f"--{name}={value}: only --dataset={others} reads it; --dataset is {dataset}")
    if dataset in _WITHOUT_ORIGINALS and pictures.degradation and not (pictures.hr_dir or pictures.valid_dir):
        raise UserError(
            f"--degradation={pictures.degradation}: the images of --lr_dir are taken as they are; it goes with originals "
            "(--hr_dir, --valid_dir)"
        )
    bicubic = pictures.degradation == "bicubic" or (pictures.degradation is None and dataset in ("folder", "sample"))
    if pictures.scale == 1 and bicubic:
        raise UserError(
            "--scale=1: bicubic low-resolution pictures would be the originals themselves, with nothing left to learn; "
            "choose --degradation=photo, real or blur, or --dataset=paired"
        )
