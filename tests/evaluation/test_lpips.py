"""LPIPS against a forward pass written in numpy, and against the values published with
torchmetrics.

The second needs the real weights: LPIPS_WEIGHTS=FILE.npz pytest tests/evaluation/test_lpips.py
"""

import os

import numpy as np
import pytest

from errors import UserError
from evaluation.lpips import LPIPS

FIRES = {  # features.N of SqueezeNet 1.1: input channels, squeezed, expanded
    "2__3": (64, 16, 64),
    "2__4": (128, 16, 64),
    "3__6": (128, 32, 128),
    "3__7": (256, 32, 128),
    "4__9": (256, 48, 192),
    "5__10": (384, 48, 192),
    "6__11": (384, 64, 256),
    "7__12": (512, 64, 256),
}


def random_weights():
    random = np.random.default_rng(0)

    def convolution(out, channels, size):
        scale = np.sqrt(2 / (channels * size**2))
        weights = random.normal(scale=scale, size=(out, channels, size, size)), random.normal(scale=0.1, size=out)
        return [values.astype(np.float32) for values in weights]

    shapes = {"net__slice1__0": (64, 3, 3)}
    for name, (channels, squeezed, expanded) in FIRES.items():
        shapes[f"net__slice{name}__squeeze"] = (squeezed, channels, 1)
        shapes[f"net__slice{name}__expand1x1"] = (expanded, squeezed, 1)
        shapes[f"net__slice{name}__expand3x3"] = (expanded, squeezed, 3)
    arrays = {"scaling_layer__shift": np.float32([[-0.03]] * 3), "scaling_layer__scale": np.float32([[0.45]] * 3)}
    for name, shape in shapes.items():
        arrays[f"{name}__weight"], arrays[f"{name}__bias"] = convolution(*shape)
    for layer, channels in enumerate((64, 128, 256, 384, 384, 512, 512)):
        arrays[f"lin{layer}__model__1__weight"] = random.random((1, channels, 1, 1), np.float32)
    return arrays


@pytest.fixture(scope="module")
def weights():
    return random_weights()


@pytest.fixture(scope="module")
def file(weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("lpips") / "weights.npz"
    np.savez(path, **weights)
    return path


def windows(x, size, stride):
    """(channels, h, w) to (channels, h', w', size, size)."""
    return np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))[:, ::stride, ::stride]


def conv(x, weights, name, *, stride=1, pad=0):
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    kernel, bias = weights[f"{name}__weight"].astype(np.float64), weights[f"{name}__bias"]
    return np.einsum("cyxij,ocij->oyx", windows(x, kernel.shape[-1], stride), kernel) + bias[:, None, None]


