"""Which network is trained."""

from dataclasses import dataclass
from typing import ClassVar

from settings.fields import setting

GENERATORS = (
    *("srresnet", "compact_xs", "compact_s", "compact_m", "srresnet_8x32", "edsr_8x64", "rrdb", "rrdb_11x32"),
    *("compressed_rrdb", "compressed_rrdb_small", "fast_srgan", "fast_srgan_6x32", "fast_srgan_6x32_bilinear", "srvgg"),
)
TAILS = ("rgb", "luma")


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
