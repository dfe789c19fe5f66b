"""Put the page into one folder that any web server can serve: `python -m web.build`, which `make
web` runs.

The page offers every .tflite file in --models. LiteRT.js comes from web/node_modules (npm ci
--prefix web).
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from absl import logging

from cli import app
from errors import UserError
from settings.fields import Command, setting

_HERE = Path(__file__).parent
_MANIFEST = "students.json"
_PACKAGES = _HERE / "node_modules" / "@litertjs"
# The builds of the runtime that the page may ask for: with relaxed SIMD, without it, with threads.
_BUILDS = ("litert_wasm_internal", "litert_wasm_compat_internal", "litert_wasm_threaded_internal")


@dataclass(frozen=True)
class Page:
    """What the page offers, and where it goes."""

    heading: ClassVar[str] = "Page"
    models: str = setting("weights", "Folder of the exported students to offer.")
    output: str = setting("build/web", "Folder to make; an earlier page there is replaced.")


@dataclass(frozen=True)
class Build(Command):
    """python -m web.build."""

    page: Page = Page()


def main(settings: Build) -> None:
    """Read the students first: nothing is written without one."""
    from web.students import read_students  # brings LiteRT

    students = read_students(Path(settings.page.models))
    output = Path(settings.page.output)
    _refuse_what_is_no_page(output)
    _require_runtime()
    shutil.rmtree(output, ignore_errors=True)
    shutil.copytree(_HERE / "page", output, dirs_exist_ok=True)
    copy_runtime(output / "litert")
    (output / "students").mkdir()
    for content, entry in students:
        (output / "students" / entry["file"]).write_bytes(content)
    (output / _MANIFEST).write_text(json.dumps([entry for _, entry in students], indent=1) + "\n")
    logging.info("%s: a page with %s", output, ", ".join(entry["name"] for _, entry in students))


def _require_runtime():
    if not (_PACKAGES / "core").is_dir():
        raise UserError(f"{_PACKAGES}: LiteRT.js is not there; install it with: npm ci --prefix web")


def copy_runtime(folder: Path) -> None:
    """Copy LiteRT.js into `folder`. Raises UserError where it is not installed."""
    _require_runtime()
    folder.mkdir()
    # Browsers know no package names inside a worker: the one import by name becomes one by path.
    index = (_PACKAGES / "core/dist/index.js").read_text()
    (folder / "index.js").write_text(index.replace('"@litertjs/wasm-utils"', '"./wasm-utils.js"'))
    shutil.copyfile(_PACKAGES / "wasm-utils/dist/index.js", folder / "wasm-utils.js")
    for build in _BUILDS:
        for suffix in (".js", ".wasm"):
            shutil.copyfile(_PACKAGES / "core/wasm" / (build + suffix), folder / (build + suffix))


def _refuse_what_is_no_page(output):
    if output.exists() and not (output / _MANIFEST).is_file() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(f"--output={output}: is there already and holds no page; name another folder")
    ours = {path.name for path in (_HERE / "page").iterdir()} | {"litert", "students", _MANIFEST}
    within = {"litert": (".js", ".wasm"), "students": (".tflite",)}
    others = [path for path in output.glob("*") if path.name not in ours]
    others += [
        path for name, suffixes in within.items() for path in (output / name).glob("*") if path.suffix not in suffixes
    ]
    if others:
        raise UserError(
            f"--output={output}: {others[0].name} there is none of the page's; move it, or name another folder"
        )


if __name__ == "__main__":
    app.run(main, Build(), description=__doc__)
