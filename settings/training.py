"""The settings of the commands that train: which images, which network, how long, by which losses, where to."""

from dataclasses import dataclass
from typing import Any, ClassVar

from settings.fields import Command, setting

DATASETS = ("div2k", "folder", "paired", "celeb_a", "sample", "unlabelled")
DEGRADATIONS = ("bicubic", "blur", "blur_lr", "photo", "real")
GENERATORS = (
    *("srresnet", "compact_xs", "compact_s", "compact_m", "srresnet_8x32", "edsr_8x64", "rrdb", "rrdb_11x32"),
    *("compressed_rrdb", "compressed_rrdb_small", "fast_srgan", "fast_srgan_6x32", "fast_srgan_6x32_bilinear", "srvgg"),
)
TAILS = ("rgb", "luma")
DISCRIMINATORS = ("srgan", "srgan_dense100", "patch", "unet")
PIXEL_LOSSES = ("mae", "mse", "charbonnier", "luma_mae", "luma_mse")
ADVERSARIAL_LOSSES = ("bce", "relativistic", "hinge", "least_squares", "linear")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
OPTIMIZERS = ("adam", "muon")
SCHEDULES = ("constant", "cosine", "trapezoid", "step")
STRATEGIES = ("single", "mirrored", "multiworker", "tpu")
VGG19_LAYERS = tuple(f"block{block}_conv{i + 1}" for block, n in enumerate((2, 2, 4, 4, 4), 1) for i in range(n))
METHODS = ("g2g", "g2g_al", "gan2g", "gan2g_al", "gan2gan", "comparative", "adversarial", "g2g_fa", "adapt")

DIV2K_TRACKS = (
    *("bicubic_x2", "bicubic_x3", "bicubic_x4", "bicubic_x8", "unknown_x2", "unknown_x3", "unknown_x4"),
    *("realistic_mild_x4", "realistic_difficult_x4", "realistic_wild_x4"),
)

_DEGRADED = ("div2k", "folder", "celeb_a", "sample", "unlabelled")


