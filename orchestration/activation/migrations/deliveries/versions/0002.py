"""Tokens in webhook URLs."""

import sqlalchemy as sa
from alembic import op

from orchestration.activation import state

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "webhook_tokens",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=80), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("suppress_only", sa.Boolean(), nullable=False),
        sa.Column("label", sa.String(length=120), nullable=False),
        sa.Column("created_at", state.Utc(timezone=True), nullable=False),
        sa.Column("disabled_at", state.Utc(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("token_hash"),
    )
