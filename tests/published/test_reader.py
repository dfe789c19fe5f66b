"""The reader: what a stranger's file may do, and what it may not."""

import collections
import io
import json
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from errors import UserError
from published import recognise
from published.build import build
from published.pickles import PickleError, View, read_pickle

RAN = []


class Wants:
    """Pickled, it calls something when it is opened."""

    def __reduce__(self):
        return (RAN.append, ("ran",))


class Storage:
    def __init__(self, key, length, kind="FloatStorage"):
        self.words = ("storage", _Type(kind), key, "cpu", length)


class _Type:
    def __init__(self, name):
        self.name = name


class _Pickler(pickle._Pickler):
    """Writes as torch.save does: storages by persistent id, their types as names of torch."""

    def persistent_id(self, item):
        return item.words if isinstance(item, Storage) else None

    def save(self, item, *args, **kwargs):
        if isinstance(item, _Type):
            self.write(b"ctorch\n" + item.name.encode() + b"\n")
        elif isinstance(item, Rebuilt):
            self.write(b"ctorch._utils\n_rebuild_tensor_v2\n")
            self.save(item.arguments)
            self.write(b"R")
        else:
            super().save(item, *args, **kwargs)


class Rebuilt:
    def __init__(self, storage, shape, offset=0, strides=None):
        if strides is None:
            strides = tuple(int(np.prod(shape[i + 1 :])) for i in range(len(shape)))
        self.arguments = (storage, offset, shape, strides, False, collections.OrderedDict())


def torch_zip(path, content, storages):
    """A file as torch.save writes it. storages: {key: bytes}."""
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=2).dump(content)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", buffer.getvalue())
        archive.writestr("archive/byteorder", "little")
        for key, values in storages.items():
            archive.writestr(f"archive/data/{key}", values)
    return path


def compact(
    path,
    *,
    channels=3,
    scale=2,
    kind="FloatStorage",
    dtype="<f4",
    change=lambda tensors: tensors,
    wrap=lambda held: held,
):
    """A small SRVGGNetCompact. Returns {name: array}."""
    rng, arrays = np.random.default_rng(0), {}
    for at, outputs, inputs in ((0, 4, channels), (2, 4, 4), (4, channels * scale**2, 4)):
        arrays[f"body.{at}.weight"] = rng.normal(size=(outputs, inputs, 3, 3)).astype(dtype)
        arrays[f"body.{at}.bias"] = rng.normal(size=outputs).astype(dtype)
        if at < 4:
            arrays[f"body.{at + 1}.weight"] = rng.random(4).astype(dtype)
    arrays = change(arrays)
    storages = {str(i): array.tobytes() for i, array in enumerate(arrays.values())}
    tensors = {
        name: Rebuilt(Storage(str(i), array.size, kind), array.shape) for i, (name, array) in enumerate(arrays.items())
    }
    torch_zip(path, wrap(collections.OrderedDict(tensors)), storages)
    return arrays


@pytest.fixture(autouse=True)
def nothing_ran():
    yield
    assert RAN == []


def refused(path, said):
    with pytest.raises(UserError, match=said) as caught:
        found = recognise(path)
        build(found)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("FloatStorage", "<f4"), ("HalfStorage", "<f2"), ("DoubleStorage", "<f8"), ("IntStorage", "<i4")],
)
def test_numbers_of_every_type(tmp_path, kind, dtype):
    arrays = compact(tmp_path / "a.pth", kind=kind, dtype=dtype)
    found = recognise(tmp_path / "a.pth")
    for name, tensor in found.tensors.items():
        np.testing.assert_array_equal(tensor.read(), arrays[name])


