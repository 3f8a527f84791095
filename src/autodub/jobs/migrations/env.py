"""Alembic's entry: the connection is handed over by :mod:`autodub.jobs.schema`."""

from alembic import context

from autodub.jobs.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=metadata, compare_type=True, render_as_batch=True,
    transaction_per_migration=False,
)  # fmt: skip
with context.begin_transaction():
    context.run_migrations()
