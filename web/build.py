"""Put the page into one folder that any web server can serve: `python -m web.build`, which `make web` runs.

The page offers every .tflite file in --models. LiteRT.js comes from web/node_modules (npm ci --prefix web).
"""

import json
import shutil
from pathlib import Path

from absl import flags, logging

from cli import app
from errors import UserError

FLAGS = flags.FLAGS
_GROUP = app.GROUP + "Page"

flags.DEFINE_string("models", "weights", "Folder of the exported students to offer.", module_name=_GROUP)
flags.DEFINE_string("output", "build/web", "Folder to make; an earlier page there is replaced.", module_name=_GROUP)

_HERE = Path(__file__).parent
_MANIFEST = "students.json"
_PACKAGES = _HERE / "node_modules" / "@litertjs"
# The builds of the runtime that the page may ask for: with relaxed SIMD, without it, with threads.
_BUILDS = ("litert_wasm_internal", "litert_wasm_compat_internal", "litert_wasm_threaded_internal")


def main():
    """Read the students first: nothing is written without one."""
    students = read_students(Path(FLAGS.models))
    output = Path(FLAGS.output)
    _make_room(output)
    shutil.copytree(_HERE / "page", output, dirs_exist_ok=True)
    copy_runtime(output / "litert")
    (output / "students").mkdir()
    for content, entry in students:
        (output / "students" / entry["file"]).write_bytes(content)
    (output / _MANIFEST).write_text(json.dumps([entry for _, entry in students], indent=1) + "\n")
    logging.info("%s: a page with %s", output, ", ".join(entry["name"] for _, entry in students))


def read_students(folder):
    """(content, entry) of each usable .tflite file in `folder`, see `read_student`; compact networks before others, the largest first, then by name.

    A file that the page cannot run is left out with a warning. Raises UserError when none is left.
    """
    from web.students import read_student

    students = []
    for path in sorted(folder.glob("*.tflite")):
        try:
            students.append(read_student(path))
        except UserError as error:
            logging.warning("%s; left out", error)
    if not students:
        raise UserError(
            f"--models={folder}: holds no exported student; make one with export_tflite.py --output={folder}/NAME.tflite, "
            "or name another folder (make web MODELS=FOLDER)"
        )
    return sorted(students, key=lambda student: _place(student[1]))


def _place(entry):
    # The page begins with the first: the best of those that were made for such machines.
    return not str(entry["network"]).endswith("Compact"), -entry["parameters"], entry["name"]


def copy_runtime(folder):
    """Copy LiteRT.js into `folder`. Raises UserError where it is not installed."""
    if not (_PACKAGES / "core").is_dir():
        raise UserError(f"{_PACKAGES}: LiteRT.js is not there; install it with: npm ci --prefix web")
    folder.mkdir()
    # Browsers know no package names inside a worker: the one import by name becomes one by path.
    index = (_PACKAGES / "core/dist/index.js").read_text()
    (folder / "index.js").write_text(index.replace('"@litertjs/wasm-utils"', '"./wasm-utils.js"'))
    shutil.copyfile(_PACKAGES / "wasm-utils/dist/index.js", folder / "wasm-utils.js")
    for build in _BUILDS:
        for suffix in (".js", ".wasm"):
            shutil.copyfile(_PACKAGES / "core/wasm" / (build + suffix), folder / (build + suffix))


def _make_room(output):
    """Remove an earlier page, and nothing else."""
    if output.exists() and not (output / _MANIFEST).is_file() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(f"--output={output}: is there already and holds no page; name another folder")
    shutil.rmtree(output, ignore_errors=True)


if __name__ == "__main__":
    app.run(main, description=__doc__, tensorflow=False)
