"""The flags that several commands share, in groups, so that one name means one thing everywhere."""

from absl import flags

from cli.app import GROUP

# Stated again here, where no TensorFlow is imported, so that --help answers at once. A test holds them to the code.
DATASET_NAMES = ["div2k", "folder", "paired", "celeb_a", "sample"]
DEGRADATION_NAMES = ["bicubic", "blur", "real"]
GENERATOR_NAMES = [
    *("srresnet", "compact_xs", "compact_s", "compact_m", "srresnet_8x32", "edsr_8x64", "rrdb", "rrdb_11x32"),
    *("compressed_rrdb", "compressed_rrdb_small", "fast_srgan", "fast_srgan_6x32"),
]
DISCRIMINATOR_NAMES = ["srgan", "srgan_dense100", "patch", "unet"]

QUANTIZATION_NAMES = ["none", "float16", "dynamic", "int8"]
STRATEGY_NAMES = ["single", "mirrored", "multiworker", "tpu"]
PRECISION_NAMES = ["float32", "mixed_bfloat16", "mixed_float16"]
SCHEDULE_NAMES = ["constant", "cosine", "step"]
PIXEL_LOSS_NAMES = ["mae", "mse", "charbonnier"]
ADVERSARIAL_LOSS_NAMES = ["bce", "relativistic", "hinge", "least_squares"]

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
    *("teacher", "student", "depth", "width", "expansion", "init", "method", "al", "qat", "guide"),
    *("content_loss", "perceptual_layer", "pixel_loss", "before_activation"),
    *("cache_teacher", "self_ensemble", "cache_format", "teacher_images"),
    *("kd_weight", "adversarial_weight", "pixel_weight", "adversarial_loss"),
    *("content_weight", "affinity_weight", "tv_weight", "discriminator", "label_smoothing", "generator_updates"),
}


def _string(group, name, default, text):
    flags.DEFINE_string(name, default, text, module_name=GROUP + group)


def _integer(group, name, default, text, lower_bound=0):
    flags.DEFINE_integer(name, default, text, lower_bound=lower_bound, module_name=GROUP + group)


def _float(group, name, default, text, lower_bound=0.0):
    flags.DEFINE_float(name, default, text, lower_bound=lower_bound, module_name=GROUP + group)


def _boolean(group, name, default, text):
    flags.DEFINE_boolean(name, default, text, module_name=GROUP + group)


def _enum(group, name, default, choices, text):
    flags.DEFINE_enum(name, default, choices, text, module_name=GROUP + group)


def define_run(*, run_dir):
    """Where a run goes, and how it is watched."""
    group = "Run"
    _string(
        group, "run_dir", run_dir, "Folder of this run; started again with the same flags, it goes on where it stopped."
    )
    _boolean(group, "new_run", False, "Begin afresh: a run already in --run_dir is moved aside, not deleted.")
    _integer(group, "seed", 0, "Seed of initial weights, crops and orientations.")
    _integer(group, "checkpoint_every", 1000, "Steps between checkpoints.", lower_bound=1)
    _integer(group, "validate_every", 1000, "Steps between validations.", lower_bound=1)
    _integer(group, "log_every", 20, "Steps between entries in TensorBoard's curves.", lower_bound=1)
    _integer(group, "keep", 3, "Checkpoints kept.", lower_bound=1)


