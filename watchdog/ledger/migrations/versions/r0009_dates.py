"""Times that the limits use in addition to the ledger's clock. It only adds: a program of an older
schema leaves these columns empty, and its attempts count only by the ledger's clock."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("attempts", sa.Column("api_date", sa.BigInteger))
    op.add_column("attempts", sa.Column("ahead_since", sa.BigInteger))
    op.create_index("ix_attempts_api_date", "attempts", ["api_date"])
