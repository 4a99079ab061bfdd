"""Indexes: messages by the provider's id without those that have none; reminders in the order in
which the account of the promise is read."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_PROVIDER, _DUE = "ix_messages_provider_id", "ix_reminders_due_at"


def upgrade() -> None:
    """Apply."""
    known = sa.text("provider_id IS NOT NULL")
    op.drop_index(_PROVIDER, "messages")
    op.create_index(
        _PROVIDER, "messages", ["provider_id"], postgresql_where=known, sqlite_where=known
    )
    op.drop_index(_DUE, "reminders")
    op.create_index("ix_reminders_due_at_id", "reminders", ["due_at", "id"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_reminders_due_at_id", "reminders")
    op.create_index(_DUE, "reminders", ["due_at"])
    op.drop_index(_PROVIDER, "messages")
    op.create_index(_PROVIDER, "messages", ["provider_id"])
