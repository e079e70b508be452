"""Indexes that the decision about a failing target needs, in place of three that it cannot use. No
row changes: a program of an older schema works with either, and may only be slower."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_QUEUED = sa.text("queue_rank IS NOT NULL")


def upgrade() -> None:
    op.drop_index("ix_targets_broke_at", "targets")
    op.create_index(
        "ix_targets_breaker",
        "targets",
        ["watched", "broke_at", "health", "observed_twice", "model_id"],
    )
    op.drop_index("ix_targets_ready_at", "targets")
    op.create_index(
        "ix_targets_queued",
        "targets",
        ["queue_rank", "ready_at", "model_id"],
        sqlite_where=_QUEUED,
        postgresql_where=_QUEUED,
    )
    op.drop_index("ix_attempts_in_flight_until", "attempts")
    op.create_index(
        "ix_attempts_in_flight_until_reserved_at", "attempts", ["in_flight_until", "reserved_at"]
    )
