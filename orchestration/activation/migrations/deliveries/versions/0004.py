"""Evidence packs that were written: who took whose data out, and when."""

import sqlalchemy as sa
from alembic import op

from orchestration.activation import state

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "exports",
        sa.Column("export_id", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("about", sa.String(length=20), nullable=False),
        sa.Column("subject_hash", sa.String(length=64), nullable=False),
        sa.Column("build_id", sa.Integer(), nullable=False),
        sa.Column("raw_rows", sa.Integer(), nullable=False),
        sa.Column("manifest_hash", sa.String(length=64), nullable=False),
        sa.Column("exported_at", state.Utc(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("export_id"),
    )
