"""The flags of the commands that train: how long, on which machine, by which losses, from which teacher's pictures."""

from cli import define

# As in cli/flags.py: stated again here, where no TensorFlow is imported. A test holds them to the code.
ADVERSARIAL_LOSS_NAMES = ["bce", "relativistic", "hinge", "least_squares"]
DISCRIMINATOR_NAMES = ["srgan", "srgan_dense100", "patch", "unet"]
PIXEL_LOSS_NAMES = ["mae", "mse", "charbonnier", "luma_mae", "luma_mse"]
PRECISION_NAMES = ["float32", "mixed_bfloat16", "mixed_float16"]
OPTIMIZER_NAMES = ["adam", "muon"]
SCHEDULE_NAMES = ["constant", "cosine", "step"]
STRATEGY_NAMES = ["single", "mirrored", "multiworker", "tpu"]


def define_training(*, steps, learning_rate, batch_size, patch_size):
    """How long, how fast, on what crops."""
    define_machine()
    group = "Training"
    define.integer(group, "steps", steps, "Updates in the first phase (pixel phase or transfer).", lower_bound=1)
    define.integer(group, "batch_size", batch_size, "Crops per update.", lower_bound=1)
    define.integer(
        group,
        "patch_size",
        patch_size,
        "Side of the low-resolution crop, in pixels (24 at scale 4: HR crops of 96).",
        8,
    )
    define.integer(group, "detail", 2, "Of this many random crops the busiest is taken; 1 takes any.", lower_bound=1)
    define.enum(
        group,
        "optimizer",
        "adam",
        OPTIMIZER_NAMES,
        "Of the first phase. muon: convolution kernels step along their orthogonalised momentum; far better after as many updates "
        "(docs/training.md). An adversarial phase has Adam.",
    )
    define.number(group, "learning_rate", learning_rate, "Step size in the first phase.")
    define.enum(
        group,
        "schedule",
        "cosine",
        SCHEDULE_NAMES,
        "constant; cosine: falls to 1 % at the end; step: falls at each of --decay_steps.",
    )
    define.words(group, "decay_steps", [], "Steps at which --schedule=step lowers the rate, with commas.")
    define.number(group, "decay_factor", 0.5, "What the rate is multiplied by there.")
    define.integer(group, "warmup_steps", 0, "Steps over which the rate rises from 0 first.")
    define.number(group, "clip_norm", None, "Bound on the norm of the whole gradient.")
    define.number(
        group, "ema_decay", 0.999, "Decay of the moving average of the weights, which is what is validated and kept."
    )


def define_machine():
    """How the machine is used."""
    group = "Machine"
    define.enum(
        group,
        "strategy",
        "single",
        STRATEGY_NAMES,
        "single: one device. mirrored: all GPUs of this machine. multiworker: the processes that TF_CONFIG lists. tpu: a TPU (never tried). "
        "The batch is that of all devices together; see docs/scaling.md.",
    )
    define.enum(
        group,
        "precision",
        "float32",
        PRECISION_NAMES,
        "Arithmetic inside the networks; weights stay float32. bfloat16 suits new CPUs, GPUs and TPUs, float16 older GPUs.",
    )
    define.boolean(group, "jit_compile", False, "Compile the update with XLA: faster on GPUs, slower on most CPUs.")
    define.integer(
        group,
        "accumulate",
        1,
        "Parts that a batch is cut into, one after the other, where it does not fit into memory.",
        lower_bound=1,
    )
    define.boolean(group, "deterministic", False, "The same bits from the same run, at some cost in speed.")


def define_teacher_cache():
    """Pictures in place of a teacher that runs at every step."""
    group = "Transfer"
    define.boolean(
        group,
        "cache_teacher",
        False,
        "Run the teacher once over the training pictures, keep its pictures in --cache_dir, and learn from those. "
        "Clipped to [0, 1]; a changed teacher or data set makes new ones.",
    )
    define.boolean(
        group,
        "self_ensemble",
        False,
        "With --cache_teacher: the mean over all eight orientations, eight times the work.",
    )
    define.enum(
        group,
        "cache_format",
        "uint8",
        ["uint8", "float16"],
        "How --cache_teacher keeps them; float16 is twice the size.",
    )
    define.string(
        group,
        "teacher_images",
        None,
        "Folder of pictures that any upscaler made of the low-resolution training pictures, instead of a teacher.",
    )


def define_losses(*, adversarial_steps):
    """What the networks learn by."""
    group = "Losses"
    define.enum(
        group,
        "content_loss",
        "vgg",
        ["vgg", "pixel"],
        "Content term where there is one. vgg: distance of VGG19 features; pixel: mean absolute difference, which needs no VGG19.",
    )
    define.string(group, "perceptual_layer", "block5_conv4", "VGG19 convolution whose features are compared.")
    define.boolean(group, "before_activation", False, "Compare the features before the ReLU, as ESRGAN does.")
    define.boolean(
        group,
        "shifted_features",
        False,
        "Show VGG19, and a discriminator that takes any size, crops that begin at different pixels, so that no grid grows from their strides.",
    )
    define.string(
        group,
        "vgg_weights",
        None,
        "File with VGG19's weights (Keras .h5, or .npz); without it they come from keras.applications, a download of 80 MB, once.",
    )
    define.integer(
        group, "adversarial_steps", adversarial_steps, "Updates in the adversarial phase, which follows the first."
    )
    define.number(group, "adversarial_learning_rate", 1e-4, "Adam's step size in the adversarial phase.")
    define.words(
        group,
        "adversarial_decay_steps",
        [],
        "--decay_steps of the adversarial phase, where they are others; counted from its beginning.",
    )
    define.enum(
        group,
        "pixel_loss",
        "mae",
        PIXEL_LOSS_NAMES,
        "Pixel term: mean absolute, squared, or smooth absolute difference; luma_: of the luma, and a tenth of that of the colours.",
    )
    define.number(
        group, "pixel_weight", 1e-2, "Weight of the pixel term in the adversarial phase, where there is no teacher."
    )
    define.number(
        group,
        "grid_weight",
        0.0,
        "Weight, within the content term, of errors that repeat themselves from one low-resolution pixel to the next; 50,000 beside VGG19 up to "
        "block3_conv4. No effect in a pixel phase, which has no content term.",
    )
    define.number(
        group, "adversarial_weight", 1e-3, "Weight of the adversarial term beside a content term of weight 1."
    )
    define.enum(
        group,
        "adversarial_loss",
        "bce",
        ADVERSARIAL_LOSS_NAMES,
        "bce: SRGAN's; relativistic: ESRGAN's relativistic average GAN; hinge; least_squares: LSGAN's.",
    )
    define.number(
        group, "tv_weight", 0.0, "Weight of the total variation of the output in the adversarial phase, no teacher."
    )
    define.enum(
        group,
        "discriminator",
        "srgan",
        DISCRIMINATOR_NAMES,
        "srgan: one logit a crop; srgan_dense100: the same with a small head; patch: one for 16×16 pixels; unet: one a pixel.",
    )
    define.number(
        group, "discriminator_learning_rate", None, "The discriminator's, where it is not --adversarial_learning_rate."
    )
    define.integer(
        group, "generator_updates", 1, "Updates of the generator to each of the discriminator.", lower_bound=1
    )
    define.number(
        group, "label_smoothing", 0.0, "How far, at most, labels 1 and 0 move towards each other at random, as 0.1."
    )
