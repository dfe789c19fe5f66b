"""How long a network is trained, on what machine, where to; and the settings of train_teacher.py
and train_student.py.
"""

from dataclasses import dataclass
from typing import ClassVar

from settings.fields import Command, setting
from settings.losses import ContentPhase, Interpolation, Losses
from settings.network import Budget, StudentNetwork, TeacherNetwork
from settings.pictures import Pictures

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
OPTIMIZERS = ("adam", "muon")
SCHEDULES = ("constant", "cosine", "trapezoid", "step")
STRATEGIES = ("single", "mirrored", "multiworker", "tpu")


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
    decay_factor: float = setting(0.5, "What the rate is multiplied by there.", above=0.0, high=1.0, equal=True)
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


MUON = Training(optimizer="muon", learning_rate=TrainingCommand.rates["muon"])


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

    training: Training = MUON
    run: Run = Run(run_dir="runs/student")
    budget: Budget = Budget()
