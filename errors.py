"""What every part of the program raises: for a user's mistake, and when it is told to stop.

The commands print a mistake's message as a single line and exit with status 1; it never reaches the
user as a traceback. The message names the file or the flag, the value it had, and what to do.
"""


class UserError(Exception):
    """Something the user can put right: a missing file, a value out of range, a damaged image."""


class Stopped(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which end a command as Ctrl-C does: what is half done is undone. number:
    of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def reason(error: BaseException, most: int = 200) -> str:
    """Why, on one line: the system's words where there are any, else the error's own, at most so
    many characters.
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return " ".join(str(error).split())[:most] or type(error).__name__
