"""Commands on a ledger's database: bring its schema up, check it, write it again."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.common import DATABASE_HELP, ENVIRONMENT, USAGE, AsJson, print_json, talk, told
from clearing.rulebook import RULEBOOK
from registry.ids import Origin
from registry.verdicts import Verdict

if TYPE_CHECKING:
    from api.rebuild import Check

SQLITE = "sqlite:///"
Database = Annotated[
    str, typer.Option("--database", envvar="TALLYSTICK_DATABASE", help=DATABASE_HELP)
]
LogName = Annotated[
    str, typer.Option("--origin", envvar="TALLYSTICK_ORIGIN", help="The log's name.")
]


def migrate(database: Database, as_json: AsJson = False) -> None:
    """Brings a database's schema to the version of this program, all or nothing.

    Stop every server on it and make a backup first: there is no way back but that. An
    empty database is given the schema; one that has it already is left alone.

    Exit codes: 0 the schema is this program's; 1 it cannot be opened, or was made by a
    newer program; 2 an option is wrong.
    """
    from registry.store.sql import migrate as migrate_database

    with told(malformed=USAGE):
        before, now = migrate_database(database)
    if as_json:
        print_json({"before": before, "now": now})
    elif before == now:
        print(f"the schema is {now} already")
    else:
        print(f"the schema was {before or 'none'} and is {now}")


def check(database: Database, origin: LogName, as_json: AsJson = False) -> None:
    """Replays a database's entries and compares hashes and live rows with them.

    Exit codes: 0 as the entries say; 1 the database cannot be opened; 2 an option is
    wrong; 10 not as the entries say.
    """
    from api.rebuild import check_store
    from registry.store.sql import SqlStore

    _require_file(database)
    with told(malformed=USAGE), closing(SqlStore(database, RULEBOOK.tables)) as store:
        found = check_store(store, RULEBOOK, origin=Origin(origin))
    _tell(found, as_json=as_json)


def rebuild(
    database: Database,
    into: Annotated[str, typer.Option(help="The new database; must have no entries yet.")],
    origin: LogName,
    as_json: AsJson = False,
) -> None:
    """Writes a new database from another one's entries alone, by replaying them.

    Exit codes: 0 done; 1 a database cannot be opened, or an entry is not what must stand
    there; 2 an option is wrong, or the new database is not empty.
    """
    from api.rebuild import rebuild_store
    from registry.store.sql import SqlStore

    _require_file(database)
    if into.startswith(SQLITE) and Path(into.removeprefix(SQLITE)).exists():
        talk.print(f"{into} exists")
        raise typer.Exit(USAGE)
    with (
        told(malformed=USAGE),
        closing(SqlStore(database, RULEBOOK.tables)) as source,
        closing(SqlStore(into, RULEBOOK.tables)) as target,
    ):
        if target.size():
            talk.print("the new database has entries")
            raise typer.Exit(USAGE)
        found = rebuild_store(source, target, RULEBOOK, origin=Origin(origin))
    _tell(found, as_json=as_json)


def _require_file(database: str) -> None:
    """Refuses a file that is not there: to open it would make it."""
    if database.startswith(SQLITE) and not Path(database.removeprefix(SQLITE)).is_file():
        talk.print(f"{database} is not there")
        raise typer.Exit(ENVIRONMENT)


def _tell(found: "Check", *, as_json: bool) -> None:
    """Prints what was found, and exits with the verdict."""
    if as_json:
        print_json(
            {
                "verdict": int(found.verdict),
                "size": found.size,
                "root": found.root,
                "replay_digest": found.digest,
                "findings": [{"where": f.where, "reason": f.reason} for f in found.findings],
            }
        )
    else:
        print(f"{int(found.verdict)} {found.verdict.name}")
        for finding in found.findings:
            print(f"  {finding.where}: {finding.reason}")
        if found.verdict is Verdict.VERIFIED:
            print(f"  {found.size} entries\n  root {found.root}\n  replay digest {found.digest}")
    raise typer.Exit(int(found.verdict))


COMMANDS = (("db", "migrate", migrate), ("db", "check", check), ("db", "rebuild", rebuild))
