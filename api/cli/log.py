"""Commands about the log: the checkpoint, an export, a proof, the journal."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.common import print_json, talk, told
from api.cli.connect import LogKey, Party, ReadKey, Url, open_client, refused
from api.client import Client, RefusedError
from api.files import read_entries, size_of, write_journal
from clearing.plaintext import Style
from registry.calendars import parse_offset
from registry.checkpoint import open_checkpoint
from registry.errors import InvariantBrokenError
from registry.export import DirectoryFiles, write_export


def checkpoint(url: Url, log_key: LogKey) -> None:
    """Prints the newest checkpoint, verified; keep it, to hold the log to it later."""
    with told(), open_client(url, log_key, party="") as client:
        try:
            print(_newest_note(client), end="")
        except RefusedError as error:
            raise refused(error) from None


def _newest_note(client: Client) -> str:
    """Fetches a checkpoint over everything sealed by now; verifies exactly what it returns."""
    size = client.get("/v1/ledger")["size"]
    note = client.get_bytes(f"/v1/log/checkpoint/{size}").decode(errors="replace")
    if client.log_key is None:
        raise InvariantBrokenError("commands pin the log key")
    open_checkpoint(note, origin=client.origin, key=client.log_key)
    return note


def export(
    directory: Annotated[Path, typer.Argument(help="Where it goes; must not exist yet.")],
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
) -> None:
    """Downloads the whole log, as an auditor may, into a directory that `audit` takes."""
    with told(), open_client(url, log_key, party=party, read_key=read_key) as client:
        try:
            note = _newest_note(client)
            entries = read_entries(
                lambda path: client.get_bytes(f"/log/{path}", by=party), size_of(note)
            )
            written = write_export(directory, note=note, entries=entries)
        except RefusedError as error:
            raise refused(error) from None
    talk.print(f"{written} entries in {directory}")


def prove(
    index: Annotated[int, typer.Argument(help="The entry's index.")], url: Url, log_key: LogKey
) -> None:
    """Prints the proof that an entry is in the log of the newest checkpoint."""
    with told(), open_client(url, log_key, party="") as client:
        try:
            size = client.caught_up().size
            print_json(client.get(f"/v1/log/proof/inclusion/{index}/{size}"))
        except RefusedError as error:
            raise refused(error) from None


def journal(
    directory: Annotated[Path, typer.Argument(help="An export that was audited.")],
    zone: Annotated[str, typer.Option(help="The ledger's zone.")] = "+08:00",
    style: Annotated[Style, typer.Option("--format", help="Who reads it.")] = Style.HLEDGER,
) -> None:
    """Prints the journal of every claim and payment, for hledger or beancount."""
    with told():
        files, offset = DirectoryFiles(directory), parse_offset(zone)
        print(write_journal(files.read, offset_minutes=offset, style=style), end="")


COMMANDS = (
    ("log", "checkpoint", checkpoint),
    ("log", "export", export),
    ("log", "prove", prove),
    ("log", "journal", journal),
)
