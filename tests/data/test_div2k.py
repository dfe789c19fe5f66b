"""DIV2K from a tiny data set in the true format: TensorFlow Datasets' own DIV2K builder prepares
it.

Only the four archives are ours: small zip files laid out as the organisers' are, in place of the 4
GB ones.
"""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from data.bicubic import downscale
from data.choice import open_source
from data.div2k import div2k
from data.store import open_store
from errors import UserError
from settings.pictures import DIV2K_TRACKS, Pictures


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_archives(folder, *, members, shapes):
    """Write the zip files; return TFDS' URLs for them and the (hr, lr) pairs, of which the last
    validates.

    members: `f(part, number)`, the path of an LR image in its archive.
    """
    rng = np.random.default_rng(3)
    files = {"train_hr": {}, "valid_hr": {}, "train_lr": {}, "valid_lr": {}}
    pictures = []
    for number, (hr_shape, lr_shape) in enumerate(shapes, start=1):
        part = "valid" if number == len(shapes) else "train"
        hr = rng.integers(0, 256, (*hr_shape, 3), dtype=np.uint8)
        lr = rng.integers(0, 256, (*lr_shape, 3), dtype=np.uint8)  # no downscale of hr: reading must not recompute it
        files[f"{part}_hr"][f"DIV2K_{part}_HR/{number:04d}.png"] = png(hr)
        files[f"{part}_lr"][members(part, number)] = png(lr)
        pictures.append((hr, lr))
    urls = {}
    for name, contents in files.items():
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            for member, content in contents.items():
                archive.writestr(member, content)
        urls[f"{name}_url"] = str(folder / f"{name}.zip")
    return urls, pictures


def prepare(tmp_path, monkeypatch, *, scale, lr_folder, shapes, track=None, suffix="", flat=False):
    """Let the real builder download (copy) and prepare the tiny archives; returns (data_dir,
    images).

    suffix: of an image's number and scale in its name. flat: no folder X4 in the archive, as the
    realistic tracks have it.
    """
    import tensorflow_datasets as tfds

    def member(part, number):
        return f"DIV2K_{part}_{lr_folder}/{'' if flat else f'X{scale}/'}{number:04d}x{scale}{suffix}.png"

    urls, pictures = write_archives(tmp_path, members=member, shapes=shapes)
    data_dir, track = tmp_path / "datasets", track or f"bicubic_x{scale}"
    builder = tfds.builder(f"div2k/{track}", data_dir=str(data_dir))
    with monkeypatch.context() as patch:
        patch.setattr(builder.builder_config, "download_urls", urls)
        builder.download_and_prepare()
    assert (data_dir / "div2k" / track / "2.0.0").is_dir()
    return data_dir, pictures


def by_content(pairs):
    return {hr.tobytes(): lr.tobytes() for hr, lr in pairs}


def test_prepared_pictures_are_read_as_they_are(tmp_path, monkeypatch, no_network):
    shapes = [((48, 64), (12, 16)), ((32, 40), (8, 10)), ((64, 48), (16, 12)), ((40, 40), (10, 10))]
    data_dir, pictures = prepare(tmp_path, monkeypatch, scale=4, lr_folder="LR_bicubic", shapes=shapes)

    train = div2k(split="train", scale=4, data_dir=data_dir)
    validation = div2k(split="validation", scale=4, data_dir=data_dir)
    assert (train.scale, train.count, validation.count) == (4, 3, 1)
    assert "official bicubic x4" in train.description
    assert by_content((hr, lr) for _, hr, lr in train.pairs()) == by_content(pictures[:3])
    assert by_content((hr, lr) for _, hr, lr in validation.pairs()) == by_content(pictures[3:])
    assert [name for name, _, _ in train.pairs()] == ["train_0000", "train_0001", "train_0002"]
    assert train.key == div2k(split="train", scale=4, data_dir=data_dir).key != validation.key

    store = open_store(train, cache_dir=tmp_path / "cache")
    assert by_content((store.hr(i), store.lr(i)) for i in range(len(store))) == by_content(pictures[:3])


