"""The statuses that each target went through, and who opted out. It only adds."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column(
        "targets",
        sa.Column("opted_out", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_table(
        "statuses",
        sa.Column("model_id", sa.String(100), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("model_id", "at", name="pk_statuses"),
    )
    op.create_index("ix_statuses_at", "statuses", ["at"])
