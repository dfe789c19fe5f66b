"""From a file to the network in it: the container by its first bytes, the dictionary of weights in
it, the network by names and shapes.
"""

import difflib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from errors import UserError, reason
from published import esrgan, keras_files, keras_networks, residual, tensors, torch_files
from published.parts import Found, Published
from published.tensors import Tensor

# Where training programs put the weights; an average of them (ema) is what is meant for use.
_KEYS = (
    "params_ema",
    "params",
    "state_dict_ema",
    "state_dict",
    "model_state_dict",
    "model",
    "generator",
    "net_g",
    "netG",
    "g",
)
_PREFIXES = ("module.", "_orig_mod.", "model.", "generator.", "netG.", "net.")
_MOST_CONTAINERS = 4  # dictionaries inside each other
NETWORKS: tuple[Callable[..., Published | None], ...] = (
    *(esrgan.srvgg, esrgan.rrdb, esrgan.old_rrdb),
    *(residual.basicsr_edsr, residual.original_edsr, residual.msrresnet, residual.tutorial_srresnet, residual.span),
)
# A few names of each, to tell what an unknown file is nearest to.
_TYPICAL = {
    "RRDB (ESRGAN)": (
        "conv_first.weight",
        "body.0.rdb1.conv1.weight",
        "conv_body.weight",
        "conv_up1.weight",
        "conv_last.weight",
    ),
    "RRDB of the first release": (
        "model.0.weight",
        "model.1.sub.0.RDB1.conv1.0.weight",
        "model.3.weight",
        "model.10.weight",
    ),
    "SRVGGNetCompact": ("body.0.weight", "body.1.weight", "body.2.weight", "body.2.bias"),
    "EDSR": ("conv_first.weight", "body.0.conv1.weight", "conv_after_body.weight", "upsample.0.weight"),
    "MSRResNet": ("conv_first.weight", "body.0.conv1.weight", "upconv1.weight", "conv_hr.weight"),
    "SRResNet": ("conv_block1.conv_block.0.weight", "residual_blocks.0.conv_block1.conv_block.0.weight"),
    "SPAN": ("conv_1.sk.weight", "block_1.c1_r.sk.weight", "conv_cat.weight", "upsampler.0.weight"),
    "Fast-SRGAN in Keras": ("expanded_conv_depthwise/depthwise_kernel", "block_1_expand/kernel", "p_re_lu/alpha"),
    "SRResNet in Keras": ("conv2d/kernel", "p_re_lu/alpha", "batch_normalization/gamma", "conv2d_1/kernel"),
}


def recognise(path: str | Path, *, activation: str | None = None) -> Found:
    """The network in a .pth, .pt, .pth.tar, .safetensors or Keras .h5 file; its weights are not
    read yet.

    activation: "relu" or "leaky_relu", where a file does not say it. Raises UserError of one line:
    for a damaged file, one that wants to run something, one of another kind, and a network that is
    none of those known, with what it is nearest to.
    """
    path = Path(path)
    try:
        return _recognise(path, activation)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({reason(error)})") from error


def _recognise(path, activation):
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    with path.open("rb") as file:
        head = file.read(16)
    if keras_files.is_hdf5(head):
        return _of_keras(path)
    if torch_files.is_zip(head):
        content = torch_files.read_zip(path)
    elif torch_files.is_legacy(head):
        content = torch_files.read_legacy(path)
    elif tensors.is_safetensors(head):
        content = tensors.read_safetensors(path)
    else:
        raise UserError(
            f"{path}: neither a PyTorch file (.pth, .pt) nor safetensors nor HDF5 (.h5); nothing else is read here"
        )
    candidates = list(_dictionaries(content))
    for where, held in candidates:
        for names in _without_prefixes(held):
            if network := _match(path, names, activation):
                return Found(path, network, names, where)
    raise _unknown(path, content, candidates)


def _of_keras(path):
    held = keras_files.read_keras(path)
    activation = keras_files.last_activation(path)
    for network in (keras_networks.fast_srgan, keras_networks.srresnet):
        if found := _checked(path, held, network, activation=activation):
            return Found(path, found, held, "")
    raise _unknown(path, held, [("", held)])