@dataclass(frozen=True)
class Pictures:
    """Which images. The fields with `datasets` are read by these data sets only."""

    heading: ClassVar[str] = "Images"
    dataset: str = setting(
        "div2k",
        "div2k: DIV2K with its official low-resolution files, through TensorFlow Datasets (a download of about 4 GB, once). "
        "folder: the images under --hr_dir. paired: those of --hr_dir and --lr_dir, matched by name. "
        "celeb_a: faces, 64 to 256 pixels, through TensorFlow Datasets (1.4 GB, once). "
        "sample: seven photographs of the scikit-image package, no download. "
        "unlabelled: the images under --lr_dir, which have no originals; what --method=adapt learns from.",
        choices=DATASETS,
        fixed=True,
        equal=True,
    )
    hr_dir: str | None = setting(
        None,
        "Folder of original images for --dataset=folder and paired, searched with its subfolders. With --method=adapt the images that "
        "--labelled_share of every batch comes from.",
        datasets=("folder", "paired", "unlabelled"),
        fixed=True,
        equal=True,
        place=True,
    )
    lr_dir: str | None = setting(
        None,
        "Folder of low-resolution images for --dataset=paired: photo.jpg, photox4.png or photo_x4.png belongs to photo.png. For "
        "--method=adapt: the images that have no originals, searched with its subfolders.",
        datasets=("paired", "unlabelled"),
        fixed=True,
        equal=True,
        place=True,
    )
    valid_dir: str | None = setting(
        None,
        "Folder of original images for validation; without it every twentieth image of --hr_dir is kept for that, or with "
        "--method=adapt of --lr_dir, measured against the teacher's image.",
        datasets=("folder", "paired", "unlabelled"),
        fixed=True,
        equal=True,
        place=True,
    )
    valid_lr_dir: str | None = setting(
        None,
        "Folder of low-resolution images for validation, with --dataset=paired --valid_dir.",
        datasets=("paired",),
        fixed=True,
        place=True,
    )
    div2k: str | None = setting(
        None,
        "Track of DIV2K, with --dataset=div2k: whose low-resolution files are read; bicubic at --scale by default. The files of the "
        "realistic tracks are moved against their originals by some pixels.",
        choices=DIV2K_TRACKS,
        datasets=("div2k",),
        fixed=True,
        equal=True,
    )
    degradation: str | None = setting(
        None,
        "How low-resolution images are made. bicubic: as MATLAB does, what published figures stand on. "
        "blur: Gaussian blur, then bicubic. blur_lr: bicubic, then Gaussian blur of a strength drawn for each image. "
        "photo: mild blur, any resize, noise, sharpening and JPEG, at random, for photographs from phones and the web. "
        "real: blur, resize, noise and JPEG, twice over, stronger. "
        "By default div2k has files of its own, celeb_a takes blur, folder and sample take bicubic.",
        choices=DEGRADATIONS,
        datasets=_DEGRADED,
        fixed=True,
        equal=True,
    )
    degradation_seed: int = setting(
        0, "Seed of --degradation=photo, real and blur_lr.", low=0, datasets=_DEGRADED, fixed=True, equal=True
    )
    degradation_draws: int = setting(
        1,
        "How many low-resolution images are drawn of each original, with --degradation=photo, real or blur_lr.",
        low=1,
        high=1000,
        datasets=_DEGRADED,
        fixed=True,
        equal=True,
    )
    celeb_a_pictures: int = setting(
        20_000,
        "How many of CelebA's 162,770 faces are decoded, 0.21 MB of disc each.",
        low=1,
        datasets=("celeb_a",),
        fixed=True,
    )
    data_dir: str = setting(
        "datasets",
        "Where downloaded data sets lie.",
        datasets=("div2k", "celeb_a"),
        fixed=True,
        place=True,
    )
    cache_dir: str = setting(
        "datasets/cache",
        "Where decoded images are kept, about 3.2 bytes a pixel; may be deleted.",
        place=True,
    )
    scale: int = setting(
        4,
        "How many times larger the output is, to each side; 1 for a network that restores and does not enlarge.",
        low=1,
        fixed=True,
        equal=True,
    )
    validation_pictures: int = setting(10, "Images used for validation.", low=1)
    validation_size: int = setting(
        384, "Validation looks at the middle of each image, this many pixels a side.", low=64
    )


@dataclass(frozen=True)
class _Network:
    heading: ClassVar[str] = "Network"
    depth: int | None = setting(
        None, "Hidden convolutions or blocks, instead of the named size's.", low=1, fixed=True, equal=True
    )
    width: int | None = setting(None, "Channels, instead of the named size's.", low=1, fixed=True, equal=True)
    expansion: int | None = setting(
        None,
        "Train the 3×3 convolutions of a compact network as branches, the wide one with so many times the channels; export collapses them.",
        low=0,
        fixed=True,
        equal=True,
    )
    tail: str | None = setting(
        None,
        "What a compact network predicts. rgb: a residual for each colour; luma: one for all three, onto a learned interpolation of the image.",
        choices=TAILS,
        fixed=True,
        equal=True,
    )
    residual: int | None = setting(
        None,
        "How many residual blocks of two the last hidden convolutions of a compact network form; --depth counts all of them.",
        low=0,
        fixed=True,
        equal=True,
    )


def _init(role: str) -> str:
    return (
        f"What the {role} starts from, instead of random weights: a weight file, a run folder, or shipped for the shipped "
        "network of its name."
    )


@dataclass(frozen=True)
class TeacherNetwork(_Network):
    """Which teacher is trained, how large, and from what weights."""

    teacher: str = setting("srresnet", f"Network of the teacher: {', '.join(GENERATORS)}.", fixed=True)
    init: str | None = setting(None, _init("teacher"), fixed=True, equal=True)


@dataclass(frozen=True)
class StudentNetwork(_Network):
    """Which student is trained, how large, and from what weights."""

    student: str = setting("compact_s", f"Network of the student: {', '.join(GENERATORS)}.", fixed=True, equal=True)
    init: str | None = setting(None, _init("student"), fixed=True, equal=True)


