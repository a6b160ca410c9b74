"""What alembic runs: which connection to migrate. The transaction is the caller's."""

from alembic import context

from registry.store.migrations import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
