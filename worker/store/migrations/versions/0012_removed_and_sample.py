"""Books and cards can be taken away, and the book of samples is known as one.

A card whose notices are kept as proof stays as a row without a number, and so does its book.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "books", sa.Column("sample", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("books", sa.Column("removed_at", Instant()))
    op.add_column("cards", sa.Column("removed_at", Instant()))


def downgrade() -> None:
    """Undo."""
    op.drop_column("cards", "removed_at")
    op.drop_column("books", "removed_at")
    op.drop_column("books", "sample")
