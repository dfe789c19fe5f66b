"""A setting: one field of a frozen dataclass, with all that is known of it.

Flags, `--help`, `config.txt`, what a continued run must agree in, what a ledger's runs must share
and what names a place derive from the fields. A *group* is a dataclass of settings with a heading;
a *command* is a dataclass of groups.
"""

import math
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, ClassVar


@dataclass(frozen=True)
class About:
    """What is known of a setting beside its type and default.

    help: one or two sentences for `--help`. low, high: bounds of a number, or of each number of a
    list, both allowed; above: one that is not allowed itself. choices: the words it may have.
    alias: a second name of the flag. fixed: a continued run must agree in it. equal: the runs of a
    ledger must agree in it. place: it names a place on one machine, or leaves the result alone.
    datasets: the data sets that read it; empty where all do. recorded: it stands in config.txt.
    under: its heading in `--help`, where that is not its group's. words: of a list, a function that
    checks its words and gives those that the setting holds; it raises ValueError, with the remedy.
    """

    help: str
    low: float | None = None
    high: float | None = None
    above: float | None = None
    choices: tuple[str, ...] = ()
    alias: str | None = None
    fixed: bool = False
    equal: bool = False
    place: bool = False
    datasets: tuple[str, ...] = ()
    recorded: bool = True
    under: str | None = None
    words: Callable[[list[str]], list[str]] | None = None


def setting(default: Any, help: str, **about: Any) -> Any:
    """A field with this default; the rest is `About`'s."""
    return field(default=default, metadata={"about": About(help, **about)})


@dataclass(frozen=True)
class Command:
    """Base of a command's settings. given: the settings that the command line or a flag file names.

    unused: settings without effect in this command. They are accepted, as a config.txt of another
    command may name them, but do not stand in its `--help`.
    """

    given: frozenset[str] = frozenset()
    unused: ClassVar[frozenset[str]] = frozenset()

    def groups(self) -> dict[str, Any]:
        """{field name: group}, in order."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "given"}

    def with_values(self, **values: Any) -> "Command":
        """A copy in which the settings of these names, whatever their group, have these values.

        Raises ValueError for other names.
        """
        if unknown := set(values) - set(self.values()):
            raise ValueError(f"no setting is called {', '.join(sorted(unknown))}")
        changed = {}
        for name, group in self.groups().items():
            ours = {item.name for item in about_fields(group)} & set(values)
            if ours:
                changed[name] = replace(group, **{key: values[key] for key in ours})
        return replace(self, **changed)

    def completed(self) -> "Command":
        """The settings as they were read, with the defaults that follow from others."""
        return self

    def values(self) -> dict[str, Any]:
        """{setting: value} over all groups."""
        return {item.name: getattr(group, item.name) for group, item in self.items()}

    def items(self) -> Iterator[tuple[Any, Field]]:
        """(group, field) of every setting, in order."""
        for group in self.groups().values():
            for item in about_fields(group):
                yield group, item


def about_fields(group: Any) -> list[Field]:
    """The settings of a group, of an instance or a class; its own before those that it inherits."""
    own = (group if isinstance(group, type) else type(group)).__annotations__
    found = [item for item in fields(group) if "about" in item.metadata]
    return sorted(found, key=lambda item: item.name not in own)


def about(item: Field) -> About:
    """What is known of a setting."""
    return item.metadata["about"]


def as_text(value: Any) -> str:
    """A value as a flag file has it: true, 0.001, a,b."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def as_config(command: Command) -> dict[str, str]:
    """{setting: value as text} of every recorded setting that has a value: what config.txt
    holds.
    """
    return {
        item.name: as_text(value)
        for group, item in command.items()
        if about(item).recorded and (value := getattr(group, item.name)) is not None
    }


def names_where(*groups: Any, **wanted: Any) -> set[str]:
    """The names of the settings of these groups (classes or instances) that have this about them:
    `fixed=True`.
    """
    return {
        item.name
        for group in groups
        for item in about_fields(group)
        if all(getattr(about(item), key) == value for key, value in wanted.items())
    }


def kind_of(group: Any, item: Field) -> type:
    """bool, int, float, str or tuple: the type of a setting without its None."""
    hint = typing.get_type_hints(group if isinstance(group, type) else type(group))[item.name]
    if isinstance(hint, types.UnionType):
        (hint,) = set(typing.get_args(hint)) - {type(None)}
    return typing.get_origin(hint) or hint


_MOST = 2**31 - 1  # where no bound is stated: what counts, sizes and rates of libraries hold


def check_number(value: float, said: About) -> None:
    """Raises ValueError for a number that is not finite or not within the bounds."""
    if not math.isfinite(value):
        raise ValueError("is no finite number")
    if said.above is not None and value <= said.above:
        raise ValueError(f"has to be above {said.above}")
    if said.low is not None and value < said.low:
        raise ValueError(f"has to be at least {said.low}")
    high = _MOST if said.high is None else said.high
    if value > high:
        raise ValueError(f"has to be at most {high}")


def kind_in_list(said: About) -> type:
    """Of the items of a list: int or float where it has a lower bound of that type, or else str."""
    return str if said.low is None else type(said.low)


def from_text(group: Any, item: Field, text: str) -> Any:
    """The value that `as_text` wrote.

    Raises ValueError for one of another type, out of bounds or not among the choices.
    """
    kind, said = kind_of(group, item), about(item)
    if kind is bool:
        return {"true": True, "false": False}[text] if text in ("true", "false") else bool(int(text))
    if kind is tuple:
        words = text.split(",") if text else []
        if said.low is not None:
            for word in words:
                check_number(kind_in_list(said)(word), said)
        return tuple(said.words(words) if said.words else words)
    value = kind(text)
    if said.choices and value not in said.choices:
        raise ValueError(f"is none of {', '.join(said.choices)}")
    if kind in (int, float):
        check_number(value, said)
    return value
