"""Two hundred requests that mean harm: none is an error inside, the server lives on, and its memory does not grow."""

import contextlib
import json
import re
import socket
from urllib.parse import urlsplit

import psutil
import pytest

from tests.serving import hostile
from tests.serving.server import Server, request, talker

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(1500)]
LEAST = 200
MOST_GROWTH = 0.05
ROUNDS = 2


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server of a small model of bytes."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKAR_HOME", str(folder))
        talker(folder / "models" / "talker", context=64)
    running = Server(folder)
    yield running
    assert running.stop() == 0
    assert "Traceback" not in "".join(running.said)


def status(address, content, *, is_whole=True):
    """Return the status that a request gets; ``None`` where the connection is closed without one.

    Args:
        address: Of the server.
        content: What is sent.
        is_whole: Whether the server can know that nothing more comes.
    """
    parts = urlsplit(address)
    answer = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=100) as connection:
        # A server that refuses may close before everything was sent.
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(content)
        if not is_whole:
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(1 << 16):
                answer += piece
    found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    return int(found[1]) if found else None


def ask_all(address):
    """Send every request; return its status by its name."""
    return {
        name: status(address, content, is_whole=name not in hostile.UNFINISHED)
        for name, content in hostile.requests().items()
    }


def test_none_of_them_is_an_error_inside_and_the_memory_stays(server):
    found = ask_all(server.address)
    assert len(found) >= LEAST
    assert not {name: code for name, code in found.items() if code is not None and code >= 500}
    refused = [name for name, code in found.items() if code is not None and 400 <= code < 500]
    assert len(refused) > 0.7 * len(found)
    front = psutil.Process(server.process.pid)
    held = []
    for _ in range(2 * ROUNDS):
        assert ask_all(server.address) == found
        held.append(front.memory_info().rss)
    # Where a body of megabytes finds its place in the heap moves one round by more than the bar: the most of the first and the least of
    # the last rounds are compared, so that only what is kept counts.
    assert min(held[ROUNDS:]) < (1 + MOST_GROWTH) * max(held[:ROUNDS])
    good = request(server.address, hostile.CHAT, hostile.GOOD)
    assert good[0] == 200 and json.loads(good[2])["choices"]


def test_one_that_is_good_would_be_answered(server):
    """The twin: what all of them are made from is answered."""
    assert status(server.address, hostile.posted(json.dumps(hostile.GOOD).encode())) == 200
    body = json.dumps(hostile.GOOD).encode()
    assert status(server.address, hostile.chunked(b"%x\r\n" % len(body), body, b"\r\n0\r\n\r\n")) == 200
