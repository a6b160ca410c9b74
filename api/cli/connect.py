"""How commands that talk to a registry are told where it is and who asks."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.common import ENVIRONMENT, LogKey, Party, Url, pinned, talk
from api.client import Client, RefusedError
from api.titles import TITLES
from registry.errors import MalformedError
from registry.ids import PartyId, trustee_of
from registry.signing import PrivateKey

ReadKey = Annotated[
    Path,
    typer.Option("--read-key", envvar="TALLYSTICK_READ_KEY", help="The party's key of use `read`."),
]
MayReadKey = Annotated[
    Path | None,
    typer.Option(
        "--read-key",
        envvar="TALLYSTICK_READ_KEY",
        help="The party's key of use `read`, to tell names; ids alone without it.",
    ),
]

__all__ = ["LogKey", "MayReadKey", "Party", "ReadKey", "Url", "open_client", "reading", "refused"]


def open_client(
    url: str, log_key: Path, *, party: str, key: Path | None = None, read_key: Path | None = None
) -> Client:
    """Returns a client that acts for one party, with the log key pinned.

    Statements bear the ledger's own time, which under a manual clock is not the machine's.
    """
    origin, pinned_key = pinned("", log_key)
    if key is not None and read_key is not None and not read_key.exists():
        # It only tells names then, and may not be made yet.
        read_key = None
    owner = trustee_of(PartyId(party))
    client = Client(
        url,
        origin=origin,
        keys={owner: load_key(key)} if key else {},
        read_keys={owner: load_key(read_key, option="--read-key")} if read_key else {},
        log_key=pinned_key,
        clock=lambda: _time_of(client),
    )
    return client


def _time_of(client: Client) -> int:
    """Returns the ledger's time in milliseconds; before genesis the machine's."""
    try:
        return int(client.get("/v1/ledger")["time"])
    except RefusedError as error:
        if error.code != "not-found":
            raise
        return time.time_ns() // 1_000_000


def load_key(path: Path, *, option: str = "--key") -> PrivateKey:
    """Reads a private key.

    Raises:
        typer.Exit: There is none, or it cannot be read (1).
    """
    try:
        return PrivateKey.from_pem(path.read_bytes())
    except OSError as error:
        talk.print(f"no key in {path} ({option}): {error.strerror}", style="red")
        talk.print("`tallystick key new FILE` makes one")
        raise typer.Exit(ENVIRONMENT) from None
    except MalformedError as error:
        talk.print(f"no key in {path} ({option}): {error}", style="red")
        raise typer.Exit(ENVIRONMENT) from None


def refused(error: RefusedError) -> typer.Exit:
    """Prints a refusal and returns the exit that ends the command."""
    detail = error.problem.get("detail", "")
    talk.print(f"{error.status} {error.code}: {detail}", style="red")
    if error.code in TITLES:
        talk.print(f"{TITLES[error.code]}。", style="red")
    for place in error.problem.get("errors", ()):
        where, why = place.get("pointer", place.get("parameter", "")), place.get("detail", "")
        if f"{where.lstrip('/')}: {why}" != detail and why != detail:
            talk.print(f"  {where}: {why}")
        # A closed set stands in the sentence already.
        if "expected" in place and not why.startswith("Input should be '"):
            talk.print(f"    expected: {place['expected']}", style="dim")
    return typer.Exit(1)


def reading(url: str, log_key: Path, party: str, read_key: Path, path: str, **params: Any) -> Any:
    """Reads one object as a party; a refusal ends the command."""
    with open_client(url, log_key, party=party, read_key=read_key) as client:
        try:
            return client.get(path, by=party, **params)
        except RefusedError as error:
            raise refused(error) from None
