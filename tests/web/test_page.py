"""The page in headless Chromium, served from this machine with every other address refused."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.bicubic import upscale as bicubic
from inference import Upscaler

SAMPLE = Path(__file__).parent.parent.parent / "web" / "page" / "sample.png"
TINY = ["tiny", "tiny.int8"]
PHONE = {"viewport": {"width": 360, "height": 740}, "isMobile": True, "hasTouch": True, "deviceScaleFactor": 2}


def read(path):
    return np.array(Image.open(path).convert("RGB"))


def apart(path, expected):
    """The largest difference of an image file from an array, in 1/255."""
    picture = read(path).astype(int)
    assert picture.shape == expected.shape
    return np.abs(picture - expected).max()


@pytest.fixture(scope="module")
def expected(students_folder):
    """What the Python upscaler makes of the sample, by the name of the student."""
    lr = read(SAMPLE)
    return {path.stem: Upscaler(path).upscale(lr) for path in sorted(students_folder.glob("*.tflite"))}


@pytest.mark.slow
def test_every_student_gives_the_upscalers_picture(visit, expected):
    seen = visit("upscale")
    assert {result["name"] for result in seen["results"]} == set(expected)
    for result in seen["results"]:
        assert apart(result["path"], expected[result["name"]]) <= 1, result["name"]
        assert re.fullmatch(r"sample.png: 300 × 200 to 1200 × 800 in [\d.]+ m?s\.", result["status"])
    assert [name for name in seen["requested"] if name.endswith(".wasm")] == ["litert/litert_wasm_internal.wasm"]


def test_any_size_and_transparency(visit, students_folder, tmp_path):
    rng = np.random.default_rng(0)
    pictures = {f"{h}x{w}.png": rng.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((1, 1), (3, 70), (431, 250))}
    for name, rgb in pictures.items():
        Image.fromarray(rgb).save(tmp_path / name)
    logo = rng.integers(0, 256, (20, 30, 3), np.uint8)
    alpha = np.full((20, 30), 255, np.uint8)
    alpha[5:9, 7:20] = 0
    Image.fromarray(np.dstack([logo, alpha])).save(tmp_path / "logo.png")
    pictures["logo.png"] = np.where(alpha[..., None] == 0, np.uint8(255), logo)

    seen = visit("upscale", pictures=[str(tmp_path / name) for name in pictures], students=TINY)
    upscalers = {name: Upscaler(students_folder / f"{name}.tflite") for name in TINY}
    assert len(seen["results"]) == 8
    for result in seen["results"]:
        name = Path(result["picture"]).name
        assert apart(result["path"], upscalers[result["name"]].upscale(pictures[name])) <= 1, result
        assert result["status"].endswith("Transparent parts were filled with white.") == (name == "logo.png")


def test_what_is_seen_at_full_size(visit, expected):
    seen = visit("lookAround")
    assert seen["zoom"] == "100 %"
    for side, sr in (("student", expected[seen["student"]]), ("bicubic", bicubic(read(SAMPLE), 4))):
        view = read(seen["views"][side])[:, 20:-20]  # without the divider at the border
        # Beside many students the view is higher than the image.
        beyond = max(0, (view.shape[0] - sr.shape[0]) // 2 + 1)
        view = view[beyond : view.shape[0] - beyond]
        top, left = (sr.shape[0] - view.shape[0]) / 2, (sr.shape[1] - view.shape[1]) / 2
        assert any(
            np.abs(view.astype(int) - sr[y : y + view.shape[0], x : x + view.shape[1]]).max() <= 1
            for y in (int(top), int(top) + 1)
            for x in (int(left), int(left) + 1)
        ), side


def test_files_that_cannot_be_upscaled(visit, tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(SAMPLE.read_bytes()[:3000])
    Image.new("RGB", (17_000, 10)).save(tmp_path / "wide.png")
    seen = visit("refuse", pictures=[str(tmp_path / name) for name in ("notes.txt", "cut.png", "wide.png")])
    unreadable = "is not an image that this browser can read. PNG, JPEG and WebP always are."
    assert seen["said"][:2] == [f"notes.txt {unreadable}", f"cut.png {unreadable}"]
    assert seen["said"][2].startswith("wide.png is too large: 4 times 17000 × 10 is 68000 × 40, ")
    assert seen["after"].startswith("sample.png: ")


@pytest.mark.slow
def test_a_large_picture_is_cancelled(visit, tmp_path):
    Image.open(SAMPLE).resize((4000, 3000)).save(tmp_path / "large.jpg")
    seen = visit("cancel", picture=str(tmp_path / "large.jpg"))
    assert re.fullmatch(r"Cancelled at [1-9]\d? %\.", seen["status"])
    assert seen["buttons"] == {"again": True, "cancel": False, "save": False}
    assert seen["longest"] < 1000  # ms without an answer; some tens on an idle machine
    assert seen["after"].startswith("sample.png: ")


def test_phone(visit, expected):
    seen = visit("upscale", context=PHONE, students=["tiny"])
    assert apart(seen["results"][0]["path"], expected["tiny"]) <= 1
    assert seen["viewport"]["overflow"] <= 0
    assert seen["viewport"]["smallest"] >= 40


def test_a_laptop_shows_everything_without_scrolling(visit):
    seen = visit("upscale", context={"viewport": {"width": 1366, "height": 768}}, students=["compact_s", "tiny"])
    assert seen["empty"]["share"] <= 0.7 and seen["shown"]["share"] <= 0.7
    assert "empty" in seen["empty"]["seen"]
    assert {"divider", "zoom-out", "zoom-in", "fit", "actual-size", "save"} <= set(seen["shown"]["seen"])
    assert seen["empty"]["outside"] == seen["shown"]["outside"] == [] and seen["viewport"]["overflow"] <= 0


GPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]


@pytest.mark.slow
def test_the_graphics_card_gives_the_processors_image(visit, expected):
    """Chromium's software adapter for WebGPU; what it does not run goes to the processor, and the
    page says so.
    """
    seen = visit("upscale", arguments=GPU, gpu=True, students=["compact_xs", "compact_s", "tiny.int8"])
    on_gpu = {result["name"]: "on the graphics card" in result["status"] for result in seen["results"]}
    assert on_gpu["compact_xs"] and on_gpu["compact_s"]
    for result in seen["results"]:
        assert apart(result["path"], expected[result["name"]]) <= 2, result["name"]
        assert on_gpu[result["name"]] or "the graphics card cannot run this network" in result["status"]


def test_without_a_graphics_card_there_is_no_such_choice(visit):
    assert not visit("start", arguments=["--disable-features=WebGPU", "--disable-gpu"])["gpu"]


def test_keyboard(visit):
    seen = visit("useKeyboard")
    controls = {"view", "divider", "zoom-out", "zoom-in", "fit", "actual-size", "file", "sample", "save", "student"}
    assert set(seen["reached"]) == controls
    assert seen["students"][0] != seen["students"][1]
    full, nearer, back, moved, fitted = (int(zoom.rstrip(" %")) for zoom in seen["zooms"])
    assert (full, nearer, back, moved) == (100, 125, 100, 100) and fitted < 100
    assert seen["divider"] == "50.5"


def test_mouse_and_fingers(visit):
    seen = visit("useMouseAndFingers", context={"hasTouch": True})
    fitted, scrolled, pinched = (int(zoom.rstrip(" %")) for zoom in seen["zooms"])
    assert scrolled == fitted  # the wheel belongs to the page until the view has the focus
    assert 195 <= pinched <= 205
    assert seen["divider"] == pytest.approx(25, abs=1)


def test_drop_paste_and_save(visit):
    seen = visit("dropAndPaste")
    assert [line.partition(":")[0] for line in seen["said"]] == ["drop.png", "paste.png"]
    assert seen["download"] == "paste_x4.png"


def test_without_simd_the_page_says_so(visit):
    seen = visit("start", arguments=["--js-flags=--no-enable-sse4-1"])
    assert seen["status"].startswith("This browser has no WebAssembly SIMD")
    assert not seen["usable"]


@pytest.mark.parametrize(
    "options, build",
    [({"isolated": True}, "threaded"), ({"relaxedSimd": False}, "compat")],
    ids=["threads", "without relaxed SIMD"],
)
def test_other_builds_of_the_runtime(visit, expected, options, build):
    seen = visit("upscale", students=TINY, **options)
    assert f"litert/litert_wasm_{build}_internal.wasm" in seen["requested"]
    for result in seen["results"]:
        assert apart(result["path"], expected[result["name"]]) <= 1
