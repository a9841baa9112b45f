"""Alembic's environment: runs the steps on the connection that `vnquant.trading.migrate` hands over."""

from alembic import context

from vnquant.trading.schema import METADATA

# `migrate` owns the transaction, so a step that fails leaves the database as it was.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
