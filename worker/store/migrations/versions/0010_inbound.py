"""What holders wrote: each message once, with what it meant and when it was written; and whether a
restored database waits to learn what was sent since its backup."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant, RowId

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "inbound",
        sa.Column("id", RowId, primary_key=True),
        sa.Column("provider", sa.String(20), nullable=False),
        sa.Column("provider_id", sa.String(100), nullable=False),
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("meaning", sa.String(20), nullable=False),
        sa.Column("text", sa.String(300)),
        sa.Column("said_at", Instant, nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.UniqueConstraint("provider", "provider_id"),
    )
    op.create_index("ix_inbound_address", "inbound", ["address", "said_at"])
    op.create_index("ix_inbound_received_at", "inbound", ["received_at"])
    op.create_table(
        "quarantine",
        sa.Column("id", RowId, primary_key=True),
        sa.Column("since", Instant, nullable=False),
        sa.Column("begun_at", Instant, nullable=False),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("quarantine")
    op.drop_table("inbound")
