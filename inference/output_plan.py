"""inference/output_plan.py: where the upscaled images go."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from absl import logging

from data.images import IMAGE_SUFFIXES, search
from errors import UserError, reason
from inference.writing import WRITABLE

# Videos that are written, and FFmpeg's names of their containers; videos that are read.
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
_READ_ONLY = ".3g2 .3gp .asf .avi .divx .dv .f4v .flv .m2t .m2ts .m2v .mod .mpe .mpeg .mpg .mts .mxf .ogm .ogv .qt .rm .tod .ts .vob .wmv"
READABLE_VIDEOS = frozenset((*CONTAINERS, *_READ_ONLY.split()))


def _refuse(error):
    raise error


def plan_outputs(
    inputs: str | Path | Iterable[str | Path],
    output: str | Path | None = None,
    *,
    scale: str = "4",
    suffix: str | None = None,
    extension: str | None = None,
    problem: Callable[[UserError], None] = _refuse,
) -> list[tuple[Path, Path]]:
    """Pair every image with the path of its result; nothing is decoded or written.

    inputs: a path or a list of paths, of image files and folders. A folder is searched as
    `data.images.search` does, its tree is mirrored, and the files of other kinds are counted in a
    line.
    output: None: a file's result stands beside it, a folder's in a folder beside it (FOLDER +
    suffix). A path with an
        image's suffix: the result of the one input file. A pattern, a path with {stem} in it:
        {folder}, {stem}, {ext} and {scale} are filled in for every image. Any other path: the
        folder for everything.
    suffix: added to every file's stem; "_x4" by default, for scale "4"; "" keeps the names.
    extension: of all results (".webp"); that of the source when None, and .png where it is only
    read (PPM).
    problem: called with a UserError for a subfolder that cannot be read, and for an image that is
    left out because its
        result would take the place of an original, or of an earlier image's result; raises it by
        default.

    Returns a list of (source, target), in the inputs' order, sorted within a folder. Left out are a
    folder's images under `output`, and those that bear the name of another's result: they are from
    an earlier call.

    Raises UserError for a missing input, for a folder without images, for a pattern with an unknown
    name and for an `output` whose name says another format than `extension`.
    """
    inputs = [_existing(Path(path)) for path in ([inputs] if isinstance(inputs, (str, Path)) else inputs)]
    suffix = f"_x{scale}" if suffix is None else suffix
    if output is not None and extension and not _takes_extension(str(output), extension):
        raise UserError(f"--output={output}: its name says the format; leave --format={extension[1:]} out")
    if output is not None and "{" in str(output):
        pairs = _by_pattern(inputs, str(output), scale=scale, extension=extension, problem=problem)
    elif output is not None and Path(output).suffix.lower() in WRITABLE and not os.path.isdir(output):
        pairs = [(_only_file(inputs, output), Path(output))]
    else:
        pairs = _by_folder(inputs, output and Path(output), suffix, extension, problem)
    return _distinct(pairs, problem)


def _takes_extension(output, extension):
    """Whether a result can have both the name and the suffix that are asked for."""
    suffix = Path(output).suffix.lower()
    return suffix not in WRITABLE or WRITABLE[suffix] == WRITABLE[extension] or os.path.isdir(output)


def _existing(path):
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path}: no such file or folder") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {reason(error)}") from error
    return path


def _only_file(inputs, output):
    if len(inputs) != 1 or inputs[0].is_dir():
        raise UserError(f"{output}: one image cannot hold the results of several; give a folder")
    return inputs[0]


def _by_folder(inputs, output, suffix, extension, problem):
    pairs = []
    for path in inputs:
        if path.is_dir():
            folder = _folder_beside(path, suffix) if output is None else output
            sources = _images_under(path, problem, leave_out=folder)
            its_own = [(source, folder / _renamed(source.relative_to(path), suffix, extension)) for source in sources]
            pairs += _without_results(its_own, path)
        else:
            folder = path.parent if output is None else output
            pairs.append((path, folder / _renamed(Path(path.name), suffix, extension)))
    return pairs


def _by_pattern(inputs, pattern, *, scale, extension, problem):
    pairs = []
    fixed = Path(pattern.partition("{")[0] + "x").parent  # the results' folder, as far as it is known
    for path in inputs:
        folder = path if path.is_dir() else path.parent
        sources, its_own = _images_under(path, problem, leave_out=fixed) if path.is_dir() else [path], []
        for source in sources:
            inside = source.relative_to(folder).parent if path.is_dir() else folder
            kept = source.suffix if source.suffix.lower() in WRITABLE else ".png"
            words = {"stem": source.stem, "folder": inside, "ext": (extension or kept)[1:], "scale": scale}
            try:
                its_own.append((source, Path(pattern.format_map(words))))
            except (KeyError, ValueError, IndexError, AttributeError) as error:
                known = ", ".join(f"{{{name}}}" for name in words)
                raise UserError(f"--output={pattern}: not a pattern ({error}); it may hold {known}") from error
        pairs += _without_results(its_own, path) if path.is_dir() else its_own
    return pairs


def _without_results(pairs, folder):
    """The pairs of a folder without the images that are the results of others, where they lie among
    them.
    """
    results = {os.path.realpath(target) for source, target in pairs if not _same(source, target)}
    kept = [(source, target) for source, target in pairs if os.path.realpath(source) not in results]
    if len(kept) < len(pairs):
        logging.info("%s: %d images left alone, the results of others there", folder, len(pairs) - len(kept))
    return kept


def _same(one, other):
    return os.path.realpath(one) == os.path.realpath(other)


def _folder_beside(path, suffix):
    path = path if path.name not in ("", "..") else path.resolve()  # "." and ".." have no name to extend
    return path.with_name(path.name + suffix)


def _images_under(folder, problem, *, leave_out):
    found = search(folder, leave_out=Path(os.path.realpath(leave_out)))
    for subfolder, why in found.unreadable:
        problem(UserError(f"{subfolder}: this folder cannot be read ({why}); what it holds is left out"))
    if found.others:
        kinds = ", ".join(f"{suffix} ({count})" for suffix, count in sorted(found.others.items()))
        count = found.others.total()
        left = "1 file of another kind" if count == 1 else f"{count} files of other kinds"
        logging.info("%s: %s left alone: %s", folder, left, kinds)
    if not found.images and not found.unreadable:
        raise UserError(f"{folder}: holds no images ({' '.join(sorted(IMAGE_SUFFIXES))})")
    return found.images


def _renamed(name, suffix, extension):
    kept = name.suffix if name.suffix.lower() in WRITABLE else ".png"
    return name.with_name(f"{name.stem}{suffix}{extension or kept}")


def _distinct(pairs, problem):
    """The pairs without those whose result would take the place of an original or of an earlier
    result.
    """
    taken, sources = {}, {os.path.realpath(source) for source, _ in pairs}
    for source, target in pairs:
        if os.path.realpath(target) in sources:
            problem(
                UserError(f"{target}: the result would take the place of an original; choose another name or folder")
            )
        elif target in taken:
            problem(
                UserError(
                    f"{target}: would be the result of both {taken[target]} and {source}; rename one, or call twice"
                )
            )
        else:
            taken[target] = source
    return [(source, target) for target, source in taken.items()]
