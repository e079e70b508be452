"""The ledger's rows, read from PostgreSQL itself, and what they say may still be retried; a copy of
it, which may be put in its place later."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from tests.chaos.plan import AHEAD
from tests.simulation.scenario import FAILING, ModelPlan, Scenario
from watchdog.text.phrases import clock_time

_CHARGED = ("pending", "accepted", "refused", "unknown")

_ATTEMPTS = (
    "SELECT id, model_id, owner, episode_id, outcome, reserved_at / 1e6 AS reserved_at, "
    "coalesce(ahead_since, sent_at, reserved_at) / 1e6 AS sent_at, resolution FROM attempts "
    "ORDER BY reserved_at"
)
_EPISODES = "SELECT model_id, episode_id FROM targets"
_ANSWERED = (
    "SELECT id, model_id, sent_at / 1e6 FROM attempts WHERE outcome IN "
    "('accepted', 'refused', 'throttled', 'failed') AND sent_at IS NOT NULL"
)
_TARGETS = "SELECT model_id, decision, coalesce(health_word, health) FROM targets WHERE watched"
_WAITING = "SELECT subject, due_at / 1e6 FROM notices"
_NOTICES = (
    "SELECT subject, id::text, due_at::text, tries::text FROM notices "
    "UNION ALL SELECT subject, 'said', at::text, open::text FROM said"
)

_SOON_SECONDS = 60.0
_LONGEST_SECONDS = 3600.0
"""A notice waits for others and for a new try less than the first, and no more than the second for
an hour without such a notice. One that is due later was written by a clock that was ahead."""


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


@dataclass(frozen=True, slots=True)
class Outbox:
    """What the ledger says of notifications: the attempts whose sender recorded the answer, as the
    model and when it was sent by the ledger's clock, to the second; the models that it gave up,
    those that are healthy, the subjects of which a notice waits, and those of which one is about to
    be sent."""

    answered: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    gave_up: frozenset[str] = frozenset()
    healthy: frozenset[str] = frozenset()
    waiting: frozenset[str] = frozenset()
    soon: frozenset[str] = frozenset()


def read_outbox(url: str) -> Outbox:
    """While the server's clock is right."""
    with _connected(url) as connection:
        answered = connection.execute(_ANSWERED).fetchall()
        targets = connection.execute(_TARGETS).fetchall()
        waiting = connection.execute(_WAITING).fetchall()
    now = time.time()
    return Outbox(
        {
            attempt_id: (model_id, clock_time(datetime.fromtimestamp(float(sent_at), UTC)))
            for attempt_id, model_id, sent_at in answered
        },
        frozenset(model_id for model_id, decision, _ in targets if decision == "give_up"),
        frozenset(model_id for model_id, _, health in targets if health == "healthy"),
        frozenset(subject for subject, _ in waiting),
        frozenset(
            subject
            for subject, due_at in waiting
            if not _SOON_SECONDS < float(due_at) - now < _LONGEST_SECONDS
        ),
    )


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


def put_back(url: str, began_at: float) -> tuple[list[Row], list[Row], frozenset[str]]:
    """Put what was copied in place of what there is, between two transactions of the daemons; the
    attempts before and after, and the subjects of which other notifications are known after."""
    with _connected(url) as connection:
        # The first table that each transaction reads: no other one is locked while this waits.
        connection.execute("LOCK TABLE meta")
        # Foreign keys are not checked.
        connection.execute("SET LOCAL session_replication_role = 'replica'")
        before, said = _rows(connection, began_at), _notices(connection)
        for table in _tables(connection):
            connection.execute(_on("DELETE FROM {table}", connection, table))
            connection.execute(
                _on("INSERT INTO {table} SELECT * FROM {copy}.{table}", connection, table)
            )
        changed = frozenset(row[0] for row in said ^ _notices(connection))
        return before, _rows(connection, began_at), changed


def _connected(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", ""))


def _rows(connection: psycopg.Connection, began_at: float) -> list[Row]:
    with connection.cursor(row_factory=class_row(Row)) as cursor:
        rows = cursor.execute(_ATTEMPTS).fetchall()
    for row in rows:
        row.reserved_at = true_time(float(row.reserved_at) - began_at)
        row.sent_at = true_time(float(row.sent_at) - began_at)
    return rows


def _notices(connection: psycopg.Connection) -> set[tuple[str, ...]]:
    """What waits to be sent, and what the receivers were notified of."""
    return set(connection.execute(_NOTICES).fetchall())


def true_time(moment: float) -> float:
    """The true time at which the server's clock showed this time. The clock is stepped by far more
    than a run lasts."""
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
