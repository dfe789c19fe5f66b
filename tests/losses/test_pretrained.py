"""Whatever an .npz file holds, it is arrays of finite numbers or one line."""

import random

import numpy as np
import pytest

from errors import UserError
from losses.pretrained import read_arrays


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "weights.npz"
    rng = np.random.default_rng(0)
    np.savez_compressed(path, kernel=rng.random((3, 3, 3, 8), np.float32), bias=np.arange(8))
    return path


def test_arrays_come_back(file):
    arrays = read_arrays(file, flag="vgg_weights")
    assert {name: array.shape for name, array in arrays.items()} == {"kernel": (3, 3, 3, 8), "bias": (8,)}
    assert arrays["bias"].tolist() == list(range(8))


@pytest.mark.parametrize(
    "content", [{"a": np.array([1.0, np.nan])}, {"a": np.array(["text"])}, {"a": np.array([None])}]
)
def test_what_holds_no_finite_numbers_is_refused(tmp_path, content):
    np.savez(tmp_path / "x.npz", **content)
    with pytest.raises(UserError, match=r"--lpips_weights=.*x\.npz: "):
        read_arrays(tmp_path / "x.npz", flag="lpips_weights")


def test_a_folder_and_a_single_array_are_refused(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(3))
    for path in (tmp_path, tmp_path / "one.npy"):
        with pytest.raises(UserError, match="--vgg_weights="):
            read_arrays(path, flag="vgg_weights")


def test_damaged_files_are_arrays_or_one_line(file):
    content, refused = file.read_bytes(), 0
    for seed in range(300):
        rng = random.Random(seed)
        damaged = bytearray(content[: rng.randrange(len(content))] if seed % 3 == 0 else content)
        for _ in range(rng.randrange(1, 5) if damaged else 0):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        file.write_bytes(damaged)
        try:
            read_arrays(file, flag="vgg_weights")
        except UserError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 200
