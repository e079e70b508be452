"""The ledger's rows, read from PostgreSQL itself, and what they say may still be retried; a copy of
it, which may be put in its place later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from tests.chaos.plan import AHEAD
from tests.simulation.scenario import FAILING, ModelPlan, Scenario

_CHARGED = ("pending", "accepted", "refused", "unknown")

_ATTEMPTS = (
    "SELECT id, model_id, owner, episode_id, outcome, reserved_at / 1e6 AS reserved_at, "
    "coalesce(ahead_since, sent_at, reserved_at) / 1e6 AS sent_at, resolution FROM attempts "
    "ORDER BY reserved_at"
)
_EPISODES = "SELECT model_id, episode_id FROM targets"


@dataclass(slots=True)
class Row:
    """An attempt. Times are seconds since the start. Where the clock was set back behind `sent_at`,
    that is when this was noticed: it counts as of then."""

    id: str
    model_id: str
    owner: str
    episode_id: str
    outcome: str
    reserved_at: float
    sent_at: float
    resolution: str | None = None


def read(url: str, began_at: float) -> tuple[list[Row], dict[str, str | None]]:
    """The attempts, and each model's present episode. `began_at`: in seconds since the epoch."""
    with _connected(url) as connection:
        rows = _rows(connection, began_at)
        episodes: dict[str, str | None] = dict(connection.execute(_EPISODES).fetchall())
    return rows, episodes


def copy(url: str) -> None:
    """Copy the whole ledger; this replaces an older copy."""
    with _connected(url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        tables = _tables(connection)
        connection.execute(_on("DROP SCHEMA IF EXISTS {copy} CASCADE", connection))
        connection.execute(_on("CREATE SCHEMA {copy}", connection))
        for table in tables:
            connection.execute(
                _on("CREATE TABLE {copy}.{table} AS TABLE {table}", connection, table)
            )


def put_back(url: str, began_at: float) -> tuple[list[Row], list[Row]]:
    """Put what was copied in place of what there is, between two transactions of the daemons; the
    attempts before and after."""
    with _connected(url) as connection:
        # The first table that each transaction reads: no other one is locked while this waits.
        connection.execute("LOCK TABLE meta")
        # No foreign key is looked at.
        connection.execute("SET LOCAL session_replication_role = 'replica'")
        before = _rows(connection, began_at)
        for table in _tables(connection):
            connection.execute(_on("DELETE FROM {table}", connection, table))
            connection.execute(
                _on("INSERT INTO {table} SELECT * FROM {copy}.{table}", connection, table)
            )
        return before, _rows(connection, began_at)


def _connected(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", ""))


def _rows(connection: psycopg.Connection, began_at: float) -> list[Row]:
    with connection.cursor(row_factory=class_row(Row)) as cursor:
        rows = cursor.execute(_ATTEMPTS).fetchall()
    for row in rows:
        row.reserved_at = _true_time(float(row.reserved_at) - began_at)
        row.sent_at = _true_time(float(row.sent_at) - began_at)
    return rows


def _true_time(moment: float) -> float:
    """What the server's clock, which is stepped by far more than a run lasts, said was this."""
    return moment - max(ahead for ahead in (0.0, *AHEAD) if ahead == 0 or ahead <= moment)


def _tables(connection: psycopg.Connection) -> list[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    return [name for (name,) in connection.execute(query)]


def _on(query: str, connection: psycopg.Connection, table: str = "") -> sql.Composed:
    (schema,) = connection.execute("SELECT current_schema()").fetchone() or ("",)
    return sql.SQL(query).format(
        copy=sql.Identifier(f"{schema}_copy"), table=sql.Identifier(table or "none")
    )


def still_due(
    scenario: Scenario,
    rows: Sequence[Row],
    episodes: Mapping[str, str | None],
    statuses: Mapping[str, str | None],
    now: float,
) -> dict[str, str]:
    """The models that are left failing though no limit of theirs keeps them from being retried, or
    with an attempt that nobody settled."""
    due = {}
    for model in scenario.models:
        own = [row for row in rows if row.model_id == model.id]
        if any(row.outcome == "pending" for row in own):
            due[model.id] = "an attempt of it is still pending"
        elif statuses[model.id] in FAILING and not _spent(model, own, episodes.get(model.id), now):
            due[model.id] = f"left in {statuses[model.id]}, though it may be retried"
    return due


def _spent(model: ModelPlan, own: Sequence[Row], episode: str | None, now: float) -> bool:
    charged = [row for row in own if row.outcome in _CHARGED]
    here = [row.outcome for row in charged if row.episode_id == episode]
    recent = [row for row in charged if now - row.sent_at < model.rules.window]
    return (
        len(here) >= model.rules.max_attempts
        or here[-2:] == ["refused", "refused"]
        or len(recent) >= model.rules.max_attempts_per_window
    )
