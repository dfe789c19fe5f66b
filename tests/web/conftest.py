"""The page, built with small students of both forms and whatever is shipped, and a browser to visit
it.
"""

import json
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent.parent
DRIVER = Path(__file__).parent / "drive.mjs"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def students_folder(tmp_path_factory):
    """Files as export_tflite.py writes them: tiny.tflite, tiny.int8.tflite, with weights that are
    not their initial ones, and the shipped ones.
    """
    import keras

    import models
    from export import Limits, write_checked

    folder = tmp_path_factory.mktemp("students")
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    model = models.build_generator("compact_xs", depth=2, width=8)
    for weight in model.weights:
        weight.assign(weight + rng.normal(0, 0.05, weight.shape))
    pictures = [(rng.integers(0, 256, (40, 48, 3), np.uint8), rng.integers(0, 256, (160, 192, 3), np.uint8))]
    calibration = [lr[None] / np.float32(255) for lr, _ in pictures]
    write = partial(write_checked, model, pairs=pictures, limits=Limits(None, 60), timed=(16, 16))
    write(folder / "tiny.tflite")
    write(folder / "tiny.int8.tflite", quantize="int8", calibration=calibration)
    for path in (ROOT / "weights").glob("*.tflite"):
        for part in (path, path.with_suffix(".json")):
            shutil.copy(part, folder)
    return folder


@pytest.fixture(scope="session")
def page_folder(students_folder, tmp_path_factory):
    """The page as `make web` builds it."""
    if not (ROOT / "web" / "node_modules" / "playwright-core").is_dir():
        pytest.skip("playwright-core and LiteRT.js are not installed: npm ci --prefix web")
    output = tmp_path_factory.mktemp("page") / "web"
    command = [sys.executable, "-m", "web.build", f"--models={students_folder}", f"--output={output}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return output


class Handler(SimpleHTTPRequestHandler):
    """Files as `python -m http.server` serves them, and without a line for each; with the headers
    that allow threads where asked.
    """

    def __init__(self, *args, isolated=False, **kwargs):
        self.isolated = isolated
        super().__init__(*args, **kwargs)

    def end_headers(self):
        if self.isolated:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def visit(page_folder, tmp_path_factory):
    """A function that plays one of drive.mjs's scenarios in headless Chromium and returns what was
    seen.
    """
    node, browser = shutil.which("node"), next(filter(None, map(shutil.which, BROWSERS)), None)
    if not node or not browser:
        pytest.skip(f"{'node' if not node else 'Chromium'} is not installed")
    servers = {}
    for isolated in (False, True):
        handler = partial(Handler, directory=str(page_folder), isolated=isolated)
        servers[isolated] = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=servers[isolated].serve_forever, daemon=True).start()

    def run(scenario, *, isolated=False, **options):
        url = f"http://127.0.0.1:{servers[isolated].server_port}/"
        folder = tmp_path_factory.mktemp(scenario)
        wanted = {"scenario": scenario, "url": url, "browser": browser, "folder": str(folder), **options}
        done = subprocess.run([node, str(DRIVER), json.dumps(wanted)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)
        assert seen["elsewhere"] == [], "the page asked for something that is not its own"
        assert seen["problems"] == []
        return seen

    yield run
    for server in servers.values():
        server.shutdown()
        server.server_close()
