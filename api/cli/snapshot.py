"""Commands that take evidence for keeping: a holder snapshot, one lot's proof."""

import io
import shutil
import zipfile
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from api.cli.common import talk, told
from api.cli.connect import LogKey, Party, ReadKey, Url, open_client, refused
from api.client import Client, RefusedError
from registry.proofs import FILES

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
            packed = client.get_bytes(path, by=party)
        except RefusedError as error:
            raise refused(error) from None
        unpack(packed, directory)
    talk.print(f"{len(FILES)} files in {directory}, as of state entry {index}", markup=False)


def unpack(packed: bytes, directory: Path) -> None:
    """Unpacks a snapshot's files, and no others: a name could lead elsewhere."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        if sorted(archive.namelist()) != sorted(FILES):
            talk.print("the server's archive is not that of a snapshot")
            raise typer.Exit(1)
        directory.mkdir(parents=True)
        for name in FILES:
            with archive.open(name) as source, (directory / name).open("xb") as target:
                shutil.copyfileobj(source, target)


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
        talk.print(
            "there is no state entry yet: a vehicle's trustee asks for one with `snapshot request`"
        )
        raise typer.Exit(1)
    return max(states)


COMMANDS = (("snapshot", "take", take), ("lot", "prove", prove))
