"""The workers of --strategy=multiworker wait for one another before TensorFlow does, which waits
for ever.

Worker 0 listens on its own address until each of the others has told its number there; then it
tells all of them to go on, and the port is free for TensorFlow.
"""

import socket
import time
from collections.abc import Sequence
from contextlib import suppress

from errors import UserError, reason

_GO = b"go\n"
_PAUSE = 0.5  # seconds between two calls of a worker that is not answered
_ANSWER = 5.0  # seconds that one who has called may be silent


def meet(addresses: Sequence[str], index: int, *, seconds: float) -> None:
    """Return, on every worker, once all have called it.

    addresses: "host:port" of each worker, the same list everywhere. index: of this one. Raises
    UserError that names those who have not come after so many seconds, and where worker 0 cannot
    listen at its port.
    """
    deadline = time.monotonic() + seconds
    if index:
        _call(addresses[0], index, deadline, seconds)
    else:
        _gather(addresses, deadline, seconds)


def _gather(addresses, deadline, seconds):
    callers = {}
    try:
        port = _place(addresses[0])[1]
        with socket.create_server(("", port)) as server:
            while len(callers) < len(addresses) - 1:
                server.settimeout(max(deadline - time.monotonic(), 0.01))
                caller = server.accept()[0]
                if (number := _number(caller, len(addresses))) is None:
                    caller.close()  # somebody else's
                else:
                    callers[number] = caller
        for caller in callers.values():
            with suppress(OSError):  # one that has died meanwhile is TensorFlow's to notice
                caller.sendall(_GO)
                caller.recv(1)  # nothing: it hangs up first, so that this side's port is free at once
    except TimeoutError as error:
        missing = ", ".join(address for i, address in enumerate(addresses) if i and i not in callers)
        raise UserError(
            f"--strategy=multiworker: not started within {seconds:g} s: {missing}; see --worker_timeout"
        ) from error
    except OSError as error:
        raise UserError(f"--strategy=multiworker: cannot listen at {addresses[0]}: {reason(error)}") from error
    finally:
        for caller in callers.values():
            caller.close()


def _number(caller, count):
    caller.settimeout(_ANSWER)
    with suppress(OSError, ValueError):
        number = int(caller.makefile("rb").readline(16))
        return number if 0 < number < count else None


def _call(chief, index, deadline, seconds):
    while (left := deadline - time.monotonic()) > 0:
        with suppress(OSError), socket.create_connection(_place(chief), timeout=min(left, _ANSWER)) as line:
            line.sendall(b"%d\n" % index)
            line.settimeout(left)
            if line.makefile("rb").readline(16) == _GO:
                return
        time.sleep(_PAUSE)
    raise UserError(
        f"--strategy=multiworker: worker 0 at {chief} has not started all within {seconds:g} s; see its log and --worker_timeout"
    )


def _place(address):
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
