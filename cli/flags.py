"""Between settings and absl's flags: the only place that defines flags and reads them."""

from dataclasses import Field, replace
from typing import Any

from absl import flags

from settings.fields import About, Command, about, about_fields, check_number, kind_in_list, kind_of

GROUP = "group: "  # marks the flags that --help shows; the rest is the heading
_UNUSED = "unused"
_FLAGS = flags.FLAGS


class _Bounded:
    """A number within the bounds of its setting."""

    def __init__(self, said: About) -> None:
        super().__init__()
        self._said = said

    def convert(self, argument: str) -> float:
        value = super().convert(argument)
        check_number(value, self._said)
        return value


class _Integer(_Bounded, flags.IntegerParser):
    pass


class _Float(_Bounded, flags.FloatParser):
    pass


class _NumberList(flags.ListParser):
    """Numbers with commas, each within the bounds; they stay words."""

    def __init__(self, said: About) -> None:
        super().__init__()
        self._number = _number(kind_in_list(said), said)

    def parse(self, argument: str | list[str]) -> list[str]:
        words = super().parse(argument)
        for word in words:
            self._number.parse(word)
        return words


class _WordList(flags.ListParser):
    """Words with commas, as `About.words` makes them."""

    def __init__(self, said: About) -> None:
        super().__init__()
        self._words = said.words

    def parse(self, argument: str | list[str]) -> list[str]:
        words = super().parse(argument)
        return self._words(words) if self._words else words


def define(command: Command, values: flags.FlagValues = _FLAGS) -> None:
    """Define a flag for every setting; the values in `command` are the defaults."""
    for group, item in command.items():
        heading = GROUP + (about(item).under or group.heading)
        _define(group, item, values, heading=_UNUSED if item.name in command.unused else heading)


def read(command: Command, values: flags.FlagValues = _FLAGS) -> Command:
    """The settings that the parsed flags give, completed."""
    changed = {
        name: replace(group, **{item.name: _value(values[item.name].value) for item in about_fields(group)})
        for name, group in command.groups().items()
    }
    given = frozenset(item.name for _, item in command.items() if values[item.name].present)
    return replace(command, given=given, **changed).completed()


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _number(kind: type, said: About) -> flags.ArgumentParser:
    return _Integer(said) if kind is int else _Float(said)


def _define(group: Any, item: Field, values: flags.FlagValues, *, heading: str) -> None:
    kind, said, default = kind_of(group, item), about(item), getattr(group, item.name)
    where = {"module_name": heading, "flag_values": values}
    if kind is bool:
        flags.DEFINE_boolean(item.name, default, said.help, **where)
    elif kind is tuple:
        parser = _WordList(said) if said.low is None else _NumberList(said)
        flags.DEFINE(parser, item.name, list(default), said.help, serializer=flags.CsvListSerializer(","), **where)
    elif said.choices:
        flags.DEFINE_enum(item.name, default, said.choices, said.help, **where)
    else:
        parser = _number(kind, said) if kind in (int, float) else flags.ArgumentParser()
        serializer = flags.ArgumentSerializer()
        flags.DEFINE(parser, item.name, default, said.help, serializer=serializer, **where)
    if said.alias:
        flags.DEFINE_alias(said.alias, item.name, flag_values=values)
