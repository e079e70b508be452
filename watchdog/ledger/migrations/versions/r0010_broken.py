"""Columns for what is broken, slow, or not judged yet. It only adds: a program of an older schema
does not change these columns, and `written_version` shows that it wrote the row last."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_ADDED = (
    sa.Column("in_progress_since", sa.BigInteger),
    sa.Column("inactive_as", sa.String(20)),
    sa.Column("health_word", sa.String(20)),
    sa.Column("written_version", sa.Integer),
)


def upgrade() -> None:
    for column in _ADDED:
        op.add_column("targets", column)
    op.create_table(
        "breakages",
        sa.Column("id", sa.Integer),
        sa.Column("model_id", sa.String(100), nullable=False),
        sa.Column("began_at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text),
        sa.Column("ended_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_breakages"),
    )
    for name in ("model_id", "began_at", "ended_at"):
        op.create_index(f"ix_breakages_{name}", "breakages", [name])
