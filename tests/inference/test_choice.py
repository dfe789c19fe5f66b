"""Which network enlarges which file where nobody names one: two real ones in a folder of their own,
whose results tell them apart.
"""

import io
import json
import shutil

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

import weights
from data.image_reader import open_image, read_still
from errors import UserError
from inference.choice import trace_of_loss
from inference.session import upscale_all
from models import build_generator, save_weights
from settings.files import Upscaling

BRIGHTER = 40  # what the second network adds, in levels; both repeat pixels


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shipped")
    for name, more in ((weights.DEFAULT, 0), (weights.PHOTO, BRIGHTER)):
        model = build_generator("compact_xs", depth=1, width=4)
        model.set_weights([np.zeros_like(array) for array in model.get_weights()])
        model.tail.bias.assign(np.full(48, more / 255, np.float32))
        save_weights(model, folder / f"{name}.weights.h5")
        (folder / f"{name}.json").write_text(json.dumps({"scale": 4}))
    return folder


@pytest.fixture(scope="module")
def photograph():
    return data.astronaut()[40:136, 180:276] // 2  # no white, which could not become brighter


@pytest.fixture
def run(shipped, tmp_path, monkeypatch, caplog):
    """`f(*words, **settings)`: (exit status, lines about models); results beside the files of the
    current folder.
    """
    monkeypatch.chdir(tmp_path)

    def run(*words, folder=shipped, **settings):
        caplog.clear()
        with caplog.at_level("INFO", logger="absl"):
            status = upscale_all(Upscaling(**settings), list(words), shipped=folder)
        return status, [record.getMessage() for record in caplog.records if record.getMessage().startswith("model: ")]

    return run


def encoded(image, file_format, **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, file_format, **options)
    return file.getvalue()


def files_of(photograph):
    """{name: (content, how `trace_of_loss` ends the sentence)}; names that lie about their content
    among them.
    """
    jpeg = encoded(photograph, "JPEG", quality=50)
    decoded = np.asarray(Image.open(io.BytesIO(jpeg)))
    frames = [Image.fromarray(np.roll(photograph, 8 * i, 1)) for i in range(3)]
    moving = {"save_all": True, "append_images": frames[1:], "duration": 100}
    tiff = io.BytesIO()
    tifffile.imwrite(tiff, photograph, photometric="rgb", compression="jpeg", compressionargs={"level": 100})
    return {
        "a.jpg": (jpeg, "is a JPEG of quality 50"),
        "fine.jpg": (encoded(photograph, "JPEG", quality=100, subsampling=0), None),
        "liar.png": (jpeg, "is a JPEG of quality 50"),
        "again.jpg": (encoded(decoded, "JPEG", quality=95), "shows JPEG blocks"),
        "lossy.webp": (encoded(photograph, "WEBP", quality=95), "is lossy WebP"),
        "alpha.webp": (encoded(np.dstack([photograph, photograph[..., 0]]), "WEBP", quality=95), "is lossy WebP"),
        "moving.webp": (encoded(photograph, "WEBP", quality=90, **moving), "is lossy WebP"),
        "inside.tif": (tiff.getvalue(), "is a TIFF with JPEG inside"),
        "screenshot.png": (encoded(decoded[3:, 5:], "PNG"), "shows JPEG blocks"),
        "screenshot.webp": (encoded(decoded, "WEBP", lossless=True), "shows JPEG blocks"),
        "screenshot.bmp": (encoded(decoded, "BMP"), "shows JPEG blocks"),
        "grey.png": (encoded(decoded[..., 1], "PNG"), "shows JPEG blocks"),
        "deep.tif": (encoded(decoded[..., 1].astype(np.uint16) * 257, "TIFF"), "shows JPEG blocks"),
        "clean.png": (encoded(photograph, "PNG"), None),
        "clean.jpg": (encoded(photograph, "PNG"), None),
        "clean.tif": (encoded(photograph, "TIFF"), None),
        "clean.bmp": (encoded(photograph, "BMP"), None),
        "clean.gif": (encoded(photograph, "GIF"), None),
        "clean.webp": (encoded(photograph, "WEBP", lossless=True), None),
        "still.webp": (encoded(photograph, "WEBP", lossless=True, exif=b"Exif\0\0MM\0*\0\0\0\10\0\0"), None),
        "cartoon.webp": (encoded(photograph, "WEBP", lossless=True, **moving), None),
        "icon.png": (encoded(photograph[:16, :16], "PNG"), None),
    }  # fmt: skip


