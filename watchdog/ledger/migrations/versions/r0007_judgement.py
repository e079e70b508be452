"""Columns for presumed re-failures, forbidden retries, the queue, and which process judges the
breaker. It only adds: a program of an older schema does not change these columns."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_ADDED = {
    "attempts": (
        sa.Column("presumed", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("in_flight_until", sa.BigInteger),
        sa.Column("deployment_id", sa.Text),
        sa.Column("deployment_created_at", sa.BigInteger),
        sa.Column("made_id", sa.Text),
        sa.Column("made_created_at", sa.BigInteger),
        sa.Column("forbidden_key", sa.String(40)),
    ),
    "targets": (
        sa.Column("seen_well", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("ready_at", sa.BigInteger),
        sa.Column("queue_rank", sa.Integer),
        sa.Column("decision_word", sa.String(40)),
    ),
    "openings": (
        sa.Column("observe", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("judged_at", sa.BigInteger),
    ),
}


def upgrade() -> None:
    for table, columns in _ADDED.items():
        for column in columns:
            op.add_column(table, column)
    op.create_index("ix_attempts_in_flight_until", "attempts", ["in_flight_until"])
    op.create_index("ix_targets_ready_at", "targets", ["ready_at"])
