"""A guardian is written to by email only: the phone column was never filled."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.drop_column("books", "guardian_phone")


def downgrade() -> None:
    """Undo."""
    op.add_column("books", sa.Column("guardian_phone", sa.String(length=20)))