@pytest.mark.parametrize(
    ("track", "how"),
    [
        ("unknown_x4", {"lr_folder": "LR_unknown"}),
        ("realistic_mild_x4", {"lr_folder": "LR_mild", "suffix": "m", "flat": True}),
        ("realistic_wild_x4", {"lr_folder": "LR_wild", "suffix": "w3", "flat": True}),
    ],
)
def test_other_tracks(tmp_path, monkeypatch, no_network, track, how):
    """Named as --div2k names them, by way of the settings."""
    shapes = [((48, 64), (12, 16)), ((32, 40), (8, 10)), ((40, 40), (10, 10))]
    data_dir, pictures = prepare(tmp_path, monkeypatch, scale=4, shapes=shapes, track=track, **how)
    source = open_source(Pictures(div2k=track, data_dir=str(data_dir)), "train")
    assert source.degradation == f"official {track.replace('_', ' ')}"
    assert by_content((hr, lr) for _, hr, lr in source.pairs()) == by_content(pictures[:2])


def test_the_tracks_are_those_of_tensorflow_datasets():
    import tensorflow_datasets as tfds

    assert set(tfds.builder_cls("div2k").builder_configs) == set(DIV2K_TRACKS)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"div2k": "unknown_x2"},
            "--div2k=unknown_x2: its pictures are not for --scale=4; .*: bicubic_x4, unknown_x4, real",
        ),
        ({"div2k": "unknown_x2", "scale": 5}, "--div2k=unknown_x2: its pictures are not for --scale=5; .*: none"),
        (
            {"div2k": "bicubic_x4", "degradation": "blur"},
            "--div2k=bicubic_x4 --degradation=blur: both say how LR is made",
        ),
        ({"div2k": "bicubic_x4", "dataset": "sample"}, "--div2k=bicubic_x4: only --dataset=div2k reads it"),
    ],
)
def test_what_does_not_go_with_a_track(values, said):
    with pytest.raises(UserError, match=said):
        open_source(Pictures(**values), "train")


def test_pairs_are_cropped_to_what_they_share(tmp_path, monkeypatch, no_network, warnings_of_absl):
    """As in DIV2K's x8: HR of 44 rows has an LR of ceil(44 / 8) = 6, of which 5 lie fully
    inside.
    """
    shapes = [((44, 64), (6, 8)), ((64, 64), (4, 8)), ((64, 64), (8, 8))]  # the second is no pair at all
    data_dir, pictures = prepare(tmp_path, monkeypatch, scale=8, lr_folder="LR", shapes=shapes)
    pairs = list(div2k(split="train", scale=8, data_dir=data_dir).pairs())
    assert by_content((hr, lr) for _, hr, lr in pairs) == by_content([(pictures[0][0][:40], pictures[0][1][:5])])
    assert "left out: train_" in warnings_of_absl.text


def test_a_degradation_makes_lr_from_hr_at_any_scale(tmp_path, monkeypatch, no_network):
    shapes = [((48, 64), (12, 16)), ((32, 40), (8, 10)), ((40, 40), (10, 10))]
    data_dir, pictures = prepare(tmp_path, monkeypatch, scale=4, lr_folder="LR_bicubic", shapes=shapes)
    official = div2k(split="train", scale=4, data_dir=data_dir)
    made = div2k(split="train", scale=4, data_dir=data_dir, degradation="bicubic")
    assert made.key != official.key and made.degradation == "MATLAB bicubic x4"
    assert by_content((hr, lr) for _, hr, lr in made.pairs()) == by_content(
        (hr, downscale(hr, 4)) for hr, _ in pictures[:2]
    )
    restorer = div2k(split="train", scale=1, data_dir=data_dir, degradation="blur")
    assert {lr.shape for _, _, lr in restorer.pairs()} == {(48, 64, 3), (32, 40, 3)}


def test_without_a_network_it_says_so_and_names_the_ways_out(tmp_path, no_network):
    with pytest.raises(UserError) as error:
        div2k(split="train", scale=4, data_dir=tmp_path)
    message = str(error.value)
    for part in (
        str(tmp_path),
        "cannot be downloaded",
        "data.vision.ee.ethz.ch",
        "--dataset=folder",
        "--dataset=sample",
    ):
        assert part in message
    assert "\n" not in message


def test_unwritable_data_dir_is_named(tmp_path, no_network):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="--dataset=div2k.*file.*--dataset=sample"):
        div2k(split="train", scale=4, data_dir=tmp_path / "file")


def test_other_scales_and_splits_are_refused(tmp_path):
    with pytest.raises(UserError, match="--scale=5"):
        div2k(split="train", scale=5, data_dir=tmp_path)
    with pytest.raises(ValueError, match="'test'"):
        div2k(split="test", data_dir=tmp_path)
