"""data/div2k.py: DIV2K, 800 training and 100 validation images of 2K, with the organisers' own LR
images.

Sources: E. Agustsson and R. Timofte, "NTIRE 2017 Challenge on Single Image Super-Resolution:
Dataset and Study" (bicubic, unknown); R. Timofte et al., "NTIRE 2018 Challenge on Single Image
Super-Resolution" (realistic). Read through TensorFlow Datasets (`div2k/bicubic_x4` and its
siblings). The first use downloads about 4 GB and needs roughly three times that on disc while it
unpacks; later uses need no network. For academic research only, as its authors say.
"""

from pathlib import Path

from data.cutting import crop_to_shared
from data.degradation import Degradation
from data.prepared import builder_files, prepared_builder, read_in_order
from data.source import Source, check_split, fingerprint, usable
from errors import UserError
from settings.pictures import DIV2K_TRACKS

_REMEDY = "train on your own pictures with --dataset=folder, or try the program out with --dataset=sample"


def div2k(
    *,
    split: str,
    scale: int = 4,
    data_dir: str | Path = "datasets",
    track: str | None = None,
    degradation: str | None = None,
    degradation_seed: int = 0,
    degradation_draws: int = 1,
) -> Source:
    """DIV2K as a Source, downloaded and prepared under data_dir where it is not there yet.

    split: "train" (800 images) or "validation" (100, the official ones).
    track: of which LR images are read, a name of TensorFlow Datasets such as "unknown_x4"; by
    default bicubic, which there is for scale 2, 3, 4 and 8. Where HR is not a multiple of scale
    (some x8 images) both are cropped at the bottom and right to the part they share; a pair of
    unrelated sizes is left out with a warning. degradation: LR is made from HR as data.degradation
    says, at any scale, instead; so are its seed and draws.

    Without a network the call fails within about 20 seconds (and the time the system takes to give
    up on a host name), unless the data are prepared already. Raises UserError for that and for any
    other failure to download or prepare, and for a track or a scale that there is not; ValueError
    for another split.
    """
    check_split(split)
    degrade = Degradation(degradation, scale, degradation_seed, degradation_draws).of(split) if degradation else None
    track = _track(track, scale=scale, degrade=degrade)
    builder = prepared_builder(
        f"div2k/{track}",
        dataset="div2k",
        data_dir=data_dir,
        url=lambda builder: builder.builder_config.download_urls["train_hr_url"],
        remedy=_REMEDY,
    )
    count = builder.info.splits[split].num_examples
    made = str(degrade) if degrade else f"official {track.replace('_', ' ')}"
    options = degrade.options if degrade else {}
    if degrade and degrade.name == "bicubic":
        options = {"degradation": "bicubic"}  # or the key would be that of the official images
    return Source(
        key=fingerprint(builder_files(builder), dataset="div2k", split=split, scale=scale, **options),
        description=f"DIV2K ({count} pictures for {split}, LR: {made})",
        scale=scale,
        pairs=lambda: _pairs(builder, split=split, scale=scale, degrade=degrade),
        count=degrade.count(count, split) if degrade else count,
        degradation=made,
        draws=degrade.draws if degrade else 1,
    )


def _track(track, *, scale, degrade):
    """The name of the files to read. Raises UserError for what does not go together."""
    official = f"bicubic_x{scale}"
    if degrade:
        if track:
            raise UserError(f"--div2k={track} --degradation={degrade.name}: both say how LR is made; give one of them")
        return official if official in DIV2K_TRACKS else "bicubic_x4"
    if track is None and official not in DIV2K_TRACKS:
        raise UserError(
            f"--dataset=div2k has no pictures for --scale={scale}; it has 2, 3, 4 and 8. "
            f"Have them made with --degradation=blur or another, or {_REMEDY}"
        )
    if track and not track.endswith(f"_x{scale}"):
        fitting = ", ".join(name for name in DIV2K_TRACKS if name.endswith(f"_x{scale}")) or "none"
        raise UserError(f"--div2k={track}: its pictures are not for --scale={scale}; those for that are: {fitting}")
    return track or official


def _pairs(builder, *, split, scale, degrade):
    """Yield (name, hr, lr) in the fixed order of the prepared files."""

    def read(item):
        number, example = item
        name, hr, lr = f"{split}_{number:04d}", example["hr"], example["lr"]
        if degrade:
            return degrade.pairs(name, hr, index=number, split=split)
        return [(name, *crop_to_shared(hr, lr, scale=scale, name=name))]

    none = f"{builder.data_path}: no usable pair for {split}; delete that folder to have it prepared again"
    for pairs in usable(enumerate(read_in_order(builder, split)), read, otherwise=none):
        yield from pairs
