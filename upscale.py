"""Enlarge pictures and videos: upscale.py PICTURE, FOLDER or VIDEO … [--output FILE, FOLDER or PATTERN]

A picture's result is written beside it as NAME_x4.png (or whatever the picture's format is), a folder's into FOLDER_x4. Existing files are left alone
unless --overwrite is given; a folder that was begun goes on where it stopped. "-" is a stream
of raw RGB frames from standard input to standard output.
"""

import signal
import sys
from pathlib import Path

from absl import flags, logging

from cli import app

FLAGS = flags.FLAGS
_GROUP = app.GROUP + "Upscaling"
_FORMATS = ["png", "jpg", "webp", "tif", "bmp", "gif"]

flags.DEFINE_string(
    "output",
    None,
    "File, folder or pattern to write, such as 'large/{folder}/{stem}_x{scale}.{ext}'; beside the input by default.",
    module_name=_GROUP,
)
flags.DEFINE_enum("format", None, _FORMATS, "Format of the results; each picture's own by default.", module_name=_GROUP)
flags.DEFINE_integer("quality", 95, "Of JPEG and WebP.", 1, 100, module_name=_GROUP)
flags.DEFINE_boolean("overwrite", False, "Replace results that are there already.", module_name=_GROUP)
flags.DEFINE_boolean(
    "allow_large",
    False,
    "Take pictures of more than 64 megapixels, too (a small file can claim any size).",
    module_name=_GROUP,
)
flags.DEFINE_string(
    "model",
    None,
    "Network: the name of a shipped one, a run folder, a .tflite or a .weights.h5 file; by default the newest student under runs/, "
    "or compact_s where nothing was trained.",
    module_name=_GROUP,
)
flags.DEFINE_enum(
    "engine",
    "auto",
    ["auto", "tflite", "keras"],
    "Which file of a run folder: auto takes the fastest.",
    module_name=_GROUP,
)
flags.DEFINE_float(
    "strength",
    None,
    "From 0, true to the picture, to 1, as sharp as the adversarial phase made it: between two phases of a run folder, or both "
    "trainings of a shipped network.",
    0.0,
    1.0,
    module_name=_GROUP,
)
flags.DEFINE_boolean(
    "self_ensemble", False, "Average over eight orientations: a little better, eight times slower.", module_name=_GROUP
)
flags.DEFINE_boolean("preserve_color", False, "Keep the picture's own low frequencies.", module_name=_GROUP)
flags.DEFINE_float(
    "scale", None, "How many times larger, up to 16; the network's own factor by default.", 0.01, 16, module_name=_GROUP
)
flags.DEFINE_integer("width", None, "Width of the result in pixels, instead of --scale.", 1, module_name=_GROUP)
flags.DEFINE_integer("height", None, "Height of the result in pixels, instead of --scale.", 1, module_name=_GROUP)
flags.DEFINE_string(
    "fit", None, "Box that the result fits into, such as 1920x1080, instead of --scale.", module_name=_GROUP
)
flags.DEFINE_integer("threads", None, "Threads of the network; all cores by default.", 1, module_name=_GROUP)
flags.DEFINE_integer(
    "memory_mb",
    None,
    "About how much memory to take in all, 600 if possible; decides how large the tiles are that are computed at a time.",
    1,
    module_name=_GROUP,
)
flags.DEFINE_integer("tile", None, "Side of the tiles in input pixels, instead of --memory_mb.", 1, module_name=_GROUP)
flags.DEFINE_boolean(
    "compare",
    False,
    "Also write NAME.compare.png: the result beside bicubic, and where they differ most.",
    module_name=_GROUP,
)
flags.DEFINE_boolean("preview", False, "Of a video, the first two seconds only.", module_name=_GROUP)
flags.DEFINE_enum(
    "deinterlace",
    "auto",
    ["auto", "off"],
    "Of a video, turn interlaced frames into whole ones first, or enlarge them with their combs.",
    module_name=_GROUP,
)
flags.DEFINE_string("video_size", None, "WIDTHxHEIGHT of the raw frames on standard input.", module_name=_GROUP)
flags.DEFINE_alias("o", "output")


