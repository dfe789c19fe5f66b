"""Starts a command: reads its flags, prints help in plain words, and turns a user's mistake into
one line instead of a traceback.
"""

import faulthandler
import functools
import inspect
import logging
import os
import re
import signal
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

from absl import app, flags
from absl import logging as absl_logging
from tqdm import tqdm

from cli.flags import GROUP, define, read
from errors import Stopped, UserError
from settings.fields import Command

# TensorFlow's own chatter hides what the command says; whoever wants it sets the variable.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_LONGEST = 100  # characters of choices beside a flag
_ROOT = Path(__file__).parent.parent
# All but tab and new line, and what turns the direction of writing.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def run(
    main: Callable[..., int | None],
    defaults: Command,
    *,
    description: str,
    operands: bool = False,
) -> None:
    """Define the flags, parse them, call `main(settings)`, exit with its status.

    defaults: the command's settings where no flag says otherwise. description: what the command
    does, shown above the flags by --help. operands: words that are no flags are handed on,
    `main(settings, words)`; without it they are a mistake.
    """
    define(defaults)
    if operands:
        flags.FLAGS.set_gnu_getopt()
    if {"--help", "-h", "-help", "--helpfull", "--helpshort"} & set(sys.argv[1:]):
        _print_help(description)
        sys.exit(0)

    def call(argv: list[str]) -> int | None:
        words = [argv[1:]] if operands else []
        return main(read(defaults), *words)

    app.run(
        lambda argv: _guarded(functools.partial(call, argv)),
        flags_parser=functools.partial(_parse, operands=operands),
    )


def _parse(argv, *, operands):
    try:
        left = flags.FLAGS(argv)
    except flags.Error as error:
        _fail(str(error).replace("\n", " ").removeprefix("ERROR:: "), status=2)
    except (UnicodeDecodeError, OSError) as error:
        _fail(f"--flagfile: not a text file ({error})", status=2)
    if len(left) > 1 and not operands:
        _fail(f"{left[1]!r} is no flag; flags begin with --", status=2)
    return left


def _guarded(main):
    aside = _put_native_stderr_aside()
    sys.stdout.reconfigure(errors="replace")  # a terminal may know ASCII only
    _log_plainly()
    _unwind_when_told_to_stop()
    try:
        status = main() or 0
        sys.stdout.flush()
        sys.exit(status)
    except UserError as error:
        _fail(str(error), status=1)
    except Stopped as stopped:
        _fail(f"{signal.Signals(stopped.number).name}: stopped", status=128 + stopped.number)
    except KeyboardInterrupt:
        _fail("stopped", status=130)
    except BrokenPipeError:  # who read standard output has enough; what came after it is not done
        _hush_stdout()
        sys.exit(141)  # as a shell counts SIGPIPE
    except Exception:  # a fault of ours: what the libraries said may explain it
        if aside:
            aside.seek(0)
            print(aside.read().decode(errors="replace"), end="", file=sys.stderr)
        raise


def _unwind_when_told_to_stop():
    """SIGTERM, and SIGHUP where it is not ignored, raise `Stopped`. Status 143, 129."""

    def leave(number, _):
        signal.signal(number, signal.SIG_IGN)  # once: cleaning up is not to be cut short
        raise Stopped(number)

    def again(unraisable):
        """Python drops what is raised while it collects an object: so the signal is sent again."""
        if not isinstance(unraisable.exc_value, Stopped):
            sys.__unraisablehook__(unraisable)
            return
        number = unraisable.exc_value.number
        signal.signal(number, leave)
        threading.Timer(0.01, os.kill, [os.getpid(), number]).start()

    sys.unraisablehook = again
    for number in (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")):  # Windows has no SIGHUP
        if number and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, leave)


def _print_help(description):
    """On any terminal, also one that knows ASCII only; who stops to read has enough."""
    sys.stdout.reconfigure(errors="replace")
    try:
        print(_help(description), flush=True)
    except BrokenPipeError:
        _hush_stdout()


def _hush_stdout():
    """Else Python complains when it flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _without_controls(message):
    """Control characters of a file's name, spelled out: a terminal would obey them."""
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], message)


def _fail(message, *, status):
    print(f"{os.path.basename(sys.argv[0])}: {_without_controls(message)}", file=sys.stderr)
    sys.exit(status)


def _put_native_stderr_aside():
    """Descriptor 2 becomes a file, which is returned; Python's own standard error stays where it
    is.

    TensorFlow, LiteRT and their like write notes there that no setting silences. Whoever wants them
    sets TF_CPP_MIN_LOG_LEVEL to 0 or 1: then nothing is moved, and None is returned. A process that
    is started from here gets `stderr=sys.stderr`.
    """
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] in ("0", "1"):
        return None
    aside = tempfile.TemporaryFile()  # noqa: SIM115, open as long as the process
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    os.dup2(aside.fileno(), 2)
    faulthandler.enable(sys.stderr)
    return aside


class _LineHandler(logging.Handler):
    """One plain line per message, above the progress bar where there is one.

    Libraries are heard from warnings on.
    """

    def emit(self, record):
        ours = Path(record.pathname).is_relative_to(_ROOT) and "site-packages" not in record.pathname
        if record.levelno <= logging.INFO and not ours:
            return
        prefix = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        tqdm.write(prefix + _without_controls(record.getMessage()), file=sys.stderr)


def _log_plainly():
    absl_logging.set_verbosity(absl_logging.INFO)
    tqdm.get_lock()  # made now: a signal that comes while tqdm makes it ends in tqdm's own error
    root = logging.getLogger()
    root.handlers = [_LineHandler()]


def _help(description):
    """Description, then the flags of each group with their defaults."""
    lines = [inspect.cleandoc(description), ""]
    of = re.compile(r"Alias for --(\w+)\.")  # absl's help of an alias
    aliases = {
        found[1]: name for name, flag in flags.FLAGS._flags().items() if (found := of.fullmatch(flag.help or ""))
    }
    for group, members in flags.FLAGS.flags_by_module_dict().items():
        if not group.startswith(GROUP):
            continue
        lines.append(group.removeprefix(GROUP) + ":")
        for flag in members:
            names = f"-{aliases[flag.name]}, --{flag.name}" if flag.name in aliases else f"--{flag.name}"
            default = "" if flag.default in (None, "", []) else f" [{flag.default_as_str.strip(chr(39))}]"
            choices = getattr(flag.parser, "enum_values", None)
            listed = "|".join(choices or [])
            named = not listed or len(listed) > _LONGEST  # the choices then stand in the text
            value = "" if flag.boolean else f"={flag.name.split('_')[-1].upper() if named else listed}"
            lines.append(f"  {names}{value}{default}")
            text = flag.help.removeprefix(f"<{listed}>: ")  # absl puts the choices there again
            text += f" One of {', '.join(choices)}." if listed and named else ""
            lines += textwrap.wrap(text, 100, initial_indent=" " * 8, subsequent_indent=" " * 8)
        lines.append("")
    lines.append("--flagfile=FILE reads flags from a file, one a line. A flag without a default is off.")
    return "\n".join(lines)