def test_a_tensor_that_strides_through_its_storage(tmp_path):
    values = np.arange(24, dtype="<f4")
    tensor = Rebuilt(Storage("0", 24), (3, 2), offset=4, strides=(2, 7))
    held = {"params": {"body.0.weight": tensor}}
    from published.torch_files import read_zip

    read = read_zip(torch_zip(tmp_path / "a.pth", held, {"0": values.tobytes()}))["params"]["body.0.weight"].read()
    np.testing.assert_array_equal(read, [[4, 11], [6, 13], [8, 15]])


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("item", [Wants(), {"params": [1, (2, Wants())]}, {Wants(): 1}, print, np.float32(1)])
def test_a_pickle_that_wants_something_is_refused_by_name(item, protocol):
    with pytest.raises(PickleError, match=r"wants [\w.]+, which is neither a tensor|instruction \w+, which no file"):
        read_pickle(io.BytesIO(pickle.dumps(item, protocol)), most=10_000)


def test_in_a_file_too(tmp_path):
    torch_zip(tmp_path / "evil.pth", {"params": Wants()}, {})
    refused(tmp_path / "evil.pth", "its pickle wants .*; nothing was run")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_containers_are_what_they_were(protocol):
    item = {
        "a": [1, -2.5, "text", None, True, 2**70],
        "b": (1, ("x",), ()),
        3: b"bytes" if protocol > 2 else 4,
        "same": collections.OrderedDict(k={}),
    }
    item["again"] = item["a"]
    assert read_pickle(io.BytesIO(pickle.dumps(item, protocol)), most=1000) == item


@pytest.mark.parametrize(
    ("shape", "strides", "offset", "said"),
    [
        ((5, 5), None, 0, "tensor of .5, 5. in a storage of 24"),
        ((2, 2), (1, 23), 0, "tensor of .2, 2. in a storage"),
        ((4,), (1,), 21, "in a storage of 24"),
        ((10**9, 2), (0, 1), 0, "in a storage of 24"),
        ((-1,), (1,), 0, "whose shape is none"),
        ((2**70,), (1,), 0, "whose shape is none"),
        ((1,) * 40, None, 0, "whose shape is none"),
        (("a",), (1,), 0, "whose shape is none"),
    ],
)
def test_a_tensor_stays_within_its_storage(tmp_path, shape, strides, offset, said):
    strides = (1,) * len(shape) if strides is None and not isinstance(shape[0], int) else strides
    tensor = Rebuilt(Storage("0", 24), shape, offset, strides or (1,) * len(shape))
    torch_zip(tmp_path / "a.pth", {"params": {"body.0.weight": tensor}}, {"0": bytes(96)})
    refused(tmp_path / "a.pth", said)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"channels": 1}, "a network of grey images or luma alone .*body.0.weight has the shape .4, 1, 3, 3.*only RGB"),
        ({"channels": 4}, "a network of images with alpha"),
        (
            {"change": lambda held: {k: v for k, v in held.items() if k != "body.2.bias"}},
            "nearest to SRVGG.*has no body.2.bias",
        ),
        (
            {"change": lambda held: {**held, "body.2.bias": np.ones(7, "<f4")}},
            r"body.2 has the shapes \(4, 4, 3, 3\) \(7,\)",
        ),
        (
            {"change": lambda held: {**held, "body.4.weight": np.ones((11, 4, 3, 3), "<f4")}},
            "11 channels, which are no RGB image",
        ),
        ({"wrap": lambda held: {"epoch": 3, "opt": {}}}, "holds no weights of a network .it has 'epoch', 'opt'"),
        ({"wrap": lambda held: {"state": {}, "param_groups": []}}, "the state of an optimizer, without a network"),
    ],
)
def test_other_networks_are_refused(tmp_path, options, said):
    compact(tmp_path / "a.pth", **options)
    refused(tmp_path / "a.pth", said)


def test_what_is_unknown_is_named_with_what_it_is_nearest_to(tmp_path):
    arrays = {
        "conv_first.weight": (4, 3, 3, 3),
        "body.0.rdb1.convs.weight": (4, 4, 3, 3),
        "conv_last.weight": (3, 4, 3, 3),
    }
    compact(tmp_path / "a.pth", change=lambda _: {name: np.ones(shape, "<f4") for name, shape in arrays.items()})
    refused(
        tmp_path / "a.pth",
        r"none of the known networks, nearest to RRDB.*3 tensors, beginning with conv_first.weight \(4, 3, 3, 3\)",
    )