def _match(path, names, activation):
    for network in NETWORKS:
        options = {"activation": activation} if network is esrgan.srvgg else {}
        if found := _checked(path, names, network, **options):
            return found
    return None


def _checked(path, held, network, **options):
    """What `network` makes of the tensors, if it is that one, wholly."""
    try:
        found = network(held, **options)
        if found is None:
            return None
        if lacking := found.lacking(held):
            raise UserError(f"nearest to {found.title}, but it has no {lacking[0]}")
        if others := found.left_over(held):
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            raise UserError(f"nearest to {found.title}, which has no {_shown(held, others[0])}{more}")
        return found
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (LookupError, ValueError, ZeroDivisionError, OverflowError) as error:  # shapes that no such network has
        raise UserError(f"{path}: its tensors have shapes that no known network has ({reason(error, 100)})") from error


def _dictionaries(content: Any) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """(key, {name: Tensor}) of each dictionary that may be a network's weights, the likelier ones
    first.
    """
    waiting = [("", content, 0)]
    for where, item, depth in waiting:  # grows while it is walked through
        if not isinstance(item, dict):
            continue
        held = {name: value for name, value in item.items() if isinstance(name, str) and isinstance(value, Tensor)}
        if held:
            yield where, held
        if depth < _MOST_CONTAINERS:
            keys = [key for key in _KEYS if key in item]
            waiting += [(f"{where}.{key}".strip("."), item[key], depth + 1) for key in keys]


def _without_prefixes(held):
    """The tensors under their names, then without what all the names begin with."""
    yield held
    for _ in _PREFIXES:
        prefix = next((prefix for prefix in _PREFIXES if all(name.startswith(prefix) for name in held)), None)
        if prefix is None:
            return
        held = {name.removeprefix(prefix): tensor for name, tensor in held.items()}
        yield held


def _unknown(path, content, candidates):
    """The line for a file that holds none of the known networks."""
    if isinstance(content, dict) and "param_groups" in content:
        return UserError(
            f"{path}: the state of an optimizer, without a network; give the file of the network's weights"
        )
    if not candidates:
        keys = (
            f" (it has {', '.join(ascii(key)[:30] for key in list(content)[:5])})" if isinstance(content, dict) else ""
        )
        return UserError(f"{path}: holds no weights of a network{keys}")
    where, held = max(candidates, key=lambda item: len(item[1]))
    shown = ", ".join(_shown(held, name) for name in list(held)[:4])
    if _discriminates(held):
        return UserError(
            f"{path}: a discriminator, which judges images and makes none: it begins with {shown}; give the generator's file"
        )
    nearest = max(_TYPICAL, key=lambda name: _likeness(held, _TYPICAL[name]))
    nearest = f"nearest to {nearest}" if _likeness(held, _TYPICAL[nearest]) > 0.8 else "like none of them"
    return UserError(
        f"{path}: none of the known networks, {nearest}: {len(held):,} tensors, beginning with {shown}; "
        "upscale with its own program, and teach from the images (--teacher_images, docs/importing.md)"
    )


def _discriminates(held):
    """Whether these are weights of a critic: spectral normalisation, or a last layer of one
    logit.
    """
    if any(name.endswith(("weight_orig", "weight_u", "weight_v")) for name in held):
        return True
    matrices = [tensor.shape for tensor in held.values() if len(tensor.shape) in (2, 4)]
    last = matrices[-1] if matrices else ()
    return (len(last) == 2 and 1 in last) or (len(last) == 4 and (last[0] == 1 or last[-1] == 1))


def _likeness(held, typical):
    """From 0 to 1: how near, in the mean, a name of the file comes to each of the typical ones."""
    names = list(held)[:200]
    nearest = (max(difflib.SequenceMatcher(None, name[:80], wanted).ratio() for name in names) for wanted in typical)
    return sum(nearest) / len(typical)


def _shown(held, name):
    text = name if re.fullmatch(r"[\w./:-]{1,80}", name) else ascii(name)[:80]
    return f"{text} {held[name].shape}"
