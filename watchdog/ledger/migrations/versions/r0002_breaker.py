"""The breaker: what trips it, when it opened, and its canaries. It only adds."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("targets", sa.Column("broke_at", sa.BigInteger))
    op.add_column(
        "targets",
        sa.Column("observed_twice", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index("ix_targets_broke_at", "targets", ["broke_at"])
    op.create_table(
        "openings",
        sa.Column("id", sa.String(100), nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("not_failing", sa.Integer, nullable=False),
        sa.Column("held_until", sa.BigInteger, nullable=False),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("closed_by", sa.String(20)),
        sa.PrimaryKeyConstraint("id", name="pk_openings"),
    )
    op.create_index("ix_openings_opened_at", "openings", ["opened_at"])
    op.create_table(
        "canaries",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("opening_id", sa.String(100), nullable=False),
        sa.Column("model_id", sa.String(100), nullable=False),
        sa.Column("named_at", sa.BigInteger, nullable=False),
        sa.Column("attempt_id", sa.String(100)),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("result", sa.String(20)),
        sa.PrimaryKeyConstraint("id", name="pk_canaries"),
        sa.ForeignKeyConstraint(["opening_id"], ["openings.id"], name="fk_canaries_opening_id"),
    )
    op.create_index("ix_canaries_opening_id_named_at", "canaries", ["opening_id", "named_at"])
    op.create_index("ix_canaries_named_at", "canaries", ["named_at"])
