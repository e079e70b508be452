"""Opening a ledger: its schema, and which API's history it holds."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, inspect, select

from watchdog.ledger.errors import (
    LedgerMismatch,
    LedgerMissing,
    LedgerSetupError,
    LedgerTooNew,
)
from watchdog.ledger.schema import meta, metadata, revision

SCHEMA = "0013"
"""The newest revision in migrations/."""

OLDEST = "0003"
"""The oldest schema whose program can use this one, in case this program is rolled back."""

_CREATED_AT = "created_at"
_BASE_URL = "base_url"
_OLDEST = "oldest_schema"


@dataclass(frozen=True, slots=True)
class Opened:
    """When the ledger was created, and whether this opening created it."""

    created_at: datetime
    created: bool


def prepare(
    connection: Connection,
    *,
    base_url: str,
    now: datetime,
    make: bool,
    migrate: bool,
    where: str,
) -> Opened:
    """Bring the schema up to date, and check which API the ledger belongs to.

    With `make`, a missing ledger is created; with `migrate`, an older schema is migrated. A newer
    schema is used as it is if its `oldest_schema` allows this program. Raises LedgerSetupError.
    """
    found = _revision(connection)
    if found != SCHEMA:
        if found is not None and found > SCHEMA:
            _check_usable(connection, found, where)
        elif found is None and not make:
            raise LedgerMissing(where)
        elif found is not None and not migrate:
            raise LedgerSetupError(
                f"the ledger {where} is not up to date: start the daemon of this version first"
            )
        else:
            (create if found is None else migrate_all)(connection)
            connection.execute(delete(meta).where(meta.c.key == _OLDEST))
            connection.execute(meta.insert().values(key=_OLDEST, value=OLDEST))
    rows = {row.key: row.value for row in connection.execute(select(meta.c.key, meta.c.value))}
    if _CREATED_AT not in rows:
        new = {_CREATED_AT: now.isoformat(), _BASE_URL: base_url}
        connection.execute(meta.insert(), [{"key": k, "value": v} for k, v in new.items()])
        return Opened(now, created=True)
    if rows[_BASE_URL] != base_url:
        raise LedgerMismatch(
            f"the ledger {where} holds the history of {rows[_BASE_URL]}, not of {base_url}: "
            "give each its own store.url"
        )
    return Opened(datetime.fromisoformat(rows[_CREATED_AT]), created=False)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(revision.name):
        return None
    found: str | None = connection.scalar(select(revision.c.version_num))
    return found


def _check_usable(connection: Connection, found: str, where: str) -> None:
    oldest = connection.scalar(select(meta.c.value).where(meta.c.key == _OLDEST))
    if oldest is None or oldest > SCHEMA:
        raise LedgerTooNew(
            f"the ledger {where} was written by a newer version (schema {found}, this one knows "
            f"{SCHEMA}): upgrade, or use another store.url"
        )


def create(connection: Connection) -> None:
    """Make a new ledger as all migrations together would make it, without importing Alembic, which
    would stay in the memory of the process: 9 MB, and 0.1 s of CPU."""
    for tables in (metadata, revision.metadata):
        tables.create_all(connection, checkfirst=False)
    connection.execute(insert(revision).values(version_num=SCHEMA))


def migrate_all(connection: Connection) -> None:
    """Run the migrations that the ledger does not have."""
    # Slow to import, and needed only when the schema changes.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "watchdog.ledger:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
