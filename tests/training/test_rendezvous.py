"""The workers wait for one another, and no longer than they were told."""

import socket
import threading

import pytest

from errors import UserError
from training.rendezvous import meet


@pytest.fixture
def addresses():
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return [f"127.0.0.1:{port}" for port in ports]


def run(addresses, indices, *, seconds):
    """{index: what `meet` raised, or None}, each index in a thread of its own."""
    results = {}

    def attend(index):
        try:
            results[index] = meet(addresses, index, seconds=seconds)
        except UserError as error:
            results[index] = str(error)

    threads = [threading.Thread(target=attend, args=(index,)) for index in indices]
    for thread in threads:
        thread.start()
    return results, threads


def join(threads):
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()


def test_all_go_on_together_and_the_port_is_free_then(addresses):
    early, first = run(addresses, [1], seconds=20)  # before worker 0 listens
    late, rest = run(addresses, [0, 2], seconds=20)
    join([*first, *rest])
    assert {**early, **late} == {0: None, 1: None, 2: None}
    port = int(addresses[0].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_whoever_has_not_come_is_named(addresses):
    results, threads = run(addresses, [0, 1], seconds=2)
    join(threads)
    assert results[0] == f"--strategy=multiworker: not started within 2 s: {addresses[2]}; see --worker_timeout"
    assert "has not started all within 2 s" in results[1]


def test_strangers_at_the_port_are_sent_away(addresses):
    results, threads = run(addresses, [0, 1, 2], seconds=20)
    port = int(addresses[0].rpartition(":")[2])
    for words in (b"GET / HTTP/1.1\r\n", b"7\n", b"0\n"):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as stranger:
                stranger.sendall(words)
                assert stranger.recv(10) == b""
        except OSError:
            pass  # the workers had met already
    join(threads)
    assert results == {0: None, 1: None, 2: None}


def test_a_port_that_is_taken_is_named(addresses):
    port = int(addresses[0].rpartition(":")[2])
    with socket.create_server(("", port)):
        results, threads = run(addresses, [0], seconds=5)
        join(threads)
    assert f"cannot listen at {addresses[0]}" in results[0]
