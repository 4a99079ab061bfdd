"""What a card's row said when its book was last read: a file is older than what happened since.

Cards that are there already remember nothing until their book is imported again.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_HOLDER_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_COLUMNS: tuple[tuple[str, Any], ...] = (
    ("read_plan_end", sa.Date()),
    ("read_last_topup", sa.Date()),
    ("read_balance", sa.Numeric(12, 2)),
    ("read_holder", sa.String(32)),
    ("read_holder_id", _HOLDER_ID),
)


def upgrade() -> None:
    """Apply."""
    for name, type_ in _COLUMNS:
        op.add_column("cards", sa.Column(name, type_))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("cards") as cards:
        for name, _ in reversed(_COLUMNS):
            cards.drop_column(name)
