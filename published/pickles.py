"""Reads a pickle as data.

No object of it is made and nothing in it is called, so a file from a stranger can do no harm.

A pickle is a program for a stack machine. Its instructions come from the standard library's
`pickletools.genops`; here is the machine, for the few of them that a PyTorch file needs. What a
pickle imports stays a name (`Global`). Three kinds of names mean something: an ordered dictionary,
a storage type, and the functions that put a tensor together. Every other one is refused.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from errors import UserError

BFLOAT16 = "bfloat16"  # NumPy has no such type
# What lies in a storage, by the name of its type in PyTorch.
STORAGES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": BFLOAT16,
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
_DICTIONARY = ("collections", "OrderedDict")
_TENSORS = {("torch._utils", "_rebuild_tensor"): 4, ("torch._utils", "_rebuild_tensor_v2"): 6}
_PARAMETER = ("torch._utils", "_rebuild_parameter")
_MOST_DIMENSIONS = 8
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_NUMBERS_AND_TEXTS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "SHORT_BINSTRING", "BINSTRING"),
}
_MARK = object()


class PickleError(UserError):
    """A pickle that is damaged, or wants something that is not done here.

    The message does not name the file.
    """


class Global(NamedTuple):
    """What a pickle imports: a name, and never more than that."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Storage:
    """A run of numbers somewhere in the file. key: its name there. kind: a NumPy type, or
    "bfloat16". length: how many numbers.
    """

    key: str
    kind: np.dtype | str
    length: int


@dataclass(frozen=True)
class View:
    """A tensor: `shape` numbers of a storage, from `offset` on, `strides` apart, both counted in
    numbers.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_pickle(file: BinaryIO, *, most: int) -> Any:
    """What the pickle at the file's position holds: dict, list, tuple, str, bytes, int, float,
    bool, None and `View`.

    most: how many instructions it may have; each makes one small object at the most. The position
    is behind the pickle afterwards.
    Raises PickleError that says what is wrong, or what the pickle wanted to run.
    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if count >= most:
                raise PickleError(f"more than {most:,} instructions in its pickle, too many for its size")
            if opcode.name == "STOP":
                return machine.pop()
            machine.step(opcode.name, argument)
    except PickleError:
        raise
    except Exception as error:  # genops raises whatever a damaged argument trips up
        raise PickleError(f"damaged: its pickle cannot be read ({_short(error)})") from error
    raise PickleError("damaged: its pickle has no end")


