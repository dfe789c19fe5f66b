"""What upscale.py does: images, folders, videos and streams under one progress bar; a failure is a
line, and the others go on.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from absl import logging
from tqdm import tqdm

import weights
from data.image_reader import MAX_PIXELS, Still
from errors import UserError
from inference.choice import Networks
from inference.compare import write_comparison
from inference.image_files import upscale_files
from inference.output_plan import CONTAINERS, READABLE_VIDEOS, plan_outputs
from inference.sizes import Size, iter_sized_strips, parse_box
from inference.upscaler import Upscaler
from inference.writing import WRITABLE
from settings.files import Upscaling


def upscale_all(settings: Upscaling, words: list[str], *, shipped: Path = weights.FOLDER) -> int:
    """Upscale what the words name. shipped: folder of the networks to choose from where none is
    named.

    Returns 1 when something failed. Raises UserError for what cannot be begun.
    """
    if not words:
        raise UserError("name an image or a folder: upscale.py photo.jpg")
    if "-" in words and words != ["-"]:
        raise UserError("-: raw frames from standard input go alone; call twice")
    if settings.output == "-" and words != ["-"]:
        raise UserError("--output=-: standard output is for raw frames from standard input; name a file or folder")
    _check_words(words, settings.output)
    size = asked_size(settings)
    networks = Networks(settings, shipped=shipped)
    label = size.label if size else str(networks.scale)
    session = _Session(settings, networks, size, label)
    if words == ["-"]:
        return session.stream()
    videos = [word for word in words if Path(word).suffix.lower() in READABLE_VIDEOS]
    images = [word for word in words if word not in videos]
    failed = session.videos([Path(video) for video in videos])
    return int((images and session.images(images)) or failed)


def _check_words(words: list[str], output: str | None) -> None:
    """Raises UserError for `upscale.py IN OUT`, and for a result of a kind that is not written."""
    last = Path(words[-1])
    if len(words) > 1 and last.suffix and not last.exists() and all(Path(word).exists() for word in words[:-1]):
        raise UserError(
            f"{last}: no such file; for the result to go there: upscale.py {' '.join(words[:-1])} -o {last}"
        )
    if not output or output == "-" or "{" in output or output.endswith(("/", os.sep)) or Path(output).is_dir():
        return
    suffix = Path(output).suffix.lower()
    if suffix and suffix not in (*WRITABLE, *CONTAINERS):
        known = " ".join((*WRITABLE, *CONTAINERS))
        raise UserError(f"--output={output}: cannot write {suffix}; use one of {known}, or for a folder {output}/")
    videos = [Path(word).suffix.lower() in READABLE_VIDEOS for word in words]
    if suffix in CONTAINERS and not any(videos):
        raise UserError(f"--output={output}: a video; {words[0]} is none")
    if suffix in WRITABLE and all(videos):
        raise UserError(f"--output={output}: an image; {words[0]} is a video, which {' '.join(CONTAINERS)} hold")


def asked_size(settings: Upscaling) -> Size | None:
    """The Size that --scale, --width, --height or --fit ask for; None for the network's own.

    Raises UserError.
    """
    given = [name for name in ("scale", "width", "height", "fit") if getattr(settings, name) is not None]
    if len(given) > 1:
        raise UserError(f"--{given[0]} and --{given[1]}: give one; --fit=WIDTHxHEIGHT is the box for both sides")
    if settings.fit:
        return parse_box(settings.fit)
    return Size(scale=settings.scale, width=settings.width, height=settings.height) if given else None


class _Session:
    """One call of upscale.py."""

    def __init__(self, settings: Upscaling, networks: Networks, size: Size | None, label: str) -> None:
        self._settings, self._networks, self._size, self._label = settings, networks, size, label

    def images(self, words: list[str]) -> bool:
        """Upscale image files and folders under one progress bar, then sum up.

        Returns whether one failed.
        """
        settings, failed, skipped, written = self._settings, [], 0, 0

        def fail(error: UserError) -> None:
            failed.append(error)
            logging.error("%s", error)

        extension = f".{settings.format}" if settings.format else None
        pairs = plan_outputs(words, settings.output, scale=self._label, extension=extension, problem=fail)
        sheets = _sheets(target for _, target in pairs) if settings.compare else {}
        left_out, began = len(failed), time.monotonic()
        with FileProgress([source for source, _ in pairs]) as progress:
            events = upscale_files(
                self._networks,
                pairs,
                size=self._size,
                overwrite=settings.overwrite,
                keep_done=len(pairs) > 1 or any(Path(word).is_dir() for word in words),
                quality=settings.quality,
                max_pixels=None if settings.allow_large else MAX_PIXELS,
                advance=progress.advance,
            )
            for event in events:
                progress.finish(event.source)
                skipped += event.skipped
                if event.error:
                    fail(event.error)
                elif not event.skipped:
                    written += 1
                    logging.info("%s", event.target)
                if event.target in sheets and not event.error:
                    self._compare(event.source, event.target, sheets[event.target], fail, again=event.skipped)
        if written and len(pairs) > 1:
            folder = _common_folder([target for _, target in pairs])
            logging.info("%d images in %.3g s -> %s/", written, time.monotonic() - began, folder)
        if skipped:
            logging.info("%d of %d were done already; --overwrite does them again", skipped, len(pairs))
        if failed and (count := len(pairs) + left_out) > 1:
            logging.error("%d of %d failed (%d written):", len(failed), count, written)
            for error in failed:
                logging.error("  %s", error)
        return bool(failed)

    def _compare(self, source: Path, target: Path, path: Path, fail, *, again: bool) -> None:
        """again: the result is from an earlier call, and so may be its sheet."""
        if again and path.is_file():
            return
        try:
            write_comparison(source, target, path, overwrite=self._settings.overwrite)
        except UserError as error:
            fail(error)
        except MemoryError:
            fail(UserError(f"{path}: not enough memory; the result itself is done"))

    def videos(self, sources: list[Path]) -> bool:
        """Upscale videos one after the other. Returns whether one failed."""
        failed, taken, originals = False, {}, {os.path.realpath(source) for source in sources}
        for source in sources:
            try:
                target = self._video_target(source, alone=len(sources) == 1)
                if os.path.realpath(target) in originals:
                    raise UserError(f"{target}: the result would take the place of an original; choose another name")
                if target in taken:
                    raise UserError(
                        f"{source}: its result would be {target}, which is that of {taken[target]}; give -o"
                    )
                taken[target] = source
                if len(sources) > 1 and target.is_file() and not self._settings.overwrite:
                    self._refuse_part(source, target)
                    logging.info("%s was done already; --overwrite does it again", target)
                    continue
                failed = self._video(source, target) or failed
            except UserError as error:
                logging.error("%s", error)
                failed = True
        return failed

    def _refuse_part(self, source: Path, target: Path) -> None:
        """Raises UserError where a video that is there already ends early."""
        from inference.video.source import seconds_of  # raises UserError where PyAV is missing

        whole, there = seconds_of(source), seconds_of(target)
        if whole and there and there + max(1.0, whole / 100) < whole and not self._settings.preview:
            raise UserError(
                f"{target}: is there already, with {there:.1f} s of the {whole:.1f} s of {source}: of a call that was "
                "stopped, or of --preview; --overwrite does it again"
            )

    def _video_target(self, source: Path, *, alone: bool) -> Path:
        extension = source.suffix if source.suffix.lower() in CONTAINERS else ".mp4"
        beside = source.with_name(f"{source.stem}_x{self._label}{extension}")
        output = self._settings.output
        if not output:
            return beside
        if "{" in output:
            raise UserError(f"--output={output}: a pattern is for images; give a file or a folder")
        if Path(output).suffix.lower() not in CONTAINERS:
            return Path(output) / beside.name
        if not alone:
            raise UserError(f"{output}: one video cannot hold the results of several; give a folder")
        return Path(output)

    def _video(self, source: Path, target: Path) -> bool:
        """Upscale a video under a progress bar, and say how fast it went.

        Returns whether something is wrong.
        """
        from inference.video.enlarging import upscale_video  # raises UserError where PyAV is missing

        form = "{n_fmt} of {total_fmt} frames |{bar}| {rate_fmt}, {remaining} left"
        with tqdm(unit=" frames", bar_format=form, disable=None) as bar:

            def advance(share: float) -> None:  # of one frame, as far as their number is known
                bar.total = round(1 / share)
                bar.update()

            done = upscale_video(
                self._networks.for_frames(f"{source} is a video"),
                source,
                target,
                size=self._size,
                preview=self._settings.preview,
                deinterlace=self._settings.deinterlace == "auto",
                overwrite=self._settings.overwrite,
                advance=advance,
            )
        speed = done.frames / done.seconds
        logging.info("%s: %d frames in %.1f s, %.1f frames a second", target, done.frames, done.seconds, speed)
        for problem in done.problems:
            logging.error("%s", problem)
        if done.interrupted:
            if not done.problems:
                logging.warning("%s: stopped; holds the frames up to there", target)
            raise done.interrupted
        return bool(done.problems)

    def stream(self) -> int:
        """Raw frames from standard input to standard output. Returns the exit status."""
        settings = self._settings
        if not settings.video_size:
            raise UserError("-: raw frames need --video_size=WIDTHxHEIGHT")
        if settings.output not in (None, "-"):
            raise UserError(f"--output={settings.output}: raw frames go to standard output; redirect it")
        frame = parse_box(settings.video_size, flag="video_size")
        if frame.width * frame.height > MAX_PIXELS and not settings.allow_large:
            raise UserError(
                f"--video_size={settings.video_size}: too large: more than {MAX_PIXELS / 1e6:g} megapixels; "
                "--allow_large takes it all the same"
            )
        pipes = sys.stdin.buffer, sys.stdout.buffer
        try:
            upscaler = self._networks.for_frames("raw frames are a video's")
            count = upscale_raw(upscaler, *pipes, width=frame.width, height=frame.height, size=self._size)
        except BrokenPipeError:  # who reads has enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes
            return 0
        if not count:
            raise UserError("-: standard input is empty; it takes raw RGB frames of 8 bits")
        logging.info("%d frames", count)
        return 0


def upscale_raw(
    upscaler: Upscaler, stdin: BinaryIO, stdout: BinaryIO, *, width: int, height: int, size: Size | None = None
) -> int:
    """Raw RGB frames of 8 bits (FFmpeg's `-f rawvideo -pix_fmt rgb24`) from one binary stream to
    another.

    Returns the number of frames. Raises UserError when the stream ends amid a frame.
    """
    count, length = 0, width * height * 3
    while chunk := stdin.read(length):
        if len(chunk) < length:
            raise UserError(f"-: ends amid frame {count + 1}: {len(chunk)} of {length} bytes; is --video_size right?")
        image = Still(np.frombuffer(chunk, np.uint8).reshape(height, width, 3))
        for strip in iter_sized_strips(upscaler, image, size):
            stdout.write(np.ascontiguousarray(strip))
        stdout.flush()
        count += 1
    return count


def _sheets(targets: Iterable[Path]) -> dict[Path, Path]:
    """{result: its comparison}, NAME.compare.png; the whole name, suffix too, where two results
    share it.
    """
    targets = list(targets)
    stems = Counter(target.with_suffix("") for target in targets)
    return {
        target: target.with_suffix(".compare.png")
        if stems[target.with_suffix("")] == 1
        else target.with_name(f"{target.name}.compare.png")
        for target in targets
    }


def _common_folder(paths: list[Path]) -> Path:
    """The folder that holds all of them, somewhere below it; as seen from here where it lies below
    here.
    """
    folder = Path(os.path.commonpath([path.absolute().parent for path in paths]))
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


class FileProgress:
    """`with FileProgress(paths) as progress`: one bar over many files, on a terminal only.

    Its time is measured in their bytes: a large image counts for more than a small one.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._sizes = {path: _bytes(path) for path in paths}
        self._shares = dict.fromkeys(self._sizes, 0.0)
        self._finished = 0
        self._bar = tqdm(
            total=sum(self._sizes.values()),
            bar_format="{percentage:3.0f}% |{bar}| {desc} {elapsed}, {remaining} left",
            disable=not sys.stderr.isatty(),
        )
        self._describe()

    def __enter__(self) -> "FileProgress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def advance(self, path: Path, share: float) -> None:
        """A share of the work on `path` is done."""
        self._shares[path] += share
        self._bar.update(share * self._sizes[path])

    def finish(self, path: Path) -> None:
        """All work on `path` is done, or will not be."""
        self._bar.update((1 - self._shares[path]) * self._sizes[path])
        self._finished += 1
        self._describe()

    def _describe(self) -> None:
        self._bar.set_description_str(f"{self._finished} of {len(self._sizes)} images,")


def _bytes(path):
    try:
        return max(1, path.stat().st_size)
    except OSError:  # it will be named when it is opened
        return 1
