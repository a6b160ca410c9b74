"""Stalled clients lose their connections, and nobody else does."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import uvicorn

from api.front import Front
from api.stalls import StallWatch

SECONDS = 20
ANSWER = b"x" * 30_000_000


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads a body whole, thinks for a while at /slow, and answers."""
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/slow":
        await asyncio.sleep(1.6)
    body = ANSWER if scope["path"] == "/large" else b"ok"
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Serves with half a second for every request."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    server = Front(config, on_started=lambda: None)
    server._stalls = StallWatch(seconds=0.5)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(SECONDS)


def connected(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    client.settimeout(SECONDS)
    return client


def is_ended(client: socket.socket) -> bool:
    """Waits for the end of a connection."""
    try:
        while client.recv(1 << 20):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


def drip(client: socket.socket) -> None:
    """Sends a byte now and then."""
    for _ in range(100):
        client.sendall(b"x")
        time.sleep(0.1)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST / HT",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n123",
    ],
    ids=["nothing", "half-a-line", "half-a-head", "half-a-body"],
)
def test_half_a_request_is_waited_for_only_so_long(port: int, sent: bytes) -> None:
    with closing(connected(port)) as client:
        client.sendall(sent)
        assert is_ended(client)


def test_a_request_in_drops_is_not_waited_for_longer(port: int) -> None:
    with closing(connected(port)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 999\r\n\r\n")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            drip(client)


def test_an_answer_that_is_not_read_is_not_kept(port: int) -> None:
    with closing(connected(port)) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        time.sleep(3)
        received = 0
        try:
            while part := client.recv(1 << 20):
                received += len(part)
        except ConnectionResetError:
            pass
        assert received < len(ANSWER)


def test_whoever_waits_for_the_server_keeps_the_connection(port: int) -> None:
    with closing(connected(port)) as client:
        for path in (b"/slow", b"/", b"/slow"):
            ask(client, path)
            time.sleep(1.6)


def test_half_a_second_request_is_waited_for_only_so_long(port: int) -> None:
    with closing(connected(port)) as client:
        ask(client, b"/")
        client.sendall(b"POST / HT")
        assert is_ended(client)


def ask(client: socket.socket, path: bytes) -> None:
    """Sends a request and reads its answer."""
    client.sendall(b"GET " + path + b" HTTP/1.1\r\nhost: x\r\n\r\n")
    answer = b""
    while not answer.endswith(b"\r\n\r\nok"):
        part = client.recv(1 << 16)
        assert part, "the connection was ended"
        answer += part