def define_pictures():
    """Which pictures."""
    group = "Pictures"
    _enum(
        group,
        "dataset",
        "div2k",
        DATASET_NAMES,
        "div2k: DIV2K with its official low-resolution files, through TensorFlow Datasets (a download of about 4 GB, once). "
        "folder: the pictures under --hr_dir. paired: those of --hr_dir and --lr_dir, matched by name. "
        "celeb_a: faces, 64 to 256 pixels, through TensorFlow Datasets (1.4 GB, once). "
        "sample: seven photographs of the scikit-image package, no download.",
    )
    _string(
        group,
        "hr_dir",
        None,
        "Folder of original pictures for --dataset=folder and paired, searched with its subfolders.",
    )
    _string(
        group,
        "lr_dir",
        None,
        "Folder of low-resolution pictures for --dataset=paired: photo.jpg, photox4.png or photo_x4.png belongs to photo.png.",
    )
    _string(
        group,
        "valid_dir",
        None,
        "Folder of original pictures for validation; without it every twentieth picture of --hr_dir is kept for that.",
    )
    _string(
        group,
        "valid_lr_dir",
        None,
        "Folder of low-resolution pictures for validation, with --dataset=paired --valid_dir.",
    )
    _enum(
        group,
        "degradation",
        None,
        DEGRADATION_NAMES,
        "How low-resolution pictures are made. bicubic: as MATLAB does, what published figures stand on. "
        "blur: Gaussian blur, then bicubic. real: blur, resize, noise and JPEG, twice over, at random, for photographs from phones and the web. "
        "By default div2k has files of its own, celeb_a takes blur, folder and sample take bicubic.",
    )
    _integer(group, "degradation_seed", 0, "Seed of --degradation=real.")
    _integer(
        group, "celeb_a_pictures", 20_000, "How many of CelebA's 162,770 faces are decoded, 0.21 MB of disc each.", 1
    )
    _string(group, "data_dir", "datasets", "Where downloaded data sets lie.")
    _string(
        group,
        "cache_dir",
        "datasets/cache",
        "Where decoded pictures are kept, about 3.2 bytes a pixel; may be deleted.",
    )
    _integer(
        group,
        "scale",
        4,
        "How many times larger the output is, to each side; 1 for a network that restores and does not enlarge.",
        lower_bound=1,
    )
    _integer(group, "validation_pictures", 10, "Pictures used for validation.", lower_bound=1)
    _integer(
        group, "validation_size", 384, "Validation looks at the middle of each picture, this many pixels a side.", 64
    )


def define_training(*, steps, learning_rate, batch_size, patch_size):
    """How long, how fast, on what crops."""
    define_machine()
    group = "Training"
    _integer(group, "steps", steps, "Updates in the first phase (pixel phase or transfer).", lower_bound=1)
    _integer(group, "batch_size", batch_size, "Crops per update.", lower_bound=1)
    _integer(
        group,
        "patch_size",
        patch_size,
        "Side of the low-resolution crop, in pixels (24 at scale 4: HR crops of 96).",
        8,
    )
    _integer(group, "detail", 2, "Of this many random crops the busiest is taken; 1 takes any.", lower_bound=1)
    _float(group, "learning_rate", learning_rate, "Adam's step size in the first phase.")
    _enum(
        group,
        "schedule",
        "cosine",
        SCHEDULE_NAMES,
        "constant; cosine: falls to 1 % at the end; step: falls at each of --decay_steps.",
    )
    flags.DEFINE_list(
        "decay_steps", [], "Steps at which --schedule=step lowers the rate, with commas.", module_name=GROUP + group
    )
    _float(group, "decay_factor", 0.5, "What the rate is multiplied by there.")
    _integer(group, "warmup_steps", 0, "Steps over which the rate rises from 0 first.")
    _float(group, "clip_norm", None, "Bound on the norm of the whole gradient.")
    _float(
        group, "ema_decay", 0.999, "Decay of the moving average of the weights, which is what is validated and kept."
    )


def define_machine():
    """How the machine is used."""
    group = "Machine"
    _enum(
        group,
        "strategy",
        "single",
        STRATEGY_NAMES,
        "single: one device. mirrored: all GPUs of this machine. multiworker: the processes that TF_CONFIG lists. tpu: a TPU (never tried). "
        "The batch is that of all devices together; see docs/scaling.md.",
    )
    _enum(
        group,
        "precision",
        "float32",
        PRECISION_NAMES,
        "Arithmetic inside the networks; weights stay float32. bfloat16 suits new CPUs, GPUs and TPUs, float16 older GPUs.",
    )
    _boolean(group, "jit_compile", False, "Compile the update with XLA: faster on GPUs, slower on most CPUs.")
    _integer(
        group,
        "accumulate",
        1,
        "Parts that a batch is cut into, one after the other, where it does not fit into memory.",
        lower_bound=1,
    )
    _boolean(group, "deterministic", False, "The same bits from the same run, at some cost in speed.")


