"""A renewal is a question: when it was asked, and what it said once nobody answered in time.

An open renewal of before was not asked about yet: its holder is, at the next check.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_NEW = ("asked_at", "claimed_plan_end", "claimed_last_topup")


def upgrade() -> None:
    """Apply."""
    op.add_column("cards", sa.Column("asked_at", Instant()))
    op.add_column("cards", sa.Column("claimed_plan_end", sa.Date()))
    op.add_column("cards", sa.Column("claimed_last_topup", sa.Date()))


def downgrade() -> None:
    """Undo."""
    for name in reversed(_NEW):
        op.drop_column("cards", name)