def pool(x):
    """3x3, stride 2, `ceil_mode`: a window that only begins inside counts."""
    height, width = (-(-(side - 3) // 2) + 1 for side in x.shape[1:])
    return np.stack(
        [[x[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max((1, 2)) for j in range(width)] for i in range(height)]
    ).transpose(2, 0, 1)


def fire(x, weights, name):
    x = np.maximum(conv(x, weights, f"net__slice{name}__squeeze"), 0)
    sides = [conv(x, weights, f"net__slice{name}__expand{size}", pad=pad) for size, pad in (("1x1", 0), ("3x3", 1))]
    return np.maximum(np.concatenate(sides), 0)


def features(picture, weights):
    x = picture.transpose(2, 0, 1) / 255 * 2 - 1
    x = (x - weights["scaling_layer__shift"][..., None]) / weights["scaling_layer__scale"][..., None]
    x = np.maximum(conv(x, weights, "net__slice1__0", stride=2), 0)
    yield x
    for layer in (
        ("pool", "2__3", "2__4"),
        ("pool", "3__6", "3__7"),
        ("pool", "4__9"),
        ("5__10",),
        ("6__11",),
        ("7__12",),
    ):
        for module in layer:
            x = pool(x) if module == "pool" else fire(x, weights, module)
        yield x


def expected_lpips(hr, sr, weights):
    total = 0.0
    for layer, pair in enumerate(zip(features(hr, weights), features(sr, weights), strict=True)):
        x, y = (values / np.sqrt((values**2).sum(0)) for values in pair)
        total += ((x - y) ** 2 * weights[f"lin{layer}__model__1__weight"][0]).sum(0).mean()
    return total


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("size", [(17, 17), (40, 53), (67, 34)])
def test_against_a_forward_pass_in_numpy(file, weights, size):
    hr, sr = noise(*size, 3), noise(*size, 3, seed=1)
    expected = expected_lpips(hr, sr, weights)
    assert expected > 0.1
    assert LPIPS(file)(hr, sr) == pytest.approx(expected, rel=1e-4)


def test_equal_pictures_and_floats(file):
    hr, sr = noise(40, 40, 3), noise(40, 40, 3, seed=1)
    lpips = LPIPS(file)
    assert lpips(hr, hr) < 1e-9
    assert lpips(hr / 255, sr / 255) == pytest.approx(lpips(hr, sr), rel=1e-5)


@pytest.mark.parametrize("height", [513, 769, 1000])
def test_strips_give_what_the_whole_picture_gives(file, height):
    """Rows differ in brightness, so that a feature counted twice or left out would show."""
    hr = noise(height, 24, 3) // 2
    hr += (np.arange(height) * 127 // height).astype(np.uint8)[:, None, None]
    sr = np.roll(hr, 2, axis=0)
    whole, strips = LPIPS(file, strip_pixels=10**9), LPIPS(file, strip_pixels=1)
    assert strips(hr, sr) == pytest.approx(whole(hr, sr), rel=1e-6)


def test_refusals(file, tmp_path):
    lpips = LPIPS(file)
    with pytest.raises(UserError, match="16x40 is too small"):
        lpips(noise(40, 16, 3), noise(40, 16, 3))
    with pytest.raises(UserError, match="sizes differ"):
        lpips(noise(40, 40, 3), noise(40, 44, 3))
    with pytest.raises(UserError, match=r"--lpips_weights=none\.npz: no such file"):
        LPIPS("none.npz")
    (tmp_path / "text.npz").write_text("text")
    with pytest.raises(UserError, match=r"text\.npz: cut, damaged or no \.npz file"):
        LPIPS(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", kernel=np.zeros(3))
    with pytest.raises(UserError, match=r"other\.npz: not the weights of LPIPS"):
        LPIPS(tmp_path / "other.npz")


def torch_rand(seed, *shape):
    """What `torch.manual_seed(seed); torch.rand(*shape)` gives on a CPU: 24 bits of each number of
    the Mersenne Twister.
    """
    values = np.random.RandomState(seed).randint(0, 2**32, int(np.prod(shape)), dtype=np.uint32)
    return ((values & 0xFFFFFF) * np.float32(2**-24)).reshape(shape)


def test_torch_rand():
    """The first numbers of `torch.manual_seed(42); torch.rand(4)`, as torch's documentation and
    users know them.
    """
    assert torch_rand(42, 4).round(4).tolist() == pytest.approx([0.8823, 0.9150, 0.3829, 0.9593])


@pytest.mark.skipif("LPIPS_WEIGHTS" not in os.environ, reason="LPIPS_WEIGHTS names no weight file")
@pytest.mark.parametrize(("seed", "published"), [(42, 0.1005), (123, 0.1008)])
def test_published_values(seed, published):
    """The documentation of torchmetrics, `learned_perceptual_image_patch_similarity`, net_type
    "squeeze": 10 pairs of noise, 100x100.

    Its inputs are 2 * rand - 1, which is how LPIPS here takes images in [0, 1].
    """
    pairs = torch_rand(seed, 2, 10, 3, 100, 100).transpose(0, 1, 3, 4, 2)
    lpips = LPIPS(os.environ["LPIPS_WEIGHTS"])
    assert np.mean([lpips(hr, sr) for hr, sr in zip(*pairs, strict=True)]) == pytest.approx(published, abs=1e-4)
