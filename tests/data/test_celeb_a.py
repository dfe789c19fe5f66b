"""CelebA from a tiny data set in the true format: TensorFlow Datasets' own CelebA builder prepares
it.

Only the files are ours: an archive of JPEG faces and the four text files beside it, laid out as the
authors' are.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from data.bicubic import bicubic_resize, downscale
from data.celeb_a import celeb_a
from data.store import open_store
from errors import UserError

PARTITIONS = [0, 0, 0, 1, 2]  # train, train, train, validation, test


def write_files(folder):
    """Write img_align_celeba.zip and the lists; return {name in the builder: path} and the decoded
    images by partition.
    """
    from tensorflow_datasets.datasets.celeb_a import celeb_a_dataset_builder as official

    rng, names, pictures = np.random.default_rng(1), [], {}
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        for number, partition in enumerate(PARTITIONS, start=1):
            coarse = rng.integers(0, 256, (20, 16, 3), dtype=np.uint8)
            file = io.BytesIO()
            Image.fromarray(coarse).resize((178, 218), Image.Resampling.BICUBIC).save(file, "JPEG", quality=95)
            names.append(f"{number:06d}.jpg")
            archive.writestr(f"img_align_celeba/{names[-1]}", file.getvalue())
            pictures.setdefault(partition, []).append(file.getvalue())

    def table(headings, value):
        rows = [f"{name}  {' '.join([str(value)] * len(headings))}" for name in names]
        return "\n".join([str(len(names)), " ".join(headings), *rows, ""])

    texts = {
        "list_eval_partition": "".join(f"{name} {part}\n" for name, part in zip(names, PARTITIONS, strict=True)),
        "list_attr_celeba": table(official.ATTR_HEADINGS, -1),
        "landmarks_celeba": table(official.LANDMARK_HEADINGS, 70),
        "identity_celeba": "".join(f"{name} 7\n" for name in names),
    }
    files = {"img_align_celeba": folder / "img_align_celeba.zip"}
    for name, text in texts.items():
        files[name] = folder / f"{name}.txt"
        files[name].write_text(text)
    return files, pictures


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """(data_dir, JPEG files by partition) after the real builder has copied and prepared the tiny
    files.
    """
    import tensorflow_datasets as tfds
    from tensorflow_datasets.datasets.celeb_a import celeb_a_dataset_builder as official

    folder = tmp_path_factory.mktemp("celeb_a")
    files, pictures = write_files(folder)
    builder = tfds.builder("celeb_a", data_dir=str(folder / "datasets"))
    addresses = ["IMG_ALIGNED_DATA", "EVAL_LIST", "ATTR_DATA", "LANDMARKS_DATA", "IDENTITY_DATA"]
    names = ["img_align_celeba", "list_eval_partition", "list_attr_celeba", "landmarks_celeba", "identity_celeba"]
    with pytest.MonkeyPatch.context() as patch:
        for address, name in zip(addresses, names, strict=True):
            patch.setattr(official, address, str(files[name]))
        builder.download_and_prepare()
    assert (folder / "datasets" / "celeb_a" / "2.1.0").is_dir()
    return folder / "datasets", pictures


def expected_faces(jpegs):
    """By the documented rule, from other libraries: rows 20 to 197 of 218, all 178 columns,
    enlarged to 256.
    """
    faces = [np.asarray(Image.open(io.BytesIO(jpeg)))[20:198] for jpeg in jpegs]
    return [bicubic_resize(face, height=256, width=256) for face in faces]


def test_faces_are_the_middle_square_at_256_and_lr_is_blurred(prepared):
    data_dir, jpegs = prepared
    source = celeb_a(split="train", data_dir=data_dir)
    assert (source.scale, source.count) == (4, 3)
    assert "3 of 3 faces" in source.description and source.degradation == "Gaussian blur 1.6 px, bicubic x4"
    pairs = list(source.pairs())
    assert {hr.tobytes() for _, hr, _ in pairs} == {face.tobytes() for face in expected_faces(jpegs[0])}
    for _, hr, lr in pairs:
        assert (hr.shape, lr.shape) == ((256, 256, 3), (64, 64, 3))
        blurred = ndimage.gaussian_filter(hr.astype(np.float64), (1.6, 1.6, 0))
        np.testing.assert_allclose(lr, bicubic_resize(blurred, height=64, width=64), atol=1.01)
        assert np.abs(lr.astype(int) - downscale(hr, 4)).max() > 3  # and not plain bicubic


def test_splits_are_the_official_ones_and_pictures_limits_them(prepared, tmp_path):
    data_dir, jpegs = prepared
    [(name, hr, _)] = celeb_a(split="validation", data_dir=data_dir).pairs()
    assert name == "validation_000000"
    np.testing.assert_array_equal(hr, expected_faces(jpegs[1])[0])
    two = celeb_a(split="train", data_dir=data_dir, pictures=2)
    assert two.count == 2 and two.key != celeb_a(split="train", data_dir=data_dir).key
    assert open_store(two, cache_dir=tmp_path).names == ["train_000000", "train_000001"]


def test_scale_and_degradation_are_free(prepared):
    data_dir, _ = prepared
    _, hr, lr = next(celeb_a(split="train", data_dir=data_dir, scale=3, degradation="bicubic").pairs())
    assert (hr.shape, lr.shape) == ((255, 255, 3), (85, 85, 3))
    np.testing.assert_array_equal(lr, downscale(hr, 3))
    name, hr, lr = next(celeb_a(split="train", data_dir=data_dir, degradation="real").pairs())
    assert (name, hr.shape, lr.shape) == ("train_000000 tile 0", (256, 256, 3), (64, 64, 3))


def test_without_a_network_it_says_so_and_names_the_ways_out(tmp_path, no_network, warnings_of_absl):
    with pytest.raises(UserError) as error:
        celeb_a(split="train", data_dir=tmp_path)
    message = str(error.value)
    for part in ("--dataset=celeb_a", str(tmp_path), "cannot be downloaded", "drive.google.com", "--dataset=folder"):
        assert part in message
    assert "\n" not in message
    assert not warnings_of_absl.text  # that line and no other


def test_another_split_is_refused():
    with pytest.raises(ValueError, match="'test'"):
        celeb_a(split="test", data_dir=Path("nowhere"))
