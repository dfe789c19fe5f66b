"""From the flags about pictures to a data source and its decoded store."""

from absl import flags

import data
from cli.flags import DATASET_FLAGS
from errors import UserError
from training.run_folder import read_config

FLAGS = flags.FLAGS

_FOLDERS = {
    "hr_dir": "the folder of original pictures",
    "lr_dir": "the folder of their low-resolution counterparts",
}


def open_source(split):
    """The data source that the flags name. split: "train" or "validation".

    Raises UserError for a folder that is missing, for a flag that the data set does not read, and for bicubic low-resolution pictures at scale 1.
    """
    reads = DATASET_FLAGS[FLAGS.dataset]
    _check_flags(reads)
    words = {"split": split, "scale": FLAGS.scale}
    words.update((name, getattr(FLAGS, name)) for name in reads if FLAGS[name].value is not None)
    if "celeb_a_pictures" in words:
        words["pictures"] = words.pop("celeb_a_pictures")
    return data.DATASETS[FLAGS.dataset](**words)


def open_store(split):
    """The decoded pictures of one split, "train" or "validation"."""
    return data.open_store(open_source(split), cache_dir=FLAGS.cache_dir)


def adopt(run):
    """Take the pictures of an earlier run where the flags of this command do not say otherwise.

    --dataset on the command line stands for other pictures: then only the scale is taken. Raises UserError where neither says which pictures.
    """
    config = run / "config.txt"
    if not config.is_file():
        if FLAGS["dataset"].present:
            return
        raise UserError(
            f"{config}: no such file, so the pictures of that run are not known; name others with --dataset"
        )
    names = {"scale"} if FLAGS["dataset"].present else {"scale", "dataset"}.union(*DATASET_FLAGS.values())
    for name, value in read_config(config).items():
        if name in names and not FLAGS[name].present:
            try:
                FLAGS[name].parse(value)
            except flags.Error as error:
                raise UserError(f"{config}: {' '.join(str(error).split())}") from error


def _check_flags(reads):
    for name, meaning in _FOLDERS.items():
        if name in reads and not getattr(FLAGS, name):
            raise UserError(f"--dataset={FLAGS.dataset} needs --{name}, {meaning}")
    for name in ("hr_dir", "lr_dir", "valid_dir", "valid_lr_dir", "degradation"):
        if name not in reads and getattr(FLAGS, name):
            readers = "|".join(dataset for dataset, theirs in DATASET_FLAGS.items() if name in theirs)
            raise UserError(
                f"--{name}={getattr(FLAGS, name)}: only --dataset={readers} reads it; --dataset is {FLAGS.dataset}"
            )
    bicubic = FLAGS.degradation == "bicubic" or (FLAGS.degradation is None and FLAGS.dataset in ("folder", "sample"))
    if FLAGS.scale == 1 and bicubic:
        raise UserError(
            "--scale=1: bicubic low-resolution pictures would be the originals themselves, with nothing left to learn; "
            "choose --degradation=blur or real, or --dataset=paired"
        )
