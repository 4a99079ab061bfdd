"""How often a message was certainly not sent, and when a provider's word about an address ends."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_INDEX = "ix_suppressions_expires_at"


def upgrade() -> None:
    """Apply. What providers have said so far holds until somebody lifts it."""
    op.add_column("messages", sa.Column("tries", sa.Integer, nullable=False, server_default="0"))
    op.add_column("suppressions", sa.Column("expires_at", Instant))
    open_ = sa.text("expires_at IS NOT NULL AND lifted_at IS NULL")
    op.create_index(
        _INDEX, "suppressions", ["expires_at"], postgresql_where=open_, sqlite_where=open_
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index(_INDEX, "suppressions")
    op.drop_column("suppressions", "expires_at")
    op.drop_column("messages", "tries")
