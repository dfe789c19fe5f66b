"""Which images a command reads."""

from dataclasses import dataclass
from typing import ClassVar

from settings.fields import setting

DATASETS = ("div2k", "folder", "paired", "celeb_a", "sample", "unlabelled")
DEGRADATIONS = ("bicubic", "blur", "blur_lr", "photo", "real")
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
