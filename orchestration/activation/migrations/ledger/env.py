"""Alembic environment of the ledger store: runs on the connection that the caller hands over."""

from alembic import context

from orchestration.activation.state import ledger_metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=ledger_metadata)
with context.begin_transaction():
    context.run_migrations()
