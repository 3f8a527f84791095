"""Two releases side by side, what each worker serves, and turns that outlive jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
additive = False
"""The release before this one does not ask whether it may go on."""


def upgrade() -> None:
    """Take the database one step forward."""
    op.create_table(
        "compatibility",
        sa.Column("lowest", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("lowest", name=op.f("pk_compatibility")),
    )
    op.add_column("jobs", sa.Column("format", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("workers", sa.Column("format", sa.Integer(), nullable=False, server_default="1"))
    op.add_column(
        "workers", sa.Column("resources", sa.String(length=100), nullable=False, server_default="net cpu gpu")
    )
    op.add_column("users", sa.Column("turn", sa.Float(), nullable=True))
    op.execute("UPDATE users SET turn = (SELECT max(started) FROM jobs WHERE jobs.owner = users.id)")
    op.drop_index("ix_jobs_turn", table_name="jobs")
