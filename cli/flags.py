"""The flags that several commands share, in groups, so that one name means one thing everywhere."""

from absl import flags

from cli import define
from cli.app import GROUP

# Stated again here, where no TensorFlow is imported, so that --help answers at once. A test holds them to the code.
DATASET_NAMES = ["div2k", "folder", "paired", "celeb_a", "sample"]
DEGRADATION_NAMES = ["bicubic", "blur", "real"]
GENERATOR_NAMES = [
    *("srresnet", "compact_xs", "compact_s", "compact_m", "srresnet_8x32", "edsr_8x64", "rrdb", "rrdb_11x32"),
    *("compressed_rrdb", "compressed_rrdb_small", "fast_srgan", "fast_srgan_6x32"),
]

TAIL_NAMES = ["rgb", "luma"]
QUANTIZATION_NAMES = ["none", "float16", "dynamic", "int8"]

FLAGS = flags.FLAGS

# What each data set reads beside --scale.
DATASET_FLAGS = {
    "div2k": ("data_dir", "degradation", "degradation_seed"),
    "folder": ("hr_dir", "valid_dir", "degradation", "degradation_seed"),
    "paired": ("hr_dir", "lr_dir", "valid_dir", "valid_lr_dir"),
    "celeb_a": ("data_dir", "celeb_a_pictures", "degradation", "degradation_seed"),
    "sample": ("degradation", "degradation_seed"),
}

# A run that is continued must agree with its beginning in these.
FIXED = {
    *("dataset", "scale", "batch_size", "patch_size", "detail", "seed"),
    *(name for names in DATASET_FLAGS.values() for name in names),
    *("teacher", "student", "depth", "width", "expansion", "tail", "residual", "init", "method", "al", "qat", "guide"),
    *("content_loss", "perceptual_layer", "pixel_loss", "before_activation", "shifted_features"),
    *("cache_teacher", "self_ensemble", "cache_format", "teacher_images"),
    *("kd_weight", "adversarial_weight", "pixel_weight", "grid_weight", "adversarial_loss"),
    *("content_weight", "affinity_weight", "tv_weight", "discriminator", "label_smoothing", "generator_updates"),
}


def define_run(*, run_dir):
    """Where a run goes, and how it is watched."""
    group = "Run"
    define.string(
        group, "run_dir", run_dir, "Folder of this run; started again with the same flags, it goes on where it stopped."
    )
    define.boolean(group, "new_run", False, "Begin afresh: a run already in --run_dir is moved aside, not deleted.")
    define.integer(group, "seed", 0, "Seed of initial weights, crops and orientations.")
    define.integer(group, "checkpoint_every", 1000, "Steps between checkpoints.", lower_bound=1)
    define.integer(group, "validate_every", 1000, "Steps between validations.", lower_bound=1)
    define.integer(group, "log_every", 20, "Steps between entries in TensorBoard's curves.", lower_bound=1)
    define.integer(group, "keep", 3, "Checkpoints kept.", lower_bound=1)


def define_pictures():
    """Which pictures."""
    group = "Pictures"
    define.enum(
        group,
        "dataset",
        "div2k",
        DATASET_NAMES,
        "div2k: DIV2K with its official low-resolution files, through TensorFlow Datasets (a download of about 4 GB, once). "
        "folder: the pictures under --hr_dir. paired: those of --hr_dir and --lr_dir, matched by name. "
        "celeb_a: faces, 64 to 256 pixels, through TensorFlow Datasets (1.4 GB, once). "
        "sample: seven photographs of the scikit-image package, no download.",
    )
    define.string(
        group,
        "hr_dir",
        None,
        "Folder of original pictures for --dataset=folder and paired, searched with its subfolders.",
    )
    define.string(
        group,
        "lr_dir",
        None,
        "Folder of low-resolution pictures for --dataset=paired: photo.jpg, photox4.png or photo_x4.png belongs to photo.png.",
    )
    define.string(
        group,
        "valid_dir",
        None,
        "Folder of original pictures for validation; without it every twentieth picture of --hr_dir is kept for that.",
    )
    define.string(
        group,
        "valid_lr_dir",
        None,
        "Folder of low-resolution pictures for validation, with --dataset=paired --valid_dir.",
    )
    define.enum(
        group,
        "degradation",
        None,
        DEGRADATION_NAMES,
        "How low-resolution pictures are made. bicubic: as MATLAB does, what published figures stand on. "
        "blur: Gaussian blur, then bicubic. real: blur, resize, noise and JPEG, twice over, at random, for photographs from phones and the web. "
        "By default div2k has files of its own, celeb_a takes blur, folder and sample take bicubic.",
    )
    define.integer(group, "degradation_seed", 0, "Seed of --degradation=real.")
    define.integer(
        group, "celeb_a_pictures", 20_000, "How many of CelebA's 162,770 faces are decoded, 0.21 MB of disc each.", 1
    )
    define.string(group, "data_dir", "datasets", "Where downloaded data sets lie.")
    define.string(
        group,
        "cache_dir",
        "datasets/cache",
        "Where decoded pictures are kept, about 3.2 bytes a pixel; may be deleted.",
    )
    define.integer(
        group,
        "scale",
        4,
        "How many times larger the output is, to each side; 1 for a network that restores and does not enlarge.",
        lower_bound=1,
    )
    define.integer(group, "validation_pictures", 10, "Pictures used for validation.", lower_bound=1)
    define.integer(
        group, "validation_size", 384, "Validation looks at the middle of each picture, this many pixels a side.", 64
    )


def define_network(role, *, default):
    """Which network is trained, how large, and from what weights. role: "teacher" or "student", the flag's name."""
    group = "Network"
    define.string(group, role, default, f"Network of the {role}: {', '.join(GENERATOR_NAMES)}.")
    define.string(
        group,
        "init",
        None,
        f"What the {role} starts from, instead of random weights: a weight file, a run folder, or shipped for the shipped network of its name.",
    )
    define.integer(group, "depth", None, "Hidden convolutions or blocks, instead of the named size's.", lower_bound=1)
    define.integer(group, "width", None, "Channels, instead of the named size's.", lower_bound=1)
    define.enum(
        group,
        "tail",
        None,
        TAIL_NAMES,
        "What a compact network predicts. rgb: a residual for each colour; luma: one for all three, onto a learned interpolation of the picture.",
    )
    define.integer(
        group,
        "residual",
        None,
        "How many residual blocks of two the last hidden convolutions of a compact network form; --depth counts all of them.",
        lower_bound=0,
    )
    define.integer(
        group,
        "expansion",
        None,
        "Train the 3×3 convolutions of a compact network as branches, the wide one with so many times the channels; export collapses them.",
    )


def config():
    """{flag: value as text} of all flags of our groups that have a value, for config.txt."""
    return {
        flag.name: flag.serialize().partition("=")[2] if not flag.boolean else str(flag.value).lower()
        for flag in _ours()
        if flag.value is not None
    }


def defaults():
    """{flag: default as text} of all flags of our groups that have one: what a run begun before there was such a flag had."""
    return {flag.name: flag.default_as_str.strip("'") for flag in _ours() if flag.default is not None}


def _ours():
    groups = FLAGS.flags_by_module_dict().items()
    return [flag for group, members in groups if group.startswith(GROUP) for flag in members if flag.name != "new_run"]
