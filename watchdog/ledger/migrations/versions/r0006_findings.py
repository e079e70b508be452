"""What was found out about an episode: why it failed, and who ended it. It only adds."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "findings",
        sa.Column("episode_id", sa.String(200), nullable=False),
        sa.Column("error_lines", sa.Text),
        sa.Column("actor", sa.Text),
        sa.PrimaryKeyConstraint("episode_id", name="pk_findings"),
    )
