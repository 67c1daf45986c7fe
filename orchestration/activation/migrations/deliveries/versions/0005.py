"""Every write of a withdrawal that was tried, from those on record as accepted on."""

import sqlalchemy as sa
from alembic import op

from orchestration.activation import state

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table; of earlier writes the time at which each was accepted last is known."""
    op.create_table(
        "writes",
        sa.Column("written_at", state.Utc(timezone=True), nullable=False),
        sa.Column("platform", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=80), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("written_at", "platform", "account", "channel", "key_hash"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO writes (written_at, platform, account, channel, key_hash) "
        "SELECT accepted_at, platform, account, channel, key_hash FROM withdrawals"
    )
