"""The settings of distill.py, and all groups of settings that training has."""

from dataclasses import dataclass
from typing import Any, ClassVar

from settings.fields import setting
from settings.losses import ContentPhase, Interpolation, Losses
from settings.network import Budget, StudentNetwork, TeacherNetwork
from settings.pictures import Pictures
from settings.training import MUON, Machine, Run, Training, TrainingCommand

METHODS = ("g2g", "g2g_al", "gan2g", "gan2g_al", "gan2gan", "comparative", "adversarial", "g2g_fa", "adapt")


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
        "Weight of imitating the teacher's image, for squared differences of 8-bit levels, where the method has it; "
        "by default what transfer/METHOD.py publishes.",
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
class Distill(TrainingCommand):
    """Teach a student from a teacher: knowledge transfer between generators.

        python distill.py --teacher=edsr_8x64 --dataset=folder --hr_dir=PHOTOS     from the shipped teacher, with g2g_al
        python distill.py --method=g2g                                             from runs/teacher, which train_teacher.py left
        python distill.py --qat --init=runs/g2g_al                                 then fine-tune it for 8-bit integers
        python distill.py --flagfile=recipes/lightened_g2g_al.txt                  as a published system did
        python distill.py --method=adapt --lr_dir=IMAGES                           a student for your app's images

    --method     the student learns                                                 published weights: content, kd, others
    g2g          to imitate a teacher trained on pixels, then on content            1, 0.001
    g2g_al       g2g, then adversarial learning (the published study's best)        1, 0.001, adversarial 0.001
    gan2g        to imitate a GAN-trained teacher                                   1, 0.001
    gan2g_al     gan2g, then adversarial learning                                   1, 0.001, adversarial 0.001
    gan2gan      gan2g_al, with a 2nd discriminator for the teacher's images        1, 0.001, adversarial 0.001
    comparative  to copy a GAN-trained teacher's images, nothing else               -, 1
    adversarial  to deceive the teacher's own discriminator                         8.128, 0.9999, adversarial 0.0001
    g2g_fa       g2g, and to relate the parts of an image as the teacher does       1, 0.001, affinity 0.001
    adapt        a teacher's images of your own, which have no originals            none

    Those weights hold where no flag gives others. The run goes to runs/METHOD; its
    student.weights.h5 is the result.
    """

    training: Training = MUON
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
