"""The versions of the SQL schema, and the way from each to the next.

An empty database is brought to the newest version by the same steps as an old one. A
step that was released is never edited: it says what the schema was, whatever the rows'
dataclasses have become since. There is no way back but a backup.

Clearing's tables are here too, by name: one database has one schema.
"""

from pathlib import Path
from typing import Final

import sqlalchemy as sa

from registry.errors import StorageFailedError

REVISIONS: Final = ("0001",)
"""All versions, oldest first."""

VERSION_TABLE: Final = "schema_version"


def version_of(connection: sa.Connection) -> str:
    """Returns a database's version; empty if it has no schema yet.

    Raises:
        StorageFailedError: There are tables and no version, or the version is unknown.
    """
    tables = sa.inspect(connection).get_table_names()
    if VERSION_TABLE not in tables:
        if "entry" in tables:
            raise StorageFailedError(reason="the database has tables and no schema version")
        return ""
    text = sa.text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 (a constant)
    version = connection.execute(text).scalar() or ""
    if version and version not in REVISIONS:
        raise StorageFailedError(
            reason=f"the database has schema {version}, made by a newer program; "
            f"this one knows up to {REVISIONS[-1]}"
        )
    return str(version)


def upgrade(connection: sa.Connection) -> None:
    """Brings the schema to the newest version within the caller's transaction."""
    # Imported here: a database that is up to date is opened without it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    here = str(Path(__file__).parent).replace("%", "%%")
    config.set_main_option("script_location", here)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
