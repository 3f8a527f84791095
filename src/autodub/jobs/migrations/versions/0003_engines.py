"""What each engine did is kept with what an attempt consumed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
additive = True


def upgrade() -> None:
    """Take the database one step forward."""
    op.add_column("usage", sa.Column("engines", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("usage", sa.Column("told", sa.BigInteger(), nullable=False, server_default="0"))
    # What was counted before is nobody's: a dub that is made again must not bring it into a later month.
    op.execute(
        "UPDATE usage SET told = "
        "(SELECT coalesce(max(number), 0) FROM events WHERE events.job = usage.job AND events.at <= usage.at)"
    )
