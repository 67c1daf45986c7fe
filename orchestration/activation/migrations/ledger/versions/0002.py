"""Who blocked by hand and why, lifts of such blocks, and the deliveries store that a ledger belongs with."""

import sqlalchemy as sa
from alembic import op

from orchestration.activation import state

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("ledger", sa.Column("actor", sa.String(length=120), server_default=sa.text("''"), nullable=False))
    op.add_column("ledger", sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column(
        "installation", sa.Column("deliveries_id", sa.String(length=64), server_default=sa.text("''"), nullable=False)
    )
    op.add_column("installation", sa.Column("lost_at", state.Utc(timezone=True), nullable=True))
    op.create_table(
        "lifts",
        sa.Column("lift_id", sa.String(length=80), nullable=False),
        sa.Column("landing_id", sa.String(length=64), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("topic", sa.String(length=80), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lifted_at", state.Utc(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("lift_id"),
    )
    op.create_index(op.f("ix_lifts_key_hash"), "lifts", ["key_hash"], unique=False)