def main(inputs):
    """Upscale each input; a failure is a line, and the others go on. Returns 1 when one failed."""
    from errors import UserError
    from inference.output_plan import plan_outputs
    from inference.video import READABLE_VIDEOS

    if not inputs:
        raise UserError("name a picture or a folder: upscale.py photo.jpg")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leaves no half file either
    size = asked_size()
    upscaler = open_upscaler()
    extension = f".{FLAGS.format}" if FLAGS.format else None
    label = size.label if size else str(upscaler.scale)
    if inputs == ["-"]:
        return upscale_stream(upscaler, size)
    videos = [word for word in inputs if Path(word).suffix.lower() in READABLE_VIDEOS]
    pictures = [word for word in inputs if word not in videos]
    failed = upscale_videos(upscaler, [Path(video) for video in videos], size, label)
    if pictures:
        pairs = plan_outputs(pictures, FLAGS.output, scale=label, extension=extension)
        failed = upscale_pictures(upscaler, pairs, size) or failed
    return int(failed)


def asked_size():
    """The Size that --scale, --width, --height or --fit ask for; None for the network's own. Raises UserError."""
    from errors import UserError
    from inference.sizes import Size, parse_box

    given = [name for name in ("scale", "width", "height", "fit") if FLAGS[name].value is not None]
    if len(given) > 1:
        raise UserError(f"--{given[0]} and --{given[1]}: give one; --fit=WIDTHxHEIGHT is the box for both sides")
    if FLAGS.fit:
        return parse_box(FLAGS.fit)
    return Size(scale=FLAGS.scale, width=FLAGS.width, height=FLAGS.height) if given else None


def open_upscaler():
    """The upscaler that the flags describe. Raises UserError."""
    from inference import Upscaler
    from inference.composition import PreservedColour, SelfEnsemble
    from inference.engines import use_tensorflow_threads
    from inference.strength import interpolated, phase_files
    from inference.upscaler import open_engine

    model = FLAGS.model or default_model()
    if FLAGS.strength is not None:
        use_tensorflow_threads(FLAGS.threads)
        model = interpolated(*phase_files(model), FLAGS.strength)
    engine = open_engine(model, threads=FLAGS.threads, kind=FLAGS.engine)
    engine = SelfEnsemble(engine) if FLAGS.self_ensemble else engine
    engine = PreservedColour(engine) if FLAGS.preserve_color else engine
    return Upscaler(engine, tile=FLAGS.tile, memory_mb=FLAGS.memory_mb)


def default_model():
    """The newest student under runs/, or the shipped network where none was trained here. Raises UserError where neither is there."""
    import weights
    from cli.networks import newest_student_or_none

    model = newest_student_or_none() or weights.DEFAULT
    logging.info("model: %s", model)
    return model


def upscale_videos(upscaler, sources, size, label):
    """Upscale videos one after the other; a failure is a line, and the others go on. Returns whether one failed."""
    from errors import UserError

    failed, taken = False, {}
    for source in sources:
        try:
            target = video_target(source, label, alone=len(sources) == 1)
            if target in taken:
                raise UserError(f"{source}: its result would be {target}, which is that of {taken[target]}; give -o")
            taken[target] = source
            if len(sources) > 1 and target.is_file() and not FLAGS.overwrite:
                logging.info("%s was done already; --overwrite does it again", target)
                continue
            failed = upscale_one_video(upscaler, source, target, size) or failed
        except UserError as error:
            logging.error("%s", error)
            failed = True
    return failed


