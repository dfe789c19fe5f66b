"""The one exception every part of the program raises for a user's mistake.

The commands print its message as a single line and exit with status 1; it never reaches the user as a traceback. The message names
the file or the flag, the value it had, and what to do.
"""


class UserError(Exception):
    """Something the user can put right: a missing file, a value out of range, a damaged picture."""


def first_line(error: BaseException, most: int = 200) -> str:
    """What an exception of a library says, as far as it fits into a message of ours."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:most]
