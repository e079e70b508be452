"""The tables. Times are whole microseconds since the epoch: exact, and comparable in SQL."""

from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
    text,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime, in UTC when read."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + value * _MICROSECOND


class Duration(TypeDecorator[timedelta]):
    """A timedelta."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> Any:
        return None if value is None else value // _MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> timedelta | None:
        return None if value is None else value * _MICROSECOND


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

meta = Table(
    "meta",
    metadata,
    Column("key", String(100), primary_key=True),
    Column("value", Text, nullable=False),
)

targets = Table(
    "targets",
    metadata,
    Column("model_id", String(100), primary_key=True),
    Column("name", Text),
    Column("watched", Boolean, nullable=False),
    Column("status", Text),
    Column("health", String(20)),
    # The exact health. Programs of an older schema may not know it, and read `health`.
    Column("health_word", String(20)),
    Column("deployment_id", Text),
    Column("deployment_created_at", UtcTime),
    Column("status_since", UtcTime),
    Column("observed_at", UtcTime),
    Column("failing_since", UtcTime),
    Column("in_progress_since", UtcTime),
    Column("inactive_as", String(20)),
    Column("healthy_for", Duration, nullable=False),
    Column("missing_since", UtcTime),
    Column("missing", Boolean, nullable=False),
    Column("window_since", UtcTime),
    Column("broke_at", UtcTime),
    Column("observed_twice", Boolean, nullable=False, server_default=false()),
    Column("opted_out", Boolean, nullable=False, server_default=false()),
    Column("seen_well", Boolean, nullable=False, server_default=false()),
    Column("episode_id", String(200)),
    Column("decision", String(20), nullable=False),
    Column("decision_reason", String(40)),
    # The exact reason. Programs of an older schema may not know it, and read `decision_reason`.
    Column("decision_word", String(40)),
    Column("decision_until", UtcTime),
    Column("ready_at", UtcTime),
    Column("queue_rank", Integer),
    Column("next_check_at", UtcTime),
    # Only programs of an older schema use it.
    Column("due_at", UtcTime),
    # In [0, 1), always the same for a target: its position in the spread of check times.
    Column("spread", Float, nullable=False),
    Column("version", Integer, nullable=False),
    # The `version` when a program that knows all columns last wrote the row.
    Column("written_version", Integer),
    Index(None, "watched", "next_check_at"),
    # Has all columns that the breaker's counts need: no row is read for them.
    Index("ix_targets_breaker", "watched", "broke_at", "health", "observed_twice", "model_id"),
    Index(
        "ix_targets_queued",
        "queue_rank",
        "ready_at",
        "model_id",
        sqlite_where=text("queue_rank IS NOT NULL"),
    ),
)

episodes = Table(
    "episodes",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("model_id", String(100), nullable=False),
    Column("deployment_id", Text, nullable=False),
    Column("deployment_created_at", UtcTime, nullable=False),
    Column("status", Text, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("failing_from", UtcTime, nullable=False),
    Column("standing", Boolean, nullable=False),
    Column("ended_at", UtcTime),
    Column("result", String(20)),
    Column("cause", String(20)),
    Column("cause_mark", String(16)),
    Column("cause_at", UtcTime),
    Column("cause_proven", Boolean),
    Index(None, "model_id", "opened_at"),
    Index(None, "opened_at"),
    Index(None, "ended_at"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("model_id", String(100), nullable=False),
    Column("episode_id", String(200), ForeignKey("episodes.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("owner", String(100), nullable=False),
    Column("reserved_at", UtcTime, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("sent_at", UtcTime),
    Column("answered_at", UtcTime),
    Column("reason", Text),
    Column("resolution", String(20)),
    Column("resolved_at", UtcTime),
    Column("presumed", Boolean, nullable=False, server_default=false()),
    # NULL if a program of an older schema wrote the row.
    Column("in_flight_until", UtcTime),
    Column("deployment_id", Text),
    Column("deployment_created_at", UtcTime),
    Column("made_id", Text),
    Column("made_created_at", UtcTime),
    Column("forbidden_key", String(40)),
    Column("api_date", UtcTime),
    Column("ahead_since", UtcTime),
    Index(None, "in_flight_until", "reserved_at"),
    Index(None, "model_id", "reserved_at"),
    Index(None, "episode_id"),
    Index(None, "reserved_at"),
    Index(None, "sent_at"),
    Index(None, "api_date"),
    Index(
        "uq_attempts_pending",
        "model_id",
        unique=True,
        sqlite_where=text("outcome = 'pending'"),
    ),
    Index(
        "ix_attempts_under_way",
        "reserved_at",
        sqlite_where=text("resolved_at IS NULL"),
    ),
)

openings = Table(
    "openings",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("opened_at", UtcTime, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("not_failing", Integer, nullable=False),
    Column("held_until", UtcTime, nullable=False),
    Column("closed_at", UtcTime),
    Column("closed_by", String(20)),
    Column("observe", Boolean, nullable=False, server_default=false()),
    Column("judged_at", UtcTime),
    Index(None, "opened_at"),
)

canaries = Table(
    "canaries",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("opening_id", String(100), ForeignKey("openings.id"), nullable=False),
    Column("model_id", String(100), nullable=False),
    Column("named_at", UtcTime, nullable=False),
    # Not a foreign key: an attempt may be deleted earlier than its canary.
    Column("attempt_id", String(100)),
    Column("ended_at", UtcTime),
    Column("result", String(20)),
    Index(None, "opening_id", "named_at"),
    Index(None, "named_at"),
)

actions = Table(
    "actions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("kind", String(20), nullable=False),
    # NULL: all models.
    Column("model_id", String(100)),
    Column("who", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("until", UtcTime),
    Column("ended_at", UtcTime),
    Index(None, "at"),
    Index(None, "until"),
)

replicas = Table(
    "replicas",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("version", String(50), nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("configured_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("active", Boolean, nullable=False),
)

# Which models each replica is configured with.
configured = Table(
    "configured",
    metadata,
    Column("replica_id", String(100), primary_key=True),
    Column("model_id", String(100), primary_key=True),
)

# Each status that a target was seen to change to, and when; empty if it was missing.
statuses = Table(
    "statuses",
    metadata,
    Column("model_id", String(100), primary_key=True),
    Column("at", UtcTime, primary_key=True),
    Column("status", Text, nullable=False),
    Index(None, "at"),
)

# Each time span in which a target was broken; the status is NULL if it was missing.
breakages = Table(
    "breakages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model_id", String(100), nullable=False),
    Column("began_at", UtcTime, nullable=False),
    Column("status", Text),
    Column("ended_at", UtcTime),
    Index(None, "model_id"),
    Index(None, "began_at"),
    Index(None, "ended_at"),
)

# What was found out about an episode; `error_lines` is one text, with line breaks.
findings = Table(
    "findings",
    metadata,
    Column("episode_id", String(200), primary_key=True),
    Column("error_lines", Text),
    Column("actor", Text),
)

# What is to be sent to the receivers of notifications: see `domain.outbox.Waiting`.
notices = Table(
    "notices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("receiver", String(100), nullable=False),
    Column("subject", String(100), nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("tries", Integer, nullable=False),
    # The whole notice, as JSON.
    Column("notice", Text, nullable=False),
    Index(None, "receiver", "subject"),
)

# What each receiver was last notified of about a subject: see `domain.outbox.Said`.
said = Table(
    "said",
    metadata,
    Column("receiver", String(100), primary_key=True),
    Column("subject", String(100), primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("open", Boolean, nullable=False),
)

# Alembic's own table, as it makes it: the newest migration that the ledger has.
revision = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def use_on_postgresql() -> None:
    """Give PostgreSQL the conditions of the partial indexes. That imports SQLAlchemy's dialect of
    it (2 MB and 0.04 s of CPU), which a ledger on SQLite does not need."""
    for index in chain.from_iterable(table.indexes for table in metadata.tables.values()):
        if (condition := index.dialect_kwargs.get("sqlite_where")) is not None:
            index.dialect_kwargs["postgresql_where"] = condition


PAST = {
    targets: (
        "status_since",
        "observed_at",
        "failing_since",
        "in_progress_since",
        "missing_since",
        "broke_at",
        "window_since",
        "ready_at",
    ),
    episodes: ("opened_at", "failing_from", "ended_at", "cause_at"),
    attempts: ("resolved_at",),
    openings: ("opened_at", "closed_at", "judged_at"),
    canaries: ("named_at", "ended_at"),
    actions: ("at", "ended_at"),
    breakages: ("began_at", "ended_at"),
    said: ("at",),
}
"""The columns that delays are counted from. An attempt's `reserved_at` and `sent_at` are not among
them, because the limits count from them: if they were changed and the clock was then corrected, the
limits would be free too early. `ahead_since` is written instead."""
