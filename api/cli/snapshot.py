"""Commands that take evidence for keeping: a holder snapshot, one lot's proof."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from api.cli.common import talk, told
from api.cli.connect import LogKey, Party, ReadKey, Url, open_client, refused
from api.client import Client, RefusedError
from api.files import unpack_zip

State = Annotated[int | None, typer.Option(help="Index of a state entry; the newest without one.")]


def take(
    directory: Annotated[Path, typer.Argument(help="Where it goes; must not exist yet.")],
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    family: Annotated[str, typer.Option(help="holder or voucher.")] = "holder",
    bucket: Annotated[str, typer.Option(help="Whose or which; the party's own without it.")] = "",
    state: State = None,
) -> None:
    """Takes a holder snapshot against a state entry; `snapshot request` asks for a new one."""
    with told(), open_client(url, log_key, party=party, read_key=read_key) as client:
        try:
            index = _newest_state(client, party) if state is None else state
            path = f"/v1/snapshots/{family}/{quote(bucket or party, safe='')}/{index}"
            files = unpack_zip(client.get_bytes(path, by=party))
        except RefusedError as error:
            raise refused(error) from None
        directory.mkdir(parents=True)
        for name, data in files.items():
            (directory / name).write_bytes(data)
    talk.print(f"{len(files)} files in {directory}, as of state entry {index}", markup=False)


def prove(
    lot: Annotated[str, typer.Argument(help="The lot.")],
    file: Annotated[Path, typer.Option("--to", help="Where the proof goes.")],
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    state: State = None,
) -> None:
    """Takes the proof of one lot, which shows no other holder; check it with `verify`."""
    with told(), open_client(url, log_key, party=party, read_key=read_key) as client:
        try:
            index = _newest_state(client, party) if state is None else state
            path = f"/v1/lots/{quote(lot, safe='')}/proof/{index}"
            file.write_bytes(client.get_bytes(path, by=party))
        except RefusedError as error:
            raise refused(error) from None


def _newest_state(client: Client, party: str) -> int:
    """Returns the index of the newest state entry."""
    states = [int(row["index"]) for row in client.pages("/v1/states", by=party)]
    if not states:
        talk.print("there is no state entry yet: ask for one with `snapshot request`")
        raise typer.Exit(1)
    return max(states)


COMMANDS = (("snapshot", "take", take), ("lot", "prove", prove))
