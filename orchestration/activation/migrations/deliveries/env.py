"""Alembic environment of the deliveries store: runs on the connection that the caller hands over."""

from alembic import context

from orchestration.activation.state import deliveries_metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=deliveries_metadata)
with context.begin_transaction():
    context.run_migrations()