@dataclass(frozen=True)
class Training:
    """How long, how fast, on what crops."""

    heading: ClassVar[str] = "Training"
    steps: int = setting(100_000, "Updates in the first phase (pixel phase or transfer).", low=1)
    batch_size: int = setting(16, "Crops per update.", low=1, fixed=True, equal=True)
    patch_size: int = setting(
        24,
        "Side of the low-resolution crop, in pixels (24 at scale 4: HR crops of 96).",
        low=8,
        fixed=True,
        equal=True,
    )
    detail: int = setting(
        2, "Of this many random crops the busiest is taken; 1 takes any.", low=1, fixed=True, equal=True
    )
    optimizer: str = setting(
        "adam",
        "Of the first phase. muon: convolution kernels step along their orthogonalised momentum, which learns faster (docs/training.md). "
        "An adversarial phase has Adam.",
        choices=OPTIMIZERS,
        equal=True,
    )
    learning_rate: float = setting(
        5e-4,
        "Step size in the first phase. Where only --optimizer is given: 2e-3 with muon; with adam 5e-4 for a student, 1e-4 for a teacher.",
        low=0.0,
        high=1.0,
        equal=True,
    )
    schedule: str = setting(
        "cosine",
        "constant; cosine: falls to 1 % at the end; trapezoid: constant, falls to 1 % over the last fifth; step: falls at each of "
        "--decay_steps. A constant run may go on as a trapezoid one.",
        choices=SCHEDULES,
        equal=True,
    )
    decay_steps: tuple[str, ...] = setting(
        (), "Steps at which --schedule=step lowers the rate, with commas.", low=1, equal=True
    )
    decay_factor: float = setting(0.5, "What the rate is multiplied by there.", above=0.0, high=1.0)
    warmup_steps: int = setting(0, "Steps over which the rate rises from 0 first.", low=0, equal=True)
    clip_norm: float | None = setting(None, "Bound on the norm of the whole gradient.", above=0.0, equal=True)
    ema_decay: float = setting(
        0.999,
        "Decay of the moving average of the weights, which is what is validated and kept.",
        low=0.0,
        high=0.999999,
        equal=True,
    )


@dataclass(frozen=True)
class Machine:
    """How the machine is used."""

    heading: ClassVar[str] = "Machine"
    strategy: str = setting(
        "single",
        "single: one device. mirrored: all GPUs of this machine. multiworker: the processes that TF_CONFIG lists. tpu: a TPU (never tried). "
        "The batch is that of all devices together; see docs/scaling.md.",
        choices=STRATEGIES,
    )
    worker_timeout: float = setting(
        600.0,
        "Seconds that the workers of --strategy=multiworker wait for one another at the start.",
        above=0.0,
        place=True,
    )
    precision: str = setting(
        "float32",
        "Arithmetic inside the networks; weights stay float32. bfloat16 suits new CPUs, GPUs and TPUs, float16 older GPUs.",
        choices=PRECISIONS,
        equal=True,
    )
    jit_compile: bool = setting(False, "Compile the update with XLA: faster on GPUs, slower on most CPUs.")
    accumulate: int = setting(
        1, "Parts that a batch is cut into, one after the other, where it does not fit into memory.", low=1
    )
    deterministic: bool = setting(False, "The same bits from the same run, at some cost in speed.")