def test_every_kind_of_file_by_its_content(photograph, tmp_path):
    found = {}
    for name, (content, _) in files_of(photograph).items():
        (tmp_path / name).write_bytes(content)
        with open_image(tmp_path / name) as image:
            found[name] = trace_of_loss(tmp_path / name, image if hasattr(image, "colours") else next(image.frames))
    assert found == {name: trace for name, (_, trace) in files_of(photograph).items()}


def test_a_jpeg_whose_tables_have_other_numbers(photograph, tmp_path):
    """Any of four numbers names a table; some cameras begin with 1."""
    content = bytearray(encoded(photograph[..., 0], "JPEG", quality=50))
    table, frame = content.index(b"\xff\xdb"), content.index(b"\xff\xc0")
    content[table + 4] = content[frame + 12] = 1
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with open_image(path) as image:
        assert trace_of_loss(path, image) == "is a JPEG of quality 50"


def test_a_lossless_frame_before_a_lossy_one(photograph, tmp_path):
    """As `img2webp -mixed` makes them: the chunks of two animations, put together by hand."""
    frames = [Image.fromarray(np.roll(photograph, 8 * i, 1)) for i in range(2)]
    chunks = []
    for options in ({"lossless": True}, {"quality": 50}):
        content = encoded(photograph, "WEBP", save_all=True, append_images=frames[1:], **options)
        at, found = 12, {}
        while at < len(content):
            length = int.from_bytes(content[at + 4 : at + 8], "little")
            found.setdefault(content[at : at + 4], content[at : at + 8 + length + length % 2])
            at += 8 + length + length % 2
        chunks.append(found)
    lossless, lossy = chunks
    body = b"WEBP" + lossless[b"VP8X"] + lossless[b"ANIM"] + lossless[b"ANMF"] + lossy[b"ANMF"]
    path = tmp_path / "mixed.webp"
    path.write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)
    assert Image.open(path).n_frames == 2
    with open_image(path) as image:
        assert trace_of_loss(path, next(image.frames)) == "is lossy WebP"
    path.write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body.replace(b"VP8 ", b"JUNK"))
    assert trace_of_loss(path, read_still_of(photograph, tmp_path)) is None


def read_still_of(photograph, folder):
    (folder / "still.png").write_bytes(encoded(photograph, "PNG"))
    return read_still(folder / "still.png")


def enlarged(image, more):
    return image.repeat(4, 0).repeat(4, 1).astype(int) + more


def test_a_folder_takes_both_and_says_every_change(run, photograph, tmp_path):
    names = ["a.jpg", "clean.png", "liar.png", "screenshot.bmp"]
    files = files_of(photograph)
    (tmp_path / "in").mkdir()
    for name in names:
        (tmp_path / "in" / name).write_bytes(files[name][0])
    status, said = run("in", format="png")
    assert status == 0
    assert said[:2] == [
        "model: compact_s_photo, because a.jpg is a JPEG of quality 50; --model takes another",
        "model: compact_s, because clean.png shows no strong loss; --model takes another",
    ]
    lossy = [bool(files[name][1]) for name in names]
    changed = [name for i, name in enumerate(names) if i == 0 or lossy[i] != lossy[i - 1]]
    assert [line.split()[3] for line in said] == changed
    for name in names:
        source = np.asarray(Image.open(tmp_path / "in" / name))
        result = np.asarray(Image.open(tmp_path / f"in_x4/{name.partition('.')[0]}_x4.png")).astype(int)
        np.testing.assert_array_equal(result, enlarged(source, BRIGHTER if files[name][1] else 0))


def test_a_named_network_for_clean_images_warns_once_of_a_lossy_one(run, photograph, tmp_path, caplog):
    for name in ("a.jpg", "liar.png", "clean.png"):
        (tmp_path / name).write_bytes(files_of(photograph)[name][0])
    warning = "a.jpg is a JPEG of quality 50: compact_xs.int8 enlarges that too; compact_s_photo removes it"
    for words, model, expected in (
        (["clean.png"], "compact_xs.int8", []),
        (["a.jpg", "liar.png"], "compact_xs.int8", [warning]),
        (["a.jpg"], "compact_s_photo.int8", []),
    ):
        assert run(*words, model=model, output="out/", overwrite=True) == (0, [])
        assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == expected


