"""Where the upscaled pictures go."""

import os
from pathlib import Path

from errors import UserError
from inference.reading import READABLE
from inference.writing import WRITABLE


def plan_outputs(inputs, output=None, *, scale="4", suffix=None, extension=None):
    """Pair every picture with the path of its result; nothing is read or written.

    inputs: a path or a list of paths, of picture files and folders. A folder is searched recursively for the
    suffixes in READABLE (links to folders are not followed), and its tree is mirrored.
    output: None: a file's result stands beside it, a folder's in a folder beside it (FOLDER + suffix). A path with a
        picture's suffix: the result of the one input file. A pattern, a path with {stem} in it: {folder}, {stem}, {ext}
        and {scale} are filled in for every picture. Any other path: the folder for everything.
    suffix: added to every file's stem; "_x4" by default, for scale "4"; "" keeps the names.
    extension: of all results (".webp"); that of the source when None, and .png where it is only read (PPM).

    Returns a list of (source, target), in the inputs' order, sorted within a folder. Pictures under `output`
    itself are left out: they are results of an earlier call.

    Raises UserError for a missing input, for a folder without pictures, for a pattern with an unknown name, and when
    two sources would share one target, or a target is itself a source.
    """
    inputs = [Path(path) for path in ([inputs] if isinstance(inputs, (str, Path)) else inputs)]
    suffix = f"_x{scale}" if suffix is None else suffix
    if output is not None and "{" in str(output):
        pairs = _by_pattern(inputs, str(output), scale=scale, extension=extension)
    else:
        output = None if output is None else Path(output)
        if output is not None and output.suffix.lower() in WRITABLE and not output.is_dir():
            pairs = [(_only_file(inputs, output), output)]
            _check_distinct(pairs)
            return pairs
        pairs = _by_folder(inputs, output, suffix, extension)
    _check_distinct(pairs)
    return pairs


def _only_file(inputs, output):
    if len(inputs) != 1 or inputs[0].is_dir():
        raise UserError(f"{output}: one picture cannot hold the results of several; give a folder")
    return _existing(inputs[0])


def _by_folder(inputs, output, suffix, extension):
    pairs = []
    for path in inputs:
        if _existing(path).is_dir():
            folder = _folder_beside(path, suffix) if output is None else output
            sources = _pictures_under(path, leave_out=folder)
            pairs += [(source, folder / _renamed(source.relative_to(path), suffix, extension)) for source in sources]
        else:
            folder = path.parent if output is None else output
            pairs.append((path, folder / _renamed(Path(path.name), suffix, extension)))
    return pairs


def _by_pattern(inputs, pattern, *, scale, extension):
    pairs = []
    fixed = Path(pattern.partition("{")[0] + "x").parent  # the results' folder, as far as it is known
    for path in inputs:
        folder = path if _existing(path).is_dir() else path.parent
        sources = _pictures_under(path, leave_out=fixed) if path.is_dir() else [path]
        for source in sources:
            inside = source.relative_to(folder).parent if path.is_dir() else folder
            kept = source.suffix if source.suffix.lower() in WRITABLE else ".png"
            words = {"stem": source.stem, "folder": inside, "ext": (extension or kept)[1:], "scale": scale}
            try:
                pairs.append((source, Path(pattern.format_map(words))))
            except (KeyError, ValueError, IndexError, AttributeError) as error:
                known = ", ".join(f"{{{name}}}" for name in words)
                raise UserError(f"--output={pattern}: not a pattern ({error}); it may hold {known}") from error
    return pairs


def _folder_beside(path, suffix):
    path = path if path.name not in ("", "..") else path.resolve()  # "." and ".." have no name to extend
    return path.with_name(path.name + suffix)


def _existing(path):
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    return path


def _pictures_under(folder, *, leave_out):
    found = []
    leave_out = leave_out.resolve()
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if (Path(parent) / name).resolve() != leave_out)
        found += [Path(parent) / name for name in sorted(names) if Path(name).suffix.lower() in READABLE]
    if not found:
        raise UserError(f"{folder}: holds no pictures ({' '.join(sorted(READABLE))})")
    return sorted(found)


def _renamed(name, suffix, extension):
    kept = name.suffix if name.suffix.lower() in WRITABLE else ".png"
    return name.with_name(f"{name.stem}{suffix}{extension or kept}")


def _check_distinct(pairs):
    taken, sources = {}, {source.resolve() for source, _ in pairs}
    for source, target in pairs:
        if target.resolve() in sources:
            raise UserError(f"{target}: the result would take the place of an original; choose another name or folder")
        if target in taken:
            raise UserError(
                f"{target}: would be the result of both {taken[target]} and {source}; rename one, or call twice"
            )
        taken[target] = source