@dataclass(frozen=True)
class Losses:
    """What the networks learn by."""

    heading: ClassVar[str] = "Losses"
    content_loss: str = setting(
        "vgg",
        "Content term where there is one. vgg: distance of VGG19 features; pixel: mean absolute difference, which needs no VGG19.",
        choices=("vgg", "pixel"),
        fixed=True,
    )
    content_weight: float = setting(
        1.0,
        "Weight of the content term; in distill.py that of the method, and only where it has the term.",
        low=0.0,
        fixed=True,
    )
    content_distance: str = setting(
        "l2",
        "Distance between VGG19's features: l2, squared, as SRGAN has it, or l1, absolute, as ESRGAN's code has it.",
        choices=("l2", "l1"),
        fixed=True,
    )
    perceptual_layer: str = setting(
        "block5_conv4", "VGG19 convolution whose features are compared.", choices=VGG19_LAYERS, fixed=True
    )
    before_activation: bool = setting(False, "Compare the features before the ReLU, as ESRGAN does.", fixed=True)
    shifted_features: bool = setting(
        False,
        "Show VGG19, and a discriminator that takes any size, crops that begin at different pixels, so that no grid grows from their strides.",
        fixed=True,
    )
    vgg_weights: str | None = setting(
        None,
        "File with VGG19's weights (Keras .h5, or .npz); without it they come from keras.applications, a download of 80 MB, once.",
        place=True,
    )
    adversarial_steps: int = setting(0, "Updates in the adversarial phase, which follows the first.", low=0)
    adversarial_learning_rate: float = setting(1e-4, "Adam's step size in the adversarial phase.", low=0.0, high=1.0)
    adversarial_decay_steps: tuple[str, ...] = setting(
        (), "--decay_steps of the adversarial phase, where they are others; counted from its beginning.", low=1
    )
    pixel_loss: str = setting(
        "mae",
        "Pixel term: mean absolute, squared, or smooth absolute difference; luma_: of the luma, and a tenth of that of the colours.",
        choices=PIXEL_LOSSES,
        fixed=True,
    )
    pixel_weight: float = setting(
        1e-2,
        "Weight of the pixel term in the adversarial phase, where there is no teacher.",
        low=0.0,
        fixed=True,
    )
    grid_weight: float = setting(
        0.0,
        "Weight, within the content term, of errors that repeat themselves from one low-resolution pixel to the next; 50,000 beside VGG19 up to "
        "block3_conv4. No effect in a pixel phase, which has no content term.",
        low=0.0,
        fixed=True,
    )
    adversarial_weight: float = setting(
        1e-3,
        "Weight of the adversarial term beside a content term of weight 1.",
        low=0.0,
        fixed=True,
    )
    adversarial_loss: str = setting(
        "bce",
        "bce: SRGAN's; relativistic: ESRGAN's relativistic average GAN; hinge; least_squares: LSGAN's; linear: 1 - D of the "
        "generator's images, D the probability of an original.",
        choices=ADVERSARIAL_LOSSES,
        fixed=True,
    )
    real_label: float = setting(
        1.0,
        "The label of originals before the discriminator: below 1, as 0.99, it need not be sure.",
        low=0.5,
        high=1.0,
        fixed=True,
    )
    tv_weight: float = setting(
        0.0,
        "Weight of the total variation of the output in the adversarial phase, no teacher.",
        low=0.0,
        fixed=True,
    )
    discriminator: str = setting(
        "srgan",
        "srgan: one logit a crop; srgan_dense100: the same with a small head; patch: one for 16×16 pixels; unet: one a pixel.",
        choices=DISCRIMINATORS,
        fixed=True,
    )
    discriminator_learning_rate: float | None = setting(
        None,
        "The discriminator's, where it is not --adversarial_learning_rate.",
        low=0.0,
        high=1.0,
    )
    generator_updates: int = setting(1, "Updates of the generator to each of the discriminator.", low=1, fixed=True)
    label_smoothing: float = setting(
        0.0,
        "How far, at most, labels 1 and 0 move towards each other at random, as 0.1.",
        low=0.0,
        high=0.5,
        fixed=True,
    )


