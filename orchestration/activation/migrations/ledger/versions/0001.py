"""The first schema of the ledger store."""

import sqlalchemy as sa
from alembic import op

from orchestration.activation import state

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "builds",
        sa.Column("build_id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("as_of", state.Utc(timezone=True), nullable=False),
        sa.Column("started_at", state.Utc(timezone=True), nullable=False),
        sa.Column("decided_at", state.Utc(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("build_id"),
    )
    op.create_table(
        "installation",
        sa.Column("key_check", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("key_check"),
    )
    op.create_table(
        "ledger",
        sa.Column("ledger_id", sa.String(length=64), nullable=False),
        sa.Column("landing_id", sa.String(length=64), nullable=False),
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=80), nullable=False),
        sa.Column("brand", sa.String(length=80), nullable=False),
        sa.Column("event_name", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("topic", sa.String(length=80), nullable=False),
        sa.Column("audience", sa.String(length=80), nullable=False),
        sa.Column("occurred_at", state.Utc(timezone=True), nullable=False),
        sa.Column("recorded_at", state.Utc(timezone=True), nullable=False),
        sa.Column("unresolved", sa.Boolean(), nullable=False),
        sa.Column("absorbed_build", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("ledger_id"),
    )
    op.create_index(op.f("ix_ledger_absorbed_build"), "ledger", ["absorbed_build"], unique=False)
    op.create_index(op.f("ix_ledger_landing_id"), "ledger", ["landing_id"], unique=False)
    op.create_index(op.f("ix_ledger_unresolved"), "ledger", ["unresolved"], unique=False)
    op.create_table(
        "ledger_keys",
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("ledger_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["ledger_id"],
            ["ledger.ledger_id"],
        ),
        sa.PrimaryKeyConstraint("key_hash", "ledger_id"),
    )
