"""The sockets that a server listens at: one, or one for each front at the same port.

They listen before anything is opened, so a server whose address is taken says so at once.
"""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from api.settings import Settings

PORT_SECONDS: Final = 2.0
"""How long to wait for a port that the fronts of a server that was killed are about to leave."""

_BACKLOG: Final = 1_024
"""Connections that wait until somebody takes them."""


def listener(settings: Settings) -> socket.socket:
    """Returns a socket that listens, at an address where nobody else does.

    Raises:
        OSError: The address is taken.
    """
    made = _socket(settings.host)
    try:
        made.bind((settings.host, settings.port))
        made.listen(_BACKLOG)
    except OSError:
        made.close()
        raise
    return made


@contextmanager
def listeners(settings: Settings) -> Iterator[list[socket.socket]]:
    """Listens with a socket for each front at one port, at which no other server is.

    Raises:
        OSError: The address is taken.
    """
    sockets = [_patient_listener(settings)]
    try:
        # Only from now on may others join it: of two servers that start together one is refused.
        sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        address = (settings.host, sockets[0].getsockname()[1])
        while len(sockets) < settings.fronts:
            sockets.append(_socket(settings.host))
            sockets[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sockets[-1].bind(address)
            sockets[-1].listen(_BACKLOG)
        yield sockets
    finally:
        for each in sockets:
            each.close()


def _patient_listener(settings: Settings) -> socket.socket:
    """Returns a socket that listens, as soon as nobody else does."""
    until = time.monotonic() + PORT_SECONDS
    while True:
        try:
            return listener(settings)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _socket(host: str) -> socket.socket:
    """Makes a socket that can listen at a host's address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without the protocol's number asyncio leaves Nagle's algorithm on: 40 ms an answer.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made
