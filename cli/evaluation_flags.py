"""The flags of evaluate.py."""

from cli import define
from cli import flags as common

CHANNEL_NAMES = ["y", "y8", "rgb"]


def define_evaluation():
    """All flags of evaluate.py."""
    _define_comparison()
    _define_measures()
    _define_speed()
    _define_gates()
    _define_other_tables()
    common.define_pictures()


def _define_comparison():
    group = "Comparison"
    define.words(
        group,
        "models",
        None,
        "What to compare, with commas: bicubic, shipped networks by name, run folders, .weights.h5, .keras and .tflite files, SavedModel folders, "
        "folders of pictures that another upscaler made; NAME=FILE names a row.",
    )
    define.words(
        group,
        "benchmarks",
        None,
        "Folders of original pictures, as NAME:FOLDER, with commas; NAME:FOLDER:LR_FOLDER with given low-resolution files; NAME alone is a "
        "folder in --data_root. The student's validation pictures by default.",
    )
    define.string(group, "data_root", None, "Folder that holds the benchmarks' folders by name.")
    define.string(
        group, "teacher", "runs/teacher", "The teacher: a run folder, a weight file, or a shipped network by name."
    )
    define.string(
        group,
        "student",
        None,
        "The student's run folder; by default the newest under runs/, or the shipped networks where nothing was trained.",
    )
    define.string(
        group, "output", None, "Folder for the reports and pictures; evaluation/ in the student's run by default."
    )
    define.string(
        group,
        "baseline",
        None,
        "The row that costs are also given as ratios to, and that --max_drop and --max_ms_ratio refer to.",
    )


def _define_measures():
    group = "Measures"
    define.enum(
        group,
        "channel",
        "y",
        CHANNEL_NAMES,
        "What PSNR and SSIM are measured on. y: luma; y8: luma rounded to 8 bits, as MATLAB does; rgb: all three channels.",
    )
    define.integer(
        group, "border", None, "Pixels left out at every side of the output; the scale by default.", lower_bound=0
    )
    define.string(
        group, "lpips_weights", None, "The .npz file of LPIPS v0.1 with SqueezeNet 1.1; adds the LPIPS figures."
    )
    define.integer(group, "crops", 4, "Regions shown in comparison.png.", 1)


def _define_speed():
    group = "Speed"
    define.integer(group, "repetitions", 10, "Times that each model is timed; 0 leaves timing out.", lower_bound=0)
    define.integer(group, "height", 180, "Height of the input that is timed, in pixels.", 1)
    define.integer(group, "width", 320, "Width of the input that is timed, in pixels.", 1)
    define.integer(group, "threads", None, "Threads that a model may use; all cores by default.", 1)
    define.boolean(
        group, "memory", True, "Measure peak memory, each model in a process of its own. Not without timing."
    )


def _define_gates():
    group = "Gates (exit status 3 when a model other than bicubic and the baseline misses one)"
    define.words(
        group, "min_psnr", None, "Least PSNR in dB: a number for every benchmark, or BENCHMARK:NUMBER, with commas."
    )
    define.number(group, "max_drop", None, "Most dB that PSNR may lie below --baseline on any benchmark.")
    define.number(group, "max_ms_ratio", None, "Most time, as a ratio to --baseline.")


def _define_other_tables():
    group = "Other tables"
    define.words(
        group,
        "ledger",
        None,
        "Run folders, with commas or blanks: what knowledge transfer gained over the student trained alone, for runs that are equal in all else.",
    )
    define.words(
        group,
        "interpolate",
        None,
        "Two weight files or run folders of one network, with a comma: sweep alpha in (1 - alpha) * first + alpha * second.",
    )
    define.words(group, "alphas", None, "Values of alpha for --interpolate; 0 to 1 in steps of 0.1 by default.")
