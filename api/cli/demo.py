"""`tallystick demo`: the whole story on an empty database, over real HTTP."""

import signal
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.cli.common import DATABASE_HELP, USAGE, AsJson, print_json, talk, told


def demo(
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Keep everything here; else in a temporary place.")
    ] = None,
    database: Annotated[
        str, typer.Option(help=f"{DATABASE_HELP}, empty; else a file in --dir.")
    ] = "",
    seed: Annotated[int, typer.Option(help="The same seed gives the same log root.")] = 144,
    as_json: AsJson = False,
) -> None:
    """Issues, splits, finances, securitises, clears and verifies the 584-claim pool."""
    from api.demo.show import Show
    from api.demo.story import Story
    from clearing.rulebook import RULEBOOK
    from registry.store.sql import SqlStore

    if directory is None:
        directory = Path(tempfile.mkdtemp(prefix="tallystick-demo-"))
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    database = database or f"sqlite:///{directory / 'registry.db'}"
    with told(malformed=USAGE), closing(SqlStore(database, RULEBOOK.tables)) as store:
        is_empty = store.size() == 0
    if not is_empty:
        talk.print("the database has entries: a demonstration begins with an empty ledger")
        raise typer.Exit(USAGE)
    console = Console(quiet=as_json, highlight=False)
    # Told to end, it ends its server and its banks first, as it does on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with told():
        story = Story(
            directory=directory,
            database=database,
            seed=seed,
            show=Show(console),
        )
        report = story.tell()
    if as_json:
        print_json(report)
    else:
        console.print(f"\n[bold]Done[/] in {report['seconds']} s. Check it yourself:")
        command = f"  {sys.argv[0]} audit {directory}/export --log-key {directory}/log.vkey"
        console.print(command, soft_wrap=True)
    failed = report["audit"]["verdict"] != 0 or report["tampered"]["verdict"] == 0
    raise typer.Exit(10 if failed else 0)
