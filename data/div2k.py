"""data/div2k.py: DIV2K, 800 training and 100 validation pictures of 2K, with the organisers' own bicubic LR pictures.

Source: E. Agustsson and R. Timofte, "NTIRE 2017 Challenge on Single Image Super-Resolution: Dataset and Study". Read
through TensorFlow Datasets (`div2k/bicubic_x4` and its siblings). The first use downloads about 4 GB and needs roughly
three times that on disc while it unpacks; later uses need no network. For academic research only, as its authors say.
"""

from pathlib import Path

from absl import logging

from data.degradation import Degradation
from data.prepared import builder_files, prepared_builder, read_in_order
from data.source import Source, crop_to_shared, fingerprint
from errors import UserError

_SCALES = (2, 3, 4, 8)
_REMEDY = "train on your own pictures with --dataset=folder, or try the program out with --dataset=sample"


def div2k(
    *,
    split: str,
    scale: int = 4,
    data_dir: str | Path = "datasets",
    degradation: str | None = None,
    degradation_seed: int = 0,
) -> Source:
    """DIV2K as a Source, downloaded and prepared under data_dir where it is not there yet.

    split: "train" (800 pictures) or "validation" (100, the official ones).
    degradation: None takes the official bicubic LR pictures, which there are for scale 2, 3, 4 and 8. Where HR is not
    a multiple of scale (some x8 pictures) both are cropped at the bottom and right to the part they share; a pair of
    unrelated sizes is left out with a warning. Otherwise LR is made from HR as data.degradation says, at any scale.

    Without a network the call fails within about 20 seconds (and the time the system takes to give up on a host name),
    unless the data are prepared already. Raises UserError for that and for any other failure to download or prepare,
    and for another scale; ValueError for another split.
    """
    if split not in ("train", "validation"):
        raise ValueError(f"split is {split!r}; expected 'train' or 'validation'")
    degrade = Degradation(degradation, scale, degradation_seed) if degradation else None
    if not degrade and scale not in _SCALES:
        raise UserError(
            f"--dataset=div2k has no pictures for --scale={scale}; it has 2, 3, 4 and 8. "
            f"Have them made with --degradation=blur or another, or {_REMEDY}"
        )
    builder = prepared_builder(
        f"div2k/bicubic_x{scale if scale in _SCALES else 4}",
        dataset="div2k",
        data_dir=data_dir,
        url=lambda builder: builder.builder_config.download_urls["train_hr_url"],
        remedy=_REMEDY,
    )
    count = builder.info.splits[split].num_examples
    made = str(degrade) if degrade else f"official bicubic x{scale}"
    options = degrade.options if degrade else {}
    if degrade and degrade.name == "bicubic":
        options = {"degradation": "bicubic"}  # or the key would be that of the official pictures
    return Source(
        key=fingerprint(builder_files(builder), dataset="div2k", split=split, scale=scale, **options),
        description=f"DIV2K ({count} pictures for {split}, LR: {made})",
        scale=scale,
        pairs=lambda: _pairs(builder, split=split, scale=scale, degrade=degrade),
        count=None if degrade and degrade.tiles(split) else count,
        degradation=made,
    )


def _pairs(builder, *, split, scale, degrade):
    """Yield (name, hr, lr) in the fixed order of the prepared files."""
    usable = 0
    for number, example in enumerate(read_in_order(builder, split)):
        name, hr, lr = f"{split}_{number:04d}", example["hr"], example["lr"]
        if degrade:
            usable += 1
            yield from degrade.pairs(name, hr, index=number, split=split)
            continue
        shared = crop_to_shared(hr, lr, scale)
        if shared is None:
            logging.warning("left out: %s: HR %s and LR %s do not fit scale %d", name, hr.shape, lr.shape, scale)
            continue
        usable += 1
        yield name, *shared
    if not usable:
        raise UserError(
            f"{builder.data_path}: no usable pair for {split}; delete that folder to have it prepared again"
        )
