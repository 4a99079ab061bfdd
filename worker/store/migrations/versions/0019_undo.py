"""An event of a card can be undone for a while: until when, and what was before. Renewals that
came after a notice are counted.

Events of before this version cannot be undone, and their renewals are not counted.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant, RowId

revision: str = "0019"
down_revision: str | None = "0018"
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
    op.create_table(
        "saves",
        sa.Column("id", RowId, nullable=False),
        sa.Column("book_id", RowId, nullable=False),
        sa.Column("card_id", RowId, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("deadline", sa.String(length=40), nullable=False),
        sa.Column("window", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("days_before", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=10)),
        sa.Column("failed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["book_id"], ["books.id"], name="fk_saves_book_id"),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name="fk_saves_card_id"),
        sa.PrimaryKeyConstraint("id", name="pk_saves"),
        sa.UniqueConstraint("card_id", "at", name="uq_saves_card_id_at"),
    )
    op.create_index("ix_saves_book_id_at", "saves", ["book_id", "at"])
    op.create_index("ix_saves_at", "saves", ["at"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("saves")
    op.drop_index(_INDEX, "card_events")
    for name in ("undone_at", "before", "undo_until"):
        op.drop_column("card_events", name)
