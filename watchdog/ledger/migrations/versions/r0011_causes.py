"""Columns for why a deployment failed. It only adds: a program of an older schema neither reads nor
writes these columns, and the cause of a failure that it saw stays unknown."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_ADDED = (
    sa.Column("cause", sa.String(20)),
    sa.Column("cause_mark", sa.String(16)),
    sa.Column("cause_at", sa.BigInteger),
    sa.Column("cause_proven", sa.Boolean),
)


def upgrade() -> None:
    for column in _ADDED:
        op.add_column("episodes", column)