@dataclass(frozen=True)
class Transfer:
    """From which teacher, by which method, with which weights."""

    heading: ClassVar[str] = "Transfer"
    method: str = setting("g2g_al", "How the teacher's knowledge is transferred.", choices=METHODS, fixed=True)
    teacher: str = setting(
        "runs/teacher", "The teacher: a run folder, a weight file, or a shipped network by name.", fixed=True
    )
    kd_weight: float | None = setting(
        None,
        "Weight of imitating the teacher's image, for squared differences of 8-bit levels, where the method has it.",
        low=0.0,
        fixed=True,
    )
    affinity_weight: float | None = setting(
        None,
        "Weight of relating features as the teacher does, where the method has it.",
        low=0.0,
        fixed=True,
    )
    al: str = setting(
        "after",
        "Adversarial learning after the transfer (the paper), or in one phase with it (its code).",
        choices=("after", "jointly"),
        fixed=True,
    )
    qat: bool = setting(
        False,
        "Quantisation-aware fine-tuning of a finished compact student (--init, by default the run of --method), for export with --quantize=int8.",
        fixed=True,
    )
    guide: str = setting(
        "student",
        "Whom the quantised student imitates with --qat: its own float self, or the teacher.",
        choices=("student", "teacher"),
        fixed=True,
    )
    cache_teacher: bool = setting(
        False,
        "Run the teacher once over the training images, keep its images in --cache_dir, and learn from those. "
        "Clipped to [0, 1]; a changed teacher or data set makes new ones.",
        fixed=True,
    )
    self_ensemble: bool = setting(
        False,
        "With --cache_teacher: the mean over all eight orientations, eight times the work.",
        fixed=True,
    )
    cache_format: str = setting(
        "uint8",
        "How --cache_teacher keeps them; float16 is twice the size.",
        choices=("uint8", "float16"),
        fixed=True,
    )
    teacher_images: str | None = setting(
        None,
        "Folder of images that any upscaler made of the low-resolution training images, instead of a teacher.",
        fixed=True,
        place=True,
    )
    labelled_share: float | None = setting(
        None,
        "Of the crops of every batch with --method=adapt, the part that comes from the originals of --hr_dir: 0.5 with --hr_dir, "
        "0 without.",
        low=0.0,
        high=1.0,
        fixed=True,
        equal=True,
    )
    export_lr: str | None = setting(
        None,
        "Write the low-resolution training images into this folder, for any upscaler and --teacher_images, and train nothing.",
        place=True,
        recorded=False,
    )


@dataclass(frozen=True)
class Run:
    """Where a run goes, and how it is watched."""

    heading: ClassVar[str] = "Run"
    run_dir: str | None = setting(
        None,
        "Folder of this run; started again with the same flags, it goes on where it stopped.",
        place=True,
    )
    new_run: bool = setting(
        False,
        "Begin afresh: a run already in --run_dir is moved aside, not deleted.",
        recorded=False,
    )
    seed: int = setting(0, "Seed of initial weights, crops and orientations.", low=0, high=2**32 - 1, fixed=True)
    checkpoint_every: int = setting(1000, "Steps between checkpoints.", low=1)
    validate_every: int = setting(1000, "Steps between validations.", low=1)
    log_every: int = setting(20, "Steps between entries in TensorBoard's curves.", low=1)
    keep: int = setting(3, "Checkpoints kept.", low=1, place=True)


@dataclass(frozen=True)
class ContentPhase:
    """The teacher that g2g and g2g_al learn from."""

    heading: ClassVar[str] = "Losses"
    content_steps: int = setting(
        0,
        "Updates of a side branch: the pixel-trained generator, trained on with the content term alone (2500 in the study of G2G). "
        "It becomes teacher.content.weights.h5, which g2g, g2g_al and g2g_fa learn from; the GAN phase begins without it.",
        low=0,
    )


@dataclass(frozen=True)
class Interpolation:
    """Generators between the faithful and the realistic teacher."""

    heading: ClassVar[str] = "Losses"
    interpolate_alpha: tuple[str, ...] = setting(
        (),
        "After the GAN phase, also write teacher.alpha_<a>.weights.h5 with the weights (1 - a) pixel + a GAN, for these a in [0, 1], with commas.",
        low=0.0,
        high=1.0,
    )


@dataclass(frozen=True)
class Budget:
    """A student chosen by its milliseconds."""

    heading: ClassVar[str] = "Latency budget"
    budget_ms: float | None = setting(
        None,
        "Choose the largest compact student that takes at most so many milliseconds here through LiteRT, instead of --student.",
        low=0.0,
    )
    budget_height: int = setting(180, "Height of the input that the budget is for, in pixels.", low=1)
    budget_width: int = setting(320, "Width of the input that the budget is for, in pixels.", low=1)


