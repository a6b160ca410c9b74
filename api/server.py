"""The server process: `python -m api.server --origin … --database … --dir …`.

It listens first and writes the port to a file once requests are answered, so that
whoever started it with port 0 learns when and where. SIGTERM ends it within a bound.
"""

import argparse
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvicorn

from api.app import create_app
from api.lock import held
from api.service import open_service
from api.settings import Settings
from api.stalls import StallWatch
from registry.errors import InputError, RegistryError
from registry.ids import parse_origin

PORT_MAX: Final = 65_535
_BACKLOG = 1_024
_TICKS_A_SECOND = 10


class Server(uvicorn.Server):
    """Tells the port once it serves, and ends what stalls."""

    def __init__(self, config: uvicorn.Config, *, port: int, port_file: Path | None) -> None:
        """Takes the port that the socket is bound to."""
        super().__init__(config)
        self._port = port
        self._port_file = port_file
        self._stalls = StallWatch()

    async def on_tick(self, counter: int) -> bool:
        """Looks for stalled connections once a second."""
        if counter % _TICKS_A_SECOND == 0:
            self._stalls.look(self.server_state.connections, now=time.monotonic())
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts serving, then tells."""
        await super().startup(sockets=sockets)
        if not self.started:
            return
        print(f"listening on {self.config.host}:{self._port}", flush=True)
        if self._port_file is not None:
            fresh = self._port_file.with_name(self._port_file.name + ".new")
            fresh.write_text(f"{self._port}\n")
            fresh.replace(self._port_file)


def serve(settings: Settings) -> None:
    """Serves one ledger until the process is told to stop.

    Raises:
        RegistryError: The ledger cannot be opened.
        DirectoryInUseError: Another process serves from the directory.
        OSError: The address is taken.
    """
    with held(settings.directory), _socket(settings.host) as listener:
        listener.bind((settings.host, settings.port))
        listener.listen(_BACKLOG)
        _serve(settings, listener)


def _serve(settings: Settings, listener: socket.socket) -> None:
    """Serves a ledger at an address, from a directory that this process holds."""
    app = create_app(open_service(settings, on_read_only=_say_read_only))
    config = uvicorn.Config(
        app,
        host=settings.host,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.stop_seconds,
    )
    port = listener.getsockname()[1]
    server = Server(config, port=port, port_file=settings.port_file)
    # The server raises the signal again when it has stopped; by then it has been obeyed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    server.run(sockets=[listener])


def _say_read_only(reason: str) -> None:
    """Tells the operator that nothing is sealed any more, and why."""
    print(f"read-only: {reason}", file=sys.stderr, flush=True)


def _socket(host: str) -> socket.socket:
    """Makes the socket that listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without the protocol's number asyncio leaves Nagle's algorithm on: 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return listener


def parse_settings(arguments: Sequence[str]) -> Settings:
    """Reads settings from a command line.

    Raises:
        MalformedError: The origin is none.
    """
    parser = argparse.ArgumentParser(prog="python -m api.server", description="Serves one ledger.")
    parser.add_argument("--origin", required=True, help="the log's name")
    parser.add_argument(
        "--database", required=True, help="sqlite:///path, postgresql://…, or memory:"
    )
    parser.add_argument("--dir", required=True, type=Path, help="keeps log key and memory")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=_port, default=0, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="where to write the port once it serves")
    given = parser.parse_args(arguments)
    return Settings(
        origin=parse_origin(given.origin),
        database=given.database,
        directory=given.dir,
        host=given.host,
        port=given.port,
        port_file=given.port_file,
    )


def _port(text: str) -> int:
    """Reads a port."""
    if not 0 <= int(text) <= PORT_MAX:
        raise argparse.ArgumentTypeError(f"{text} is not a port: 0 to {PORT_MAX}")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the server; says on stderr why it does not start.

    Exit codes: 0 stopped as told; 1 what it needs is not there or refuses; 2 a setting
    is none.

    Args:
        arguments: The command line; None takes the process's own.
    """
    # The database holds confidential terms in clear: what the server writes is its owner's alone.
    os.umask(0o077)
    try:
        serve(parse_settings(sys.argv[1:] if arguments is None else arguments))
    except InputError as error:
        print(f"cannot serve: {error}", file=sys.stderr)
        sys.exit(2)
    except (RegistryError, OSError) as error:
        print(f"cannot serve: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
