"""The server process: `python -m api.server --origin … --database … --dir …`.

It listens first and writes the port to a file once requests are answered, so that
whoever started it with port 0 learns when and where. SIGTERM ends it within a bound.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from api.front import Front, config_of
from api.fronts import SIGNALS, FrontEndedError, Fronts
from api.listening import listener, listeners
from api.lock import held
from api.service import open_service
from api.settings import Settings
from registry.cycles import seek_cycles_seldom
from registry.errors import InputError, MalformedError, RegistryError
from registry.ids import parse_origin

PORT_MAX: Final = 65_535
FRONTS_MAX: Final = 64


def serve(settings: Settings) -> None:
    """Serves one ledger until the process is told to stop.

    Raises:
        MalformedError: There are to be fronts before a ledger that is in this process alone.
        RegistryError: The ledger cannot be opened.
        DirectoryInUseError: Another process serves from the directory.
        OSError: The address is taken.
        FrontEndedError: A front has ended unasked.
    """
    if settings.fronts and settings.database == "memory:":
        raise MalformedError(what="fronts", reason="other processes cannot read memory: ledgers")
    seek_cycles_seldom()
    with held(settings.directory):
        if settings.fronts:
            _serve_with_fronts(settings)
        else:
            _serve_alone(settings)


def _serve_alone(settings: Settings) -> None:
    """Serves a ledger from this process."""
    with listener(settings) as ours:
        service = open_service(settings, on_read_only=_say_read_only)
        front = Front(
            config_of(service, settings),
            on_started=partial(_tell, settings, ours.getsockname()[1]),
        )
        # From here on: the server listens to signals later, and raises them again in the end.
        for number in SIGNALS:
            signal.signal(number, front.handle_exit)
        front.run(sockets=[ours])


def _serve_with_fronts(settings: Settings) -> None:
    """Serves a ledger with processes before this one, which writes."""
    fronts = Fronts(settings)

    def on_read_only(reason: str) -> None:
        _say_read_only(reason)
        fronts.tell_read_only(reason)

    with listeners(settings) as ours:
        port = ours[0].getsockname()[1]
        service = open_service(settings, on_read_only=on_read_only)
        try:
            fronts.run(service, ours, on_started=partial(_tell, settings, port))
        finally:
            service.close()


def _tell(settings: Settings, port: int) -> None:
    """Tells whoever started the server that it serves, and where."""
    print(f"listening on {settings.host}:{port}", flush=True)
    if settings.port_file is not None:
        fresh = settings.port_file.with_name(settings.port_file.name + ".new")
        fresh.write_text(f"{port}\n")
        fresh.replace(settings.port_file)


def _say_read_only(reason: str) -> None:
    """Tells the operator that nothing is sealed any more, and why."""
    print(f"read-only: {reason}", file=sys.stderr, flush=True)


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
    parser.add_argument(
        "--fronts", type=_fronts, default=0, help="processes that serve, before the one that writes"
    )
    given = parser.parse_args(arguments)
    return Settings(
        origin=parse_origin(given.origin),
        database=given.database,
        directory=given.dir,
        host=given.host,
        port=given.port,
        port_file=given.port_file,
        fronts=given.fronts,
    )


def _port(text: str) -> int:
    """Reads a port."""
    if not 0 <= int(text) <= PORT_MAX:
        raise argparse.ArgumentTypeError(f"{text} is not a port: 0 to {PORT_MAX}")
    return int(text)


def _fronts(text: str) -> int:
    """Reads a number of fronts."""
    if not 0 <= int(text) <= FRONTS_MAX:
        raise argparse.ArgumentTypeError(f"{text} fronts: 0 to {FRONTS_MAX}, please")
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
    except FrontEndedError as error:
        print(f"stopped: {error}", file=sys.stderr)
        sys.exit(1)
    except (RegistryError, OSError) as error:
        print(f"cannot serve: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
