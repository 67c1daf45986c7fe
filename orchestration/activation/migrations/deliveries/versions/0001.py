"""The first schema of the deliveries store."""

import sqlalchemy as sa
from alembic import op

from orchestration.activation import state

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "memberships",
        sa.Column("membership_id", sa.String(length=64), nullable=False),
        sa.Column("audience", sa.String(length=80), nullable=False),
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=80), nullable=False),
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("record_id", sa.String(length=200), nullable=False),
        sa.Column("person_id", sa.String(length=80), nullable=False),
        sa.Column("brand", sa.String(length=80), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("topic", sa.String(length=80), nullable=False),
        sa.Column("payload_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=120), nullable=False),
        sa.Column("build_id", sa.Integer(), nullable=False),
        sa.Column("changed_at", state.Utc(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("membership_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "outbox",
        sa.Column("outbox_id", sa.String(length=64), nullable=False),
        sa.Column("ledger_id", sa.String(length=64), nullable=False),
        sa.Column("operation", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=80), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("record_id", sa.String(length=200), nullable=False),
        sa.Column("identifier_kind", sa.String(length=20), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("membership_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", state.Utc(timezone=True), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("created_at", state.Utc(timezone=True), nullable=False),
        sa.Column("done_at", state.Utc(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("outbox_id"),
    )
    op.create_index(op.f("ix_outbox_ledger_id"), "outbox", ["ledger_id"], unique=False)
    op.create_index("outbox_due", "outbox", ["state", "next_attempt_at"], unique=False)
    op.create_table(
        "outcomes",
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("row_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(length=200), nullable=False),
        sa.Column("code", sa.String(length=80), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("changed_at", state.Utc(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", "row_id"),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_outcomes_state"), "outcomes", ["state"], unique=False)
    op.create_table(
        "pace",
        sa.Column("account", sa.String(length=120), nullable=False),
        sa.Column("bucket", sa.String(length=80), nullable=False),
        sa.Column("available", sa.Float(), nullable=False),
        sa.Column("as_of", state.Utc(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", "bucket"),
    )
    op.create_table(
        "plans",
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("build_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(length=20), nullable=False),
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=80), nullable=False),
        sa.Column("audience", sa.String(length=80), nullable=False),
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("adds", sa.Integer(), nullable=False),
        sa.Column("updates", sa.Integer(), nullable=False),
        sa.Column("removes", sa.Integer(), nullable=False),
        sa.Column("suppressions", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("held_because", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.String(length=120), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("created_at", state.Utc(timezone=True), nullable=False),
        sa.Column("finished_at", state.Utc(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("plan_id"),
    )
    op.create_index(op.f("ix_plans_build_id"), "plans", ["build_id"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("account", sa.String(length=120), nullable=False),
        sa.Column("access", sa.Text(), nullable=False),
        sa.Column("refresh", sa.Text(), nullable=False),
        sa.Column("expires_at", state.Utc(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "withdrawals",
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=80), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("accepted_at", state.Utc(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("platform", "account", "channel", "key_hash"),
    )
    op.create_table(
        "membership_keys",
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("membership_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["membership_id"],
            ["memberships.membership_id"],
        ),
        sa.PrimaryKeyConstraint("key_hash", "membership_id"),
        sqlite_with_rowid=False,
    )