class _Machine:
    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def pop(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise PickleError("damaged: its pickle takes more than it has")
        return self._stack.pop()

    def _since_mark(self) -> list[Any]:
        """All that lies above the last mark; the mark goes too."""
        items = []
        while self._stack:
            if (item := self._stack.pop()) is _MARK:
                return items[::-1]
            items.append(item)
        raise PickleError("damaged: its pickle lacks a mark")

    def step(self, name: str, argument: Any) -> None:
        """One instruction. Raises PickleError for one that PyTorch's files do without."""
        if name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self._stack.append(_EMPTY[name]())
        elif name in _NUMBERS_AND_TEXTS:
            self._stack.append(argument)
        elif name in ("PROTO", "FRAME"):
            pass
        elif handler := _HANDLERS.get(name):
            handler(self, argument)
        else:
            raise PickleError(f"its pickle has the instruction {name}, which no file of weights needs; nothing was run")

    def _mark(self, _):
        self._stack.append(_MARK)

    def _put(self, argument):
        value = self.pop()
        self._stack.append(value)
        self._memo[len(self._memo) if argument is None else argument] = value

    def _get(self, argument):
        if argument not in self._memo:
            raise PickleError("damaged: its pickle names an object that it has not made")
        self._stack.append(self._memo[argument])

    def _tuple(self, _):
        self._stack.append(tuple(self._since_mark()))

    def _tuple_of(self, count):
        self._stack.append(tuple([self.pop() for _ in range(count)][::-1]))

    def _append(self, _):
        self._extend([self.pop()])

    def _appends(self, _):
        self._extend(self._since_mark())

    def _extend(self, items):
        target = self.pop()
        if type(target) is not list:
            raise PickleError("damaged: its pickle appends to something that is no list")
        target.extend(items)
        self._stack.append(target)

    def _set_item(self, _):
        value, key = self.pop(), self.pop()
        self._set([key, value])

    def _set_items(self, _):
        self._set(self._since_mark())

    def _set(self, items):
        target = self.pop()
        if type(target) is not dict or len(items) % 2:
            raise PickleError("damaged: its pickle sets items of something that is no dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, (str, int, float)):  # hashing what is deeply nested would overflow the stack
                raise PickleError("its pickle has a dictionary whose keys are neither texts nor numbers")
            target[key] = value
        self._stack.append(target)

    def _global(self, argument):
        module, _, name = argument.partition(" ")
        self._import(module, name)

    def _stack_global(self, _):
        name, module = self.pop(), self.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise PickleError("damaged: its pickle imports something that has no name")
        self._import(module, name)

    def _import(self, module, name):
        known = (module, name) in {_DICTIONARY, _PARAMETER, *_TENSORS}
        if not known and not (module in ("torch", "torch.cuda") and name in STORAGES):
            what = _short(f"{module}.{name}")
            raise PickleError(
                f"its pickle wants {what}, which is neither a tensor nor a plain container; nothing was run "
                f"(save the network's state_dict() alone to get a file without it)"
            )
        self._stack.append(Global(module, name))

    def _reduce(self, _):
        arguments, called = self.pop(), self.pop()
        if not isinstance(arguments, tuple) or not isinstance(called, Global):
            raise PickleError("damaged: its pickle calls something that is no function")
        if called == _DICTIONARY and not arguments:
            self._stack.append({})
        elif called in _TENSORS and len(arguments) >= _TENSORS[called]:
            self._stack.append(_view(*arguments[:4]))
        elif called == _PARAMETER and arguments and isinstance(arguments[0], View):
            self._stack.append(arguments[0])
        else:
            raise PickleError(f"its pickle calls {called} as no file of weights does; nothing was run")

    def _build(self, _):
        """The state of an object: attributes that an ordered dictionary carries along, of no use
        here.
        """
        self.pop()
        target = self.pop()
        if type(target) is not dict:
            raise PickleError("its pickle sets the state of something that is no dictionary; nothing was run")
        self._stack.append(target)

    def _persistent(self, _):
        self._stack.append(_storage(self.pop()))

    def _pop(self, _):
        self.pop()

    def _duplicate(self, _):
        value = self.pop()
        self._stack += [value, value]


_HANDLERS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine._mark,
    "PUT": _Machine._put,
    "BINPUT": _Machine._put,
    "LONG_BINPUT": _Machine._put,
    "MEMOIZE": _Machine._put,
    "GET": _Machine._get,
    "BINGET": _Machine._get,
    "LONG_BINGET": _Machine._get,
    "TUPLE": _Machine._tuple,
    "TUPLE1": lambda machine, _: machine._tuple_of(1),
    "TUPLE2": lambda machine, _: machine._tuple_of(2),
    "TUPLE3": lambda machine, _: machine._tuple_of(3),
    "APPEND": _Machine._append,
    "APPENDS": _Machine._appends,
    "SETITEM": _Machine._set_item,
    "SETITEMS": _Machine._set_items,
    "GLOBAL": _Machine._global,
    "STACK_GLOBAL": _Machine._stack_global,
    "REDUCE": _Machine._reduce,
    "BUILD": _Machine._build,
    "BINPERSID": _Machine._persistent,
    "POP": _Machine._pop,
    "DUP": _Machine._duplicate,
}


def _storage(words):
    """The storage that PyTorch's ("storage", type, key, place, length) stands for."""
    sound = isinstance(words, tuple) and len(words) in (5, 6) and words[0] == "storage"
    if not sound or not isinstance(words[1], Global) or words[1].name not in STORAGES:
        raise PickleError("damaged: its pickle refers to something that is no storage")
    if words[5:] not in ((), (None,)):
        raise PickleError("its tensors are views of one another, as PyTorch before 0.4 wrote them; save it again")
    key, length = words[2], words[4]
    if not isinstance(key, str) or not _whole(length):
        raise PickleError("damaged: a storage without a name or a length")
    return Storage(key, STORAGES[words[1].name], length)


def _view(storage, offset, shape, strides):
    """A tensor, its place checked against the storage.

    Raises PickleError where it reaches beyond, or repeats numbers.
    """
    if not isinstance(storage, Storage) or not _whole(offset):
        raise PickleError("damaged: a tensor without numbers")
    for sides in (shape, strides):
        if not isinstance(sides, tuple) or len(sides) > _MOST_DIMENSIONS or not all(map(_whole, sides)):
            raise PickleError("damaged: a tensor whose shape is none")
    count, reach = 1, offset + 1
    for side, stride in zip(shape, strides, strict=True):
        count, reach = count * side, reach + (side - 1) * stride
    if count > storage.length or (count and reach > storage.length):
        raise PickleError(f"damaged: a tensor of {_short(shape)} in a storage of {storage.length:,} numbers")
    return View(storage, offset, shape, strides)


def _whole(value):
    return type(value) is int and 0 <= value < 2**62


def _short(value):
    text = " ".join(str(value).split())
    return (text if text.isprintable() else ascii(text))[:100]
