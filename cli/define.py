"""One flag of a group; the group is its heading in --help."""

from absl import flags

from cli.app import GROUP


def string(group, name, default, text):
    """A word or a path."""
    flags.DEFINE_string(name, default, text, module_name=GROUP + group)


def words(group, name, default, text):
    """A list, written with commas."""
    flags.DEFINE_list(name, default, text, module_name=GROUP + group)


def integer(group, name, default, text, lower_bound=0):
    """A whole number."""
    flags.DEFINE_integer(name, default, text, lower_bound=lower_bound, module_name=GROUP + group)


def number(group, name, default, text, lower_bound=0.0):
    """A number with a fraction."""
    flags.DEFINE_float(name, default, text, lower_bound=lower_bound, module_name=GROUP + group)


def boolean(group, name, default, text):
    """--name or --noname."""
    flags.DEFINE_boolean(name, default, text, module_name=GROUP + group)


def enum(group, name, default, choices, text):
    """One of several words."""
    flags.DEFINE_enum(name, default, choices, text, module_name=GROUP + group)
