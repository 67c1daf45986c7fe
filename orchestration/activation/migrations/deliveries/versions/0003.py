"""Approvals of destination accounts, the id of the store, and baselines that are due."""

from datetime import UTC, datetime
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from orchestration.activation import state

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the tables; an account that has members was pushed to before approvals existed, and counts as approved."""
    approvals = op.create_table(
        "approvals",
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=80), nullable=False),
        sa.Column("approved_by", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("approved_at", state.Utc(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("platform", "account"),
    )
    origin = op.create_table(
        "origin",
        sa.Column("deliveries_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", state.Utc(timezone=True), nullable=False),
        sa.Column("lost_at", state.Utc(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("deliveries_id"),
    )
    op.create_table(
        "baselines",
        sa.Column("audience", sa.String(length=80), nullable=False),
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=80), nullable=False),
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("topic", sa.String(length=80), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("due_since", state.Utc(timezone=True), nullable=False),
        sa.Column("taken_at", state.Utc(timezone=True), nullable=True),
        sa.Column("adopted", sa.Integer(), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("unknown", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("audience", "platform", "account", "target"),
    )
    connection, now = op.get_bind(), datetime.now(UTC)
    accounts = "SELECT DISTINCT platform, account FROM memberships WHERE status = 'accepted'"
    pushed_to = [dict(row) for row in connection.execute(sa.text(accounts)).mappings()]
    if pushed_to:
        about = {"approved_by": "upgrade", "reason": "had members before approvals existed", "approved_at": now}
        op.bulk_insert(approvals, [{**account, **about} for account in pushed_to])
    if any(connection.execute(sa.text(f"SELECT 1 FROM {name} LIMIT 1")).first() for name in ("plans", "memberships")):
        op.bulk_insert(origin, [{"deliveries_id": uuid4().hex, "created_at": now}])
