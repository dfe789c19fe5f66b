"""What config.txt, report.json and done.json of a run hold, read as if a stranger had written them."""

import re
from pathlib import Path

from records import DamagedError, read_json, read_text

_SUMMARY = {"phase": str, "steps": int, "seconds": float, "metrics": {str: float}}
DONE = {**_SUMMARY, "weights_sha256": str}
_OPTIONAL = {f"{name}?": kind for name, kind in _SUMMARY.items() if name != "steps"}
_TEXTS = ("method", "teacher", "student", "float_student", "command", "finished", "commit")
_REPORT = {
    "phases": [{"steps": int, **_OPTIONAL}],
    "seed?": int,
    "seconds_this_time?": float,
    **{f"{name}?": (str, None) for name in _TEXTS},
}


def read_config(path):
    """{flag: value as text} of a config.txt. Raises FileNotFoundError where there is none, DamagedError where it is none of ours."""
    flags = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        found = re.fullmatch(r"--(\w+)=(.*)", line)
        if found:
            flags[found[1]] = found[2]
        elif line and not line.startswith("#"):
            raise DamagedError(f"{path}: line {number} is no --flag=value")
    return flags


def read_history(path):
    """The comments of a config.txt, a line each: what has changed in the course of the run."""
    try:
        return [line for line in read_text(path).split("\n") if line.startswith("#")]
    except FileNotFoundError:
        return []


def read_report(folder):
    """The report.json of a run. Raises FileNotFoundError where there is none, DamagedError where it is none of ours."""
    return read_json(Path(folder) / "report.json", {**_REPORT, "earlier?": [{}]})
