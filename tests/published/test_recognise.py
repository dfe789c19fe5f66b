"""Every kind of file and network that is known, against what the code it comes from gives."""

import re

import h5py
import numpy as np
import pytest

import models
from errors import UserError
from inference.engines import KerasEngine
from inference.tiling import upscale_tiled
from published import recognise
from published.build import build

# What the file says of its network: class, and the sizes that matter.
KNOWN = {
    "rrdb_old_x4.pth": ("RRDB", {"depth": 2, "width": 3, "growth": 1, "scale": 4, "unshuffle": 1}),
    "rrdb_new_x4.pth": ("RRDB", {"depth": 1, "width": 4, "growth": 2, "scale": 4, "unshuffle": 1}),
    "rrdb_new_x2_unshuffle.pth": ("RRDB", {"depth": 1, "width": 4, "growth": 2, "scale": 2, "unshuffle": 2}),
    "rrdb_new_x1_unshuffle.pth": ("RRDB", {"depth": 1, "width": 4, "growth": 2, "scale": 1, "unshuffle": 4}),
    "rrdb_old_x1.pth": ("RRDB", {"depth": 1, "width": 4, "growth": 2, "scale": 1, "unshuffle": 1}),
    "rrdb_old_x8.pth.tar": ("RRDB", {"depth": 1, "width": 4, "growth": 2, "scale": 8, "unshuffle": 1}),
    "rrdb_released_x2.pth": ("RRDB", {"depth": 1, "width": 4, "growth": 2, "scale": 2, "unshuffle": 1}),
    "compact_x3.safetensors": ("SRVGG", {"depth": 2, "width": 6, "scale": 3, "activation": "prelu"}),
    "compact_leaky_x2.pth": ("SRVGG", {"depth": 2, "width": 6, "scale": 2, "activation": "leaky_relu"}),
    "compact_relu_x1.pth": ("SRVGG", {"depth": 2, "width": 6, "scale": 1, "activation": "relu"}),
    "edsr_basicsr_x4.pth": ("EDSR", {"depth": 1, "width": 4, "scale": 4, "upsampling": "doublings", "mean": "div2k"}),
    "edsr_basicsr_x3.pth": ("EDSR", {"depth": 1, "width": 4, "scale": 3, "upsampling": "doublings", "mean": "div2k"}),
    "edsr_original_x2.pt": ("EDSR", {"depth": 2, "width": 4, "scale": 2, "upsampling": "doublings", "mean": "div2k"}),
    "msrresnet_x4.pth": ("MSRResNet", {"depth": 1, "width": 4, "scale": 4}),
    "msrresnet_x3.pth": ("MSRResNet", {"depth": 1, "width": 4, "scale": 3}),
    "srresnet_tutorial_x4.pth.tar": (
        "SRResNet",
        {"depth": 2, "width": 2, "scale": 4, "mean": "imagenet", "output": "sigmoid"},
    ),
    "span_x4.safetensors": ("SPAN", {"width": 2, "scale": 4, "mean": "div2k"}),
    "span_no_norm_x2.safetensors": ("SPAN", {"width": 2, "scale": 2, "mean": "none"}),
}
ACTIVATIONS = {"compact_leaky_x2.pth": "leaky_relu", "compact_relu_x1.pth": "relu"}


def imported(files, name):
    found = recognise(files / name, activation=ACTIVATIONS.get(name))
    return found, build(found)


def test_all_the_files_are_looked_at(answers):
    assert {name[:-2] for name in answers} == set(KNOWN)


@pytest.mark.parametrize("name", KNOWN)
def test_gives_what_its_own_code_gives(files, answers, name):
    found, model = imported(files, name)
    assert (found.network.class_name, found.network.config) == KNOWN[name]
    sr = np.array(model(answers[f"{name}.x"][None], training=False))[0]
    expected = answers[f"{name}.y"]
    assert sr.shape == expected.shape and expected.std() > 0.01
    np.testing.assert_allclose(sr, expected, atol=1e-5)
    statistics = sum(2 * layer.gamma.shape[0] for layer in model._flatten_layers() if hasattr(layer, "moving_mean"))
    shared = {"srresnet_tutorial_x4.pth.tar": 5}.get(
        name, 0
    )  # slopes that stand once in the file, and for each of the two channels here
    assert (
        found.network.class_name == "SPAN" or found.network.parameters(found.tensors) == model.count_params() - shared
    )
    assert statistics == (0 if "tutorial" not in name else 2 * 2 * 5)


@pytest.mark.parametrize(
    "name", ["rrdb_new_x2_unshuffle.pth", "span_x4.safetensors", "edsr_basicsr_x4.pth", "msrresnet_x3.pth"]
)
def test_comes_back_from_our_file_and_tiles_by_its_receptive_field(files, tmp_path, name):
    _, model = imported(files, name)
    models.save_weights(model, tmp_path / "a.weights.h5")
    loaded = KerasEngine(models.load_generator(tmp_path / "a.weights.h5"))
    lr = np.random.default_rng(0).random((90, 23, 3), np.float32)
    whole = KerasEngine(model)(lr[None])[0]
    np.testing.assert_allclose(upscale_tiled(loaded, lr, tile=19), whole, atol=2e-5)