@dataclass(frozen=True)
class TrainingCommand(Command):
    """What every command that trains is told."""

    network: TeacherNetwork | StudentNetwork = StudentNetwork()
    pictures: Pictures = Pictures()
    training: Training = Training()
    run: Run = Run()
    losses: Losses = Losses()
    machine: Machine = Machine()

    rates: ClassVar[dict[str, float]] = {"adam": 5e-4, "muon": 2e-3}

    def completed(self) -> "TrainingCommand":
        """Where --optimizer is given and --learning_rate is not, that optimizer's own rate."""
        if "optimizer" in self.given and "learning_rate" not in self.given:
            return self.with_values(learning_rate=self.rates[self.training.optimizer])
        return self


_MUON = Training(optimizer="muon", learning_rate=TrainingCommand.rates["muon"])


@dataclass(frozen=True)
class TrainTeacher(TrainingCommand):
    """train_teacher.py: a pixel phase, a side branch on content alone, then a GAN phase."""

    network: TeacherNetwork = TeacherNetwork()
    rates: ClassVar[dict[str, float]] = {**TrainingCommand.rates, "adam": 1e-4}
    training: Training = Training(learning_rate=rates["adam"])
    losses: Losses = Losses(adversarial_steps=50_000)
    run: Run = Run(run_dir="runs/teacher")
    content: ContentPhase = ContentPhase()
    interpolation: Interpolation = Interpolation()


@dataclass(frozen=True)
class TrainStudent(TrainingCommand):
    """train_student.py: the baseline, without a teacher."""

    training: Training = _MUON
    run: Run = Run(run_dir="runs/student")
    budget: Budget = Budget()


@dataclass(frozen=True)
class Distill(TrainingCommand):
    """Teach a student from a teacher: knowledge transfer between generators.

        python distill.py --teacher=edsr_8x64 --dataset=folder --hr_dir=PHOTOS     from the shipped teacher, with g2g_al
        python distill.py --method=g2g                                             from runs/teacher, which train_teacher.py left
        python distill.py --qat --init=runs/g2g_al                                 then fine-tune it for 8-bit integers
        python distill.py --flagfile=recipes/lightened_g2g_al.txt                  as a published system did
        python distill.py --method=adapt --lr_dir=IMAGES                           a student for your app's images

    --method     the student learns                                                 published weights: content, kd, others
    g2g          to imitate a teacher trained on pixels, then on content              1, 0.001
    g2g_al       g2g, then adversarial learning (the published study's best)        1, 0.001, adversarial 0.001
    gan2g        to imitate a GAN-trained teacher                                   1, 0.001
    gan2g_al     gan2g, then adversarial learning                                   1, 0.001, adversarial 0.001
    gan2gan      gan2g_al, and to pass for the teacher before a 2nd discriminator   1, 0.001, adversarial 0.001
    comparative  to copy a GAN-trained teacher's images, nothing else               -, 1
    adversarial  to pass for the teacher before the teacher's own discriminator     8.128, 0.9999, adversarial 0.0001
    g2g_fa       g2g, and to relate the parts of an image as the teacher does       1, 0.001, affinity 0.001
    adapt        a teacher's images of your own (--lr_dir), which have no originals   none

    Those weights hold where no flag gives others. The run goes to runs/METHOD; its student.weights.h5 is the result.
    """

    training: Training = _MUON
    losses: Losses = Losses(adversarial_steps=20_000)
    transfer: Transfer = Transfer()
    unused: ClassVar[frozenset[str]] = frozenset({"pixel_weight", "tv_weight"})

    def groups(self) -> dict[str, Any]:
        """{field name: group}, the transfer first."""
        found = super().groups()
        return {"transfer": found.pop("transfer"), **found}

    def completed(self) -> "Distill":
        """--method=adapt brings its data set, and --hr_dir its share of a batch."""
        settings = super().completed()
        if settings.transfer.method != "adapt":
            return settings
        if "dataset" not in settings.given:
            settings = settings.with_values(dataset="unlabelled")
        if settings.pictures.hr_dir and settings.transfer.labelled_share is None:
            settings = settings.with_values(labelled_share=0.5)
        return settings


# Of all commands that train.
TRAINING_GROUPS = (
    Pictures,
    TeacherNetwork,
    StudentNetwork,
    Training,
    Machine,
    Losses,
    Transfer,
    Run,
    ContentPhase,
    Interpolation,
    Budget,
)
