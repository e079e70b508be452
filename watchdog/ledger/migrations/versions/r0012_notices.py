"""Tables for what is to be sent to the receivers of notifications. It only adds: a program of an
older schema sends nothing, and leaves them as they are."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer),
        sa.Column("receiver", sa.String(100), nullable=False),
        sa.Column("subject", sa.String(100), nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("notice", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
    )
    op.create_index("ix_notices_receiver_subject", "notices", ["receiver", "subject"])
    op.create_table(
        "said",
        sa.Column("receiver", sa.String(100)),
        sa.Column("subject", sa.String(100)),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("receiver", "subject", name="pk_said"),
    )