@pytest.mark.parametrize(
    ("name", "halo"),
    [("span_x4.safetensors", 21), ("edsr_basicsr_x4.pth", 6), ("edsr_original_x2.pt", 8), ("msrresnet_x4.pth", 5)],
)
def test_receptive_field_of_networks_that_only_come_from_files(files, name, halo):
    """Counted by hand, in low-resolution pixels: 1 for each 3×3 there, 1/2 or less for each behind
    an enlargement, rounded up.
    """
    assert imported(files, name)[1].receptive_field == halo


def keras_2_file(path, *, depth, width, seed=0, config=None):
    """SRResNet in the layout of `save_weights` of Keras 2 on the clean SRGAN code; returns f(image
    in [0, 1]) after that code.
    """
    rng, layers = np.random.default_rng(seed), []

    def add(kind, **weights):
        count = sum(kind == other for other, _, _ in layers)
        layers.append((kind, f"{kind}_{count}" if count else kind, {k: np.float32(v) for k, v in weights.items()}))

    def conv(side, inputs, outputs):
        kernel = rng.normal(size=(side, side, inputs, outputs)) / side / inputs**0.5
        add("conv2d", kernel=kernel, bias=rng.normal(size=outputs) / 9)

    def norm(channels):
        gamma, beta, mean = rng.random(channels) + 0.5, rng.normal(size=channels) / 9, rng.normal(size=channels) / 9
        add("batch_normalization", gamma=gamma, beta=beta, moving_mean=mean, moving_variance=rng.random(channels) + 0.1)

    def prelu(channels):
        add("p_re_lu", alpha=rng.random((1, 1, channels)))

    add("input"), add("lambda"), conv(9, 3, width), prelu(width)
    for _ in range(depth):
        conv(3, width, width), norm(width), prelu(width), conv(3, width, width), norm(width), add("add")
    conv(3, width, width), norm(width), add("add")
    for _ in range(2):
        conv(3, width, 4 * width), add("lambda"), prelu(width)
    conv(9, width, 3), add("lambda")
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([name.encode() for _, name, _ in layers])
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.3.0-tf"
        for _, name, weights in layers:
            group = file.create_group(name)
            group.attrs["weight_names"] = np.array([f"{name}/{weight}:0".encode() for weight in weights])
            for weight, values in weights.items():
                group[f"{name}/{weight}:0"] = values
    return lambda image: run_keras_2(layers, image * 255)


def run_keras_2(layers, levels):
    """Layer by layer in NumPy, as that code has them: levels of 0 to 255 in, and out."""
    x, head, block, lambdas = levels, None, None, 0
    inside = [(kind, weights) for kind, _, weights in layers if kind != "input"]
    for at, (kind, weights) in enumerate(inside):
        if kind == "conv2d":
            if at + 1 < len(inside) and [other for other, _ in inside[at : at + 5]].count("batch_normalization") == 2:
                block = x if inside[at + 2][0] == "p_re_lu" else block
            x = numpy_conv(x, **weights)
        elif kind == "p_re_lu":
            x = np.where(x > 0, x, weights["alpha"] * x)
            head = x if head is None else head
        elif kind == "batch_normalization":
            scale = weights["gamma"] / np.sqrt(weights["moving_variance"] + 1e-3)
            x = (x - weights["moving_mean"]) * scale + weights["beta"]
        elif kind == "add":
            last = [other for other, _ in inside[at + 1 :]].count("add") == 0
            x = x + (head if last else block)
        elif lambdas == 0:
            x, lambdas = x / 255, 1
        elif at + 1 < len(inside):
            height, width, channels = x.shape
            x = x.reshape(height, width, 2, 2, channels // 4).transpose(0, 2, 1, 3, 4)
            x = x.reshape(2 * height, 2 * width, channels // 4)
        else:
            x = (np.tanh(x) + 1) * 127.5
    return x


def numpy_conv(x, *, kernel, bias):
    side = kernel.shape[0]
    around = np.pad(x, ((side // 2, side // 2), (side // 2, side // 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(around, (side, side), axis=(0, 1))
    return np.einsum("hwcyx,yxco->hwo", windows, kernel) + bias


def test_srresnet_of_the_clean_srgan_code(tmp_path):
    theirs = keras_2_file(tmp_path / "gan_generator.h5", depth=2, width=4)
    found = recognise(tmp_path / "gan_generator.h5")
    sizes = {"depth": 2, "width": 4, "scale": 4, "output": "sigmoid"}
    assert (found.network.class_name, found.network.config) == ("SRResNet", sizes)
    assert found.network.remarks == ("ends in tanh, as that code does: the file does not say",)
    lr = np.random.default_rng(1).random((9, 11, 3), np.float32)
    expected = theirs(lr) / 255
    assert expected.std() > 0.05
    np.testing.assert_allclose(np.array(build(found)(lr[None]))[0], expected, atol=1e-5)


def test_the_published_size_has_its_parameters(tmp_path):
    """1,554,883, as the paper's network in Keras has."""
    keras_2_file(tmp_path / "a.h5", depth=16, width=64)
    found = recognise(tmp_path / "a.h5")
    assert found.network.parameters(found.tensors) == 1_554_883


def test_an_activation_that_no_file_tells_is_asked_for(files):
    with pytest.raises(UserError, match="without PReLU.*--activation=relu or leaky_relu"):
        recognise(files / "compact_relu_x1.pth")


def test_the_average_is_preferred_to_the_last_weights(files):
    found = recognise(files / "rrdb_new_x4.pth")
    assert found.where == "params_ema"
    assert re.match("body|conv", next(iter(found.tensors)))