def test_what_is_done_stays_done_and_opens_nothing(run, photograph, shipped, tmp_path):
    files = files_of(photograph)
    (tmp_path / "in").mkdir()
    for name in ("a.jpg", "clean.png"):
        (tmp_path / "in" / name).write_bytes(files[name][0])
    assert len(run("in")[1]) == 2
    made = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (tmp_path / "in_x4").iterdir()}
    assert run("in") == (0, [])
    (tmp_path / "in" / "new.png").write_bytes(files["screenshot.png"][0])
    assert run("in") == (0, ["model: compact_s_photo, because new.png shows JPEG blocks; --model takes another"])
    assert all((path.stat().st_mtime_ns, path.read_bytes()) == before for path, before in made.items())
    assert sorted(path.name for path in (tmp_path / "in_x4").iterdir()) == ["a_x4.jpg", "clean_x4.png", "new_x4.png"]


def test_only_the_network_that_is_needed_is_opened(run, photograph, shipped, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(shipped, broken)
    (broken / "compact_s.weights.h5").write_bytes(b"damaged")
    for name in ("a.jpg", "clean.png"):
        (tmp_path / name).write_bytes(files_of(photograph)[name][0])
    assert run("a.jpg", folder=broken)[0] == 0
    assert run("clean.png", folder=broken)[0] == 1


@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize("name", ["a.jpg", "clean.png", "moving.webp", "cartoon.webp"])
def test_files_of_every_size_and_animations_take_the_chosen_network(
    run, photograph, tmp_path, monkeypatch, small, name
):
    if not small:
        monkeypatch.setattr("inference.image_files._SMALL_FILE", 0)
    content, trace = files_of(photograph)[name]
    (tmp_path / name).write_bytes(content)
    assert run(name, output="b.png")[0] == 0
    source, result = (np.asarray(Image.open(tmp_path / file).convert("RGB")) for file in (name, "b.png"))
    np.testing.assert_array_equal(result, enlarged(source, BRIGHTER if trace else 0))


def test_a_named_network_is_taken_for_all(run, photograph, shipped, tmp_path):
    for name in ("a.jpg", "clean.png"):
        (tmp_path / name).write_bytes(files_of(photograph)[name][0])
        assert run(name, output="b.png", overwrite=True, model=str(shipped / "compact_s_photo.weights.h5")) == (0, [])
        source = np.asarray(Image.open(tmp_path / name))
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b.png")), enlarged(source, BRIGHTER))


def without(shipped, folder):
    """The folder where the second network is not shipped."""
    shutil.copytree(shipped, folder, ignore=shutil.ignore_patterns(f"{weights.PHOTO}*"))
    return folder


def of_another_scale(shipped, folder):
    shutil.copytree(shipped, folder)
    (folder / f"{weights.PHOTO}.json").write_text(json.dumps({"scale": 2}))
    return folder


@pytest.mark.parametrize("make", [without, of_another_scale])
def test_where_there_is_no_choice_the_default_enlarges_everything(run, photograph, shipped, tmp_path, make):
    folder = make(shipped, tmp_path / "shipped")
    (tmp_path / "a.jpg").write_bytes(files_of(photograph)["a.jpg"][0])
    said = ["model: compact_s, as shipped; --model takes another"]
    assert run("a.jpg", output="b.png", folder=folder) == (0, said)
    source = np.asarray(Image.open(tmp_path / "a.jpg"))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b.png")), enlarged(source, 0))


def test_a_video_and_raw_frames_take_the_network_for_photographs(run, photograph, tmp_path, monkeypatch, capfdbinary):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "clip.mp4"), "w") as film:
        stream = film.add_stream("libx264", rate=10)
        stream.width = stream.height = 96
        for _ in range(2):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((96, 96, 3), 90, np.uint8), format="rgb24")))
        film.mux(stream.encode())
    assert run("clip.mp4", output="large.mp4") == (
        0,
        ["model: compact_s_photo, because clip.mp4 is a video; --model takes another"],
    )
    with av.open(str(tmp_path / "large.mp4")) as film:
        shown = next(film.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(shown.astype(int) - (90 + BRIGHTER)).max() <= 3
    with (tmp_path / "frames").open("wb+") as frames, monkeypatch.context() as patch:
        frames.write(photograph.tobytes())
        frames.seek(0)
        patch.setattr("sys.stdin", io.TextIOWrapper(frames))
        status, said = run("-", video_size="96x96")
    assert (status, said) == (0, ["model: compact_s_photo, because raw frames are a video's; --model takes another"])
    assert capfdbinary.readouterr().out == enlarged(photograph, BRIGHTER).astype(np.uint8).tobytes()


def test_strength_is_refused_before_the_first_file_where_it_has_no_two_trainings(run, photograph, tmp_path):
    if weights.of_one_form(weights.DEFAULT):
        pytest.skip("the default network has both trainings of one form")
    with pytest.raises(UserError, match="--strength: compact_s does not hold"):
        run("a.jpg", strength=0.5)
