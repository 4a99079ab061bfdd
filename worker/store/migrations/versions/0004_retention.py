"""What erasing needs to find what is old without reading what is not."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_HAS_CONTENT = sa.text("body IS NOT NULL AND wake_at IS NULL")
_HAS_ADDRESS = sa.text("address <> ''")


def upgrade() -> None:
    """Apply."""
    op.create_index(
        "ix_messages_next_attempt_at",
        "messages",
        ["next_attempt_at"],
        postgresql_where=_HAS_CONTENT,
        sqlite_where=_HAS_CONTENT,
    )
    op.drop_index("ix_attempts_started_at", "attempts")
    op.create_index(
        "ix_attempts_started_at",
        "attempts",
        ["started_at"],
        postgresql_where=_HAS_ADDRESS,
        sqlite_where=_HAS_ADDRESS,
    )
    op.create_index("ix_usage_day", "usage", ["day"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_usage_day", "usage")
    op.drop_index("ix_attempts_started_at", "attempts")
    op.create_index("ix_attempts_started_at", "attempts", ["started_at"])
    op.drop_index("ix_messages_next_attempt_at", "messages")