@pytest.mark.parametrize(
    "arrays",
    [
        {"conv_blocks.0.conv_block.0.weight": (4, 3, 3, 3), "fc2.weight": (1, 8)},
        {"conv0.weight": (4, 3, 3, 3), "conv1.weight_orig": (4, 4, 3, 3), "conv1.weight_u": (4,)},
        {"features.0.weight": (4, 3, 3, 3), "classifier.2.weight": (1, 8), "classifier.2.bias": (1,)},
    ],
)
def test_a_discriminator_is_refused(tmp_path, arrays):
    compact(tmp_path / "d.pth", change=lambda _: {name: np.ones(shape, "<f4") for name, shape in arrays.items()})
    refused(tmp_path / "d.pth", "a discriminator, which judges images and makes none")


def test_files_of_other_kinds(tmp_path):
    for name, content, said in (
        ("a.pth", b"hello", "neither a PyTorch file"),
        ("b.pth", b"", "neither a PyTorch file"),
        ("c.pth", pickle.dumps([1, 2], 2) * 5, "not one that torch.save wrote"),
        ("d.pth", pickle.dumps([1, 2], 2), "damaged"),
        ("e.safetensors", struct.pack("<Q", 10**9) + b"{", "its header claims 1,000,000,000 bytes"),
        ("f.safetensors", struct.pack("<Q", 3) + b"{a}", "its header cannot be read"),
        ("g.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), "damaged"),
    ):
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name, said)
    with pytest.raises(UserError, match="no such file"):
        recognise(tmp_path / "nothing.pth")
    with zipfile.ZipFile(tmp_path / "h.pth", "w") as archive:
        archive.writestr("photo.txt", "hello")
    refused(tmp_path / "h.pth", "none of PyTorch's")


def test_a_zip_archive_that_would_grow(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}, 2))
        archive.writestr("archive/data/0", bytes(10**6))
    refused(tmp_path / "a.pth", "compressed, which PyTorch's files are not")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 999]}, "does not fit its place"),
        ({"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 16]}, "does not fit its place"),
        ({"dtype": "F8", "shape": [2], "data_offsets": [0, 2]}, "numbers of type 'F8'"),
        ({"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}, "has no shape"),
        ("text", "numbers of type None"),
    ],
)
def test_safetensors_that_do_not_fit(tmp_path, entry, said):
    header = json.dumps({"body.0.weight": entry}).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
    refused(tmp_path / "a.safetensors", said)


def test_many_tensors_of_the_same_bytes_are_no_larger_than_the_file(tmp_path):
    entry = {"dtype": "F32", "shape": [1000], "data_offsets": [0, 4000]}
    header = json.dumps({f"t{i}": entry for i in range(900)}).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4000))
    refused(tmp_path / "a.safetensors", "claims 3,600,000 bytes of tensors, more than it has")


def test_a_pickle_of_many_small_objects(tmp_path):
    """Each byte an empty list: the objects would take 64 times the file."""
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02(" + b"]" * 1_000_000 + b"l.")
    tracemalloc.start()
    refused(tmp_path / "a.pth", "more than 8.,... instructions in its pickle, too many for its size")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * (tmp_path / "a.pth").stat().st_size


def test_deep_nesting_is_no_recursion():
    deep = b"\x80\x02" + b"(" * 200_000 + b"t" * 200_000 + b"."
    assert read_pickle(io.BytesIO(deep), most=10**6) is not None
    with pytest.raises(PickleError, match="neither texts nor numbers"):
        read_pickle(io.BytesIO(b"\x80\x02}" + b"(" * 200_000 + b"t" * 200_000 + b"K\x01s."), most=10**6)


def test_the_view_of_a_tensor():
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=2).dump(Rebuilt(Storage("7", 6), (2, 3)))
    view = read_pickle(io.BytesIO(buffer.getvalue()), most=100)
    assert isinstance(view, View) and (view.shape, view.strides, view.storage.key) == ((2, 3), (3, 1), "7")
