"""What Alembic runs: the migrations, on the connection that the ledger was opened with."""

from alembic import context

from watchdog.ledger.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
)
context.run_migrations()
