"""`tallystick serve`: a registry server on one ledger."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.cli.common import talk


def serve(
    origin: Annotated[
        str, typer.Option(envvar="TALLYSTICK_ORIGIN", help="The log's name, for ever.")
    ],
    directory: Annotated[
        Path, typer.Option("--dir", help="For the log key, and what it has signed.")
    ],
    database: Annotated[
        str, typer.Option(envvar="TALLYSTICK_DATABASE", help="sqlite:///path")
    ] = "",
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at; 0 takes a free one.")] = 8000,
    port_file: Annotated[
        Path | None, typer.Option(help="Where to write the port once it serves.")
    ] = None,
) -> None:
    """Serves one ledger: REST under /v1, the log as tlog-tiles under /log."""
    from api import server

    arguments = ["--origin", origin, "--dir", str(directory), "--host", host, "--port", str(port)]
    arguments += ["--database", database or f"sqlite:///{directory.resolve()}/registry.db"]
    if port_file is not None:
        arguments += ["--port-file", str(port_file)]
    talk.print(f"serving {origin}; stop with Ctrl-C")
    sys.argv = ["tallystick serve", *arguments]
    server.main()
