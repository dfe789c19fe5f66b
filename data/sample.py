"""data/sample.py: a handful of photographs that are already on the machine, to try the program
without a download.

They come inside the scikit-image package, which names their origin and licence under
`skimage.data`. Far too few to train a good network; enough to see one learn, and for tests. Left
out: diagrams, text, single-channel images, the retina scan (mostly black and smooth), and the
right-hand twin of the stereo pair.
"""

import importlib.util
from pathlib import Path

from data.degradation import Degradation
from data.images import read_rgb
from data.source import Source, check_split, fingerprint
from errors import UserError

_FILES = {
    "train": (
        "chelsea.png",
        "coffee.png",
        "hubble_deep_field.jpg",
        "ihc.png",
        "motorcycle_left.png",
        "rocket.jpg",
    ),
    "validation": ("astronaut.png",),
}


def sample(
    *,
    split: str,
    scale: int = 4,
    degradation: str = "bicubic",
    degradation_seed: int = 0,
    degradation_draws: int = 1,
) -> Source:
    """Six photographs for split "train", one for "validation", as a Source.

    degradation, degradation_seed, degradation_draws: how LR is made, see data.degradation.

    Raises UserError where scikit-image, or one of the images in it, is missing; ValueError for
    another split.
    """
    check_split(split)
    degrade = Degradation(degradation, scale, degradation_seed, degradation_draws).of(split)
    paths = [_picture_folder() / name for name in _FILES[split]]
    for path in paths:
        if not path.is_file():
            raise UserError(f"--dataset=sample: {path} is missing; reinstall scikit-image (pip install scikit-image)")

    def pairs():
        for number, path in enumerate(paths):
            yield from degrade.pairs(path.name, read_rgb(path), index=number, split=split)

    return Source(
        key=fingerprint(paths, dataset="sample", split=split, scale=scale, **degrade.options),
        description=f"sample ({len(paths)} scikit-image photographs for {split}, LR: {degrade})",
        scale=scale,
        pairs=pairs,
        count=degrade.count(len(paths), split),
        degradation=str(degrade),
        draws=degrade.draws,
    )


def _picture_folder():
    # Found without importing scikit-image, whose own loaders may start a download.
    package = importlib.util.find_spec("skimage")
    if package is None:
        raise UserError("--dataset=sample: the photographs come with scikit-image; pip install scikit-image")
    return Path(package.submodule_search_locations[0]) / "data"
