"""What people decide: verdicts on what was held, and records that they join or part."""

import sqlalchemy as sa
from alembic import op

from orchestration.activation import state

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "reviews",
        sa.Column("review_id", sa.String(length=64), nullable=False),
        sa.Column("reviewed_id", sa.String(length=200), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_at", state.Utc(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("review_id"),
    )
    op.create_index(op.f("ix_reviews_reviewed_id"), "reviews", ["reviewed_id"], unique=False)
    op.create_index(op.f("ix_reviews_key_hash"), "reviews", ["key_hash"], unique=False)
    op.create_table(
        "links",
        sa.Column("link_id", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("left_platform", sa.String(length=40), nullable=False),
        sa.Column("left_account", sa.String(length=80), nullable=False),
        sa.Column("left_record_id", sa.String(length=200), nullable=False),
        sa.Column("right_platform", sa.String(length=40), nullable=False),
        sa.Column("right_account", sa.String(length=80), nullable=False),
        sa.Column("right_record_id", sa.String(length=200), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_at", state.Utc(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("link_id"),
    )