def video_target(source, label, *, alone):
    """Where a video's result goes. alone: whether it is the only one. Raises UserError."""
    from errors import UserError
    from inference.video import CONTAINERS

    extension = source.suffix if source.suffix.lower() in CONTAINERS else ".mp4"
    target = source.with_name(f"{source.stem}_x{label}{extension}")
    if FLAGS.output and "{" in FLAGS.output:
        raise UserError(f"--output={FLAGS.output}: a pattern is for pictures; give a file or a folder")
    if FLAGS.output and Path(FLAGS.output).suffix.lower() in CONTAINERS:
        if not alone:
            raise UserError(f"{FLAGS.output}: one video cannot hold the results of several; give a folder")
        target = Path(FLAGS.output)
    elif FLAGS.output:
        target = Path(FLAGS.output) / target.name
    return target


def upscale_one_video(upscaler, source, target, size):
    """Upscale a video under a progress bar, and say how fast it went. Returns whether something is wrong. Raises UserError."""
    from cli.progress import FileProgress
    from inference.video import upscale_video

    with FileProgress([source]) as progress:
        done = upscale_video(
            upscaler,
            source,
            target,
            size=size,
            preview=FLAGS.preview,
            deinterlace=FLAGS.deinterlace == "auto",
            overwrite=FLAGS.overwrite,
            advance=lambda share: progress.advance(source, share),
        )
    speed = done.frames / done.seconds
    logging.info("%s: %d frames in %.1f s, %.1f frames a second", target, done.frames, done.seconds, speed)
    for problem in done.problems:
        logging.error("%s", problem)
    if done.interrupted:
        logging.warning("%s: stopped; holds the frames up to there", target)
        raise KeyboardInterrupt
    return bool(done.problems)


def upscale_stream(upscaler, size):
    """Raw frames from standard input to standard output. Returns the exit status."""
    from errors import UserError
    from inference.sizes import parse_box
    from inference.video import upscale_raw

    if not FLAGS.video_size:
        raise UserError("-: raw frames need --video_size=WIDTHxHEIGHT")
    if FLAGS.output not in (None, "-"):
        raise UserError(f"--output={FLAGS.output}: raw frames go to standard output; redirect it")
    frame = parse_box(FLAGS.video_size, flag="video_size")
    count = upscale_raw(
        upscaler, sys.stdin.buffer, sys.stdout.buffer, width=frame.width, height=frame.height, size=size
    )
    logging.info("%d frames", count)
    return 0


def compare(source, target):
    """Write the comparison of one picture. Returns the errors, none or one."""
    from errors import UserError
    from inference.compare import write_comparison

    try:
        write_comparison(source, target, target.with_suffix(".compare.png"), overwrite=FLAGS.overwrite)
    except UserError as error:
        logging.error("%s", error)
        return [error]
    return []


def upscale_pictures(upscaler, pairs, size):
    """Upscale (source, target) pairs under one progress bar, then sum up. Returns 1 when one failed."""
    from cli.progress import FileProgress
    from inference.batch import upscale_files
    from inference.reading import MAX_PIXELS

    failed, skipped, written = [], 0, 0
    with FileProgress([source for source, _ in pairs]) as progress:
        events = upscale_files(
            upscaler,
            pairs,
            size=size,
            overwrite=FLAGS.overwrite,
            keep_done=len(pairs) > 1,
            quality=FLAGS.quality,
            max_pixels=None if FLAGS.allow_large else MAX_PIXELS,
            advance=progress.advance,
        )
        for event in events:
            progress.finish(event.source)
            skipped += event.skipped
            if event.error:
                failed.append(event.error)
                logging.error("%s", event.error)
            elif not event.skipped:
                written += 1
                logging.info("%s", event.target)
                if FLAGS.compare:
                    failed += compare(event.source, event.target)
    if skipped:
        logging.info("%d of %d were done already; --overwrite does them again", skipped, len(pairs))
    if failed and len(pairs) > 1:
        logging.error("%d of %d failed (%d written):", len(failed), len(pairs), written)
        for error in failed:
            logging.error("  %s", error)
    return 1 if failed else 0


if __name__ == "__main__":
    app.run(main, description=__doc__, tensorflow=False, operands=True)
