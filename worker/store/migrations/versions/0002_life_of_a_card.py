"""What a renewal that waits to be confirmed, and a pause, need to keep."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_NEW = ("paused", "renewed_at", "receipt_ref", "former_plan_end", "former_last_topup")


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "cards", sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("cards", sa.Column("renewed_at", Instant()))
    op.add_column("cards", sa.Column("receipt_ref", sa.String(length=100)))
    op.add_column("cards", sa.Column("former_plan_end", sa.Date()))
    op.add_column("cards", sa.Column("former_last_topup", sa.Date()))
    op.create_index("ix_attempts_address_started_at", "attempts", ["address", "started_at"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_attempts_address_started_at", "attempts")
    for column in reversed(_NEW):
        op.drop_column("cards", column)
