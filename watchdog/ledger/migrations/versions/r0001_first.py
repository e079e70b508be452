"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )
    _targets()
    _episodes()
    _attempts()


def _targets() -> None:
    op.create_table(
        "targets",
        sa.Column("model_id", sa.String(100), nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("watched", sa.Boolean, nullable=False),
        sa.Column("status", sa.Text),
        sa.Column("health", sa.String(20)),
        sa.Column("deployment_id", sa.Text),
        sa.Column("deployment_created_at", sa.BigInteger),
        sa.Column("status_since", sa.BigInteger),
        sa.Column("observed_at", sa.BigInteger),
        sa.Column("failing_since", sa.BigInteger),
        sa.Column("healthy_for", sa.BigInteger, nullable=False),
        sa.Column("missing_since", sa.BigInteger),
        sa.Column("missing", sa.Boolean, nullable=False),
        sa.Column("episode_id", sa.String(200)),
        sa.Column("decision", sa.String(20), nullable=False),
        sa.Column("decision_reason", sa.String(40)),
        sa.Column("decision_until", sa.BigInteger),
        sa.Column("next_check_at", sa.BigInteger),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("spread", sa.Float, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("model_id", name="pk_targets"),
    )
    op.create_index("ix_targets_watched_next_check_at", "targets", ["watched", "next_check_at"])


def _episodes() -> None:
    op.create_table(
        "episodes",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("model_id", sa.String(100), nullable=False),
        sa.Column("deployment_id", sa.Text, nullable=False),
        sa.Column("deployment_created_at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("failing_from", sa.BigInteger, nullable=False),
        sa.Column("standing", sa.Boolean, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("result", sa.String(20)),
        sa.PrimaryKeyConstraint("id", name="pk_episodes"),
    )
    op.create_index("ix_episodes_model_id_opened_at", "episodes", ["model_id", "opened_at"])
    op.create_index("ix_episodes_opened_at", "episodes", ["opened_at"])
    op.create_index("ix_episodes_ended_at", "episodes", ["ended_at"])


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.String(100), nullable=False),
        sa.Column("model_id", sa.String(100), nullable=False),
        sa.Column("episode_id", sa.String(200), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("reserved_at", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("sent_at", sa.BigInteger),
        sa.Column("answered_at", sa.BigInteger),
        sa.Column("reason", sa.Text),
        sa.Column("resolution", sa.String(20)),
        sa.Column("resolved_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
        sa.ForeignKeyConstraint(["episode_id"], ["episodes.id"], name="fk_attempts_episode_id"),
    )
    op.create_index("ix_attempts_model_id_reserved_at", "attempts", ["model_id", "reserved_at"])
    op.create_index("ix_attempts_episode_id", "attempts", ["episode_id"])
    op.create_index("ix_attempts_reserved_at", "attempts", ["reserved_at"])
    op.create_index("ix_attempts_sent_at", "attempts", ["sent_at"])
    _partial_index("uq_attempts_pending", "model_id", "outcome = 'pending'", unique=True)
    _partial_index("ix_attempts_under_way", "reserved_at", "resolved_at IS NULL", unique=False)


def _partial_index(name: str, column: str, where: str, *, unique: bool) -> None:
    op.create_index(
        name,
        "attempts",
        [column],
        unique=unique,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )
