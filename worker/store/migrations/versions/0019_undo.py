"""An event of a card can be undone for a while: until when, and what was before.

Events of before this version cannot be.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision: str = "0019"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_INDEX = "ix_card_events_undo_until"


def upgrade() -> None:
    """Apply."""
    op.add_column("card_events", sa.Column("undo_until", Instant()))
    op.add_column("card_events", sa.Column("before", sa.JSON(none_as_null=True)))
    op.add_column("card_events", sa.Column("undone_at", Instant()))
    where = sa.column("undo_until").is_not(None)
    op.create_index(
        _INDEX, "card_events", ["undo_until"], postgresql_where=where, sqlite_where=where
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index(_INDEX, "card_events")
    for name in ("undone_at", "before", "undo_until"):
        op.drop_column("card_events", name)
