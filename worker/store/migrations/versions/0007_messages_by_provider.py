"""The index of messages by the provider's id leaves out those that have none."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_NAME, _TABLE, _COLUMNS = "ix_messages_provider_id", "messages", ["provider_id"]


def upgrade() -> None:
    """Apply."""
    known = sa.text("provider_id IS NOT NULL")
    op.drop_index(_NAME, _TABLE)
    op.create_index(_NAME, _TABLE, _COLUMNS, postgresql_where=known, sqlite_where=known)


def downgrade() -> None:
    """Undo."""
    op.drop_index(_NAME, _TABLE)
    op.create_index(_NAME, _TABLE, _COLUMNS)
