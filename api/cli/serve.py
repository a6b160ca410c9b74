"""`tallystick serve`: a registry server on one ledger."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.common import DATABASE_HELP


def serve(
    origin: Annotated[
        str, typer.Option(envvar="TALLYSTICK_ORIGIN", help="The log's name, for ever.")
    ],
    directory: Annotated[
        Path, typer.Option("--dir", help="For the log key, and what it has signed.")
    ],
    database: Annotated[
        str,
        typer.Option(envvar="TALLYSTICK_DATABASE", help=f"{DATABASE_HELP}; else a file in --dir."),
    ] = "",
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port to listen at; 0 takes a free one.")
    ] = 8000,
    port_file: Annotated[
        Path | None, typer.Option(help="Where to write the port once it serves.")
    ] = None,
    fronts: Annotated[
        int,
        typer.Option(
            min=0, max=64, help="Processes that serve, before the one that writes; 0: one for all."
        ),
    ] = 0,
) -> None:
    """Serves one ledger: REST under /v1, the log as tlog-tiles under /log.

    Exit codes: 0 stopped as told; 1 what it needs is not there or refuses; 2 an option is wrong.
    """
    from api import server

    arguments = ["--origin", origin, "--dir", str(directory), "--host", host, "--port", str(port)]
    arguments += ["--database", database or f"sqlite:///{directory.resolve()}/registry.db"]
    arguments += ["--fronts", str(fronts)]
    if port_file is not None:
        arguments += ["--port-file", str(port_file)]
    server.main(arguments)
