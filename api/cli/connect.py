"""How commands that talk to a registry are told where it is and who asks."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.common import LogKey, Party, Url, pinned, talk
from api.client import Client, RefusedError
from registry.ids import PartyId, trustee_of
from registry.signing import PrivateKey

ReadKey = Annotated[
    Path,
    typer.Option("--read-key", envvar="TALLYSTICK_READ_KEY", help="The party's key of use `read`."),
]

__all__ = ["LogKey", "Party", "ReadKey", "Url", "open_client", "reading", "refused"]


def open_client(
    url: str, log_key: Path, *, party: str, key: Path | None = None, read_key: Path | None = None
) -> Client:
    """Returns a client that acts for one party, with the log key pinned.

    Statements bear the ledger's own time, which under a manual clock is not the machine's.
    """
    origin, pinned_key = pinned("", log_key)
    owner = trustee_of(PartyId(party))
    client = Client(
        url,
        origin=origin,
        keys={owner: load_key(key)} if key else {},
        read_keys={owner: load_key(read_key)} if read_key else {},
        log_key=pinned_key,
        clock=lambda: int(client.get("/v1/ledger")["time"]),
    )
    return client


def load_key(path: Path) -> PrivateKey:
    """Reads a private key."""
    return PrivateKey.from_pem(path.read_bytes())


def refused(error: RefusedError) -> typer.Exit:
    """Prints a refusal and returns the exit that ends the command."""
    talk.print(f"[red]{error.status} {error.code}[/]: {error.problem.get('detail', '')}")
    for place in error.problem.get("errors", ()):
        talk.print(f"  {place}")
    return typer.Exit(1)


def reading(url: str, log_key: Path, party: str, read_key: Path, path: str, **params: Any) -> Any:
    """Reads one object as a party; a refusal ends the command."""
    client = open_client(url, log_key, party=party, read_key=read_key)
    try:
        return client.get(path, by=party, **params)
    except RefusedError as error:
        raise refused(error) from None