def define_teacher_cache():
    """Pictures in place of a teacher that runs at every step."""
    group = "Transfer"
    _boolean(
        group,
        "cache_teacher",
        False,
        "Run the teacher once over the training pictures, keep its pictures in --cache_dir, and learn from those. "
        "Clipped to [0, 1]; a changed teacher or data set makes new ones.",
    )
    _boolean(
        group,
        "self_ensemble",
        False,
        "With --cache_teacher: the mean over all eight orientations, eight times the work.",
    )
    _enum(
        group,
        "cache_format",
        "uint8",
        ["uint8", "float16"],
        "How --cache_teacher keeps them; float16 is twice the size.",
    )
    _string(
        group,
        "teacher_images",
        None,
        "Folder of pictures that any upscaler made of the low-resolution training pictures, instead of a teacher.",
    )


def define_losses(*, adversarial_steps):
    """What the networks learn by."""
    group = "Losses"
    _enum(
        group,
        "content_loss",
        "vgg",
        ["vgg", "pixel"],
        "Content term where there is one. vgg: distance of VGG19 features; pixel: mean absolute difference, which needs no VGG19.",
    )
    _string(group, "perceptual_layer", "block5_conv4", "VGG19 convolution whose features are compared.")
    _boolean(group, "before_activation", False, "Compare the features before the ReLU, as ESRGAN does.")
    _string(
        group,
        "vgg_weights",
        None,
        "File with VGG19's weights (Keras .h5, or .npz); without it they come from keras.applications, a download of 80 MB, once.",
    )
    _integer(
        group, "adversarial_steps", adversarial_steps, "Updates in the adversarial phase, which follows the first."
    )
    _float(group, "adversarial_learning_rate", 1e-4, "Adam's step size in the adversarial phase.")
    flags.DEFINE_list(
        "adversarial_decay_steps",
        [],
        "--decay_steps of the adversarial phase, where they are others; counted from its beginning.",
        module_name=GROUP + group,
    )
    _enum(group, "pixel_loss", "mae", PIXEL_LOSS_NAMES, "Pixel term: mean absolute, squared, or smooth absolute.")
    _float(group, "pixel_weight", 1e-2, "Weight of the pixel term in the adversarial phase, where there is no teacher.")
    _float(group, "adversarial_weight", 1e-3, "Weight of the adversarial term beside a content term of weight 1.")
    _enum(
        group,
        "adversarial_loss",
        "bce",
        ADVERSARIAL_LOSS_NAMES,
        "bce: SRGAN's; relativistic: ESRGAN's relativistic average GAN; hinge; least_squares: LSGAN's.",
    )
    _float(group, "tv_weight", 0.0, "Weight of the total variation of the output in the adversarial phase, no teacher.")
    _enum(
        group,
        "discriminator",
        "srgan",
        DISCRIMINATOR_NAMES,
        "srgan: one logit a crop; srgan_dense100: the same with a small head; patch: one for 16×16 pixels; unet: one a pixel.",
    )
    _float(
        group, "discriminator_learning_rate", None, "The discriminator's, where it is not --adversarial_learning_rate."
    )
    _integer(group, "generator_updates", 1, "Updates of the generator to each of the discriminator.", lower_bound=1)
    _float(group, "label_smoothing", 0.0, "How far, at most, labels 1 and 0 move towards each other at random, as 0.1.")


def define_network(role, *, default):
    """Which network is trained, how large, and from what weights. role: "teacher" or "student", the flag's name."""
    group = "Network"
    _string(group, role, default, f"Network of the {role}: {', '.join(GENERATOR_NAMES)}.")
    _string(group, "init", None, f"Weight file or run folder that the {role} starts from, instead of random weights.")
    _integer(group, "depth", None, "Hidden convolutions or blocks, instead of the named size's.", lower_bound=1)
    _integer(group, "width", None, "Channels, instead of the named size's.", lower_bound=1)
    _integer(
        group,
        "expansion",
        None,
        "Train the 3×3 convolutions of a compact network as branches, the wide one with so many times the channels; export collapses them.",
    )


def config():
    """{flag: value as text} of all flags of our groups that have a value, for config.txt."""
    return {
        flag.name: flag.serialize().partition("=")[2] if not flag.boolean else str(flag.value).lower()
        for group, members in FLAGS.flags_by_module_dict().items()
        if group.startswith(GROUP)
        for flag in members
        if flag.value is not None and flag.name != "new_run"
    }
