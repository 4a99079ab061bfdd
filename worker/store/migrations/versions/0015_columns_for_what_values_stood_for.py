"""Columns for what special values of other columns stood for.

A card whose check was asked for had ``next_check_at`` in 1970: now ``check_asked_at`` says since
when, and the other is the next instant again, or nothing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    _cards()


def downgrade() -> None:
    """Undo."""
    _cards_before()


_AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
_ASKED = "ix_cards_check_asked_at"
_CARDS = sa.table(
    "cards",
    *(sa.column(name, Instant) for name in ("next_check_at", "check_asked_at", "updated_at")),
)


def _cards() -> None:
    op.add_column("cards", sa.Column("check_asked_at", Instant))
    asked = sa.update(_CARDS).where(_CARDS.c.next_check_at <= _AT_ONCE)
    op.execute(asked.values(check_asked_at=_CARDS.c.updated_at, next_check_at=None))
    some = sa.text("check_asked_at IS NOT NULL")
    op.create_index(_ASKED, "cards", ["check_asked_at"], postgresql_where=some, sqlite_where=some)


def _cards_before() -> None:
    asked = sa.update(_CARDS).where(_CARDS.c.check_asked_at.is_not(None))
    op.execute(asked.values(next_check_at=_AT_ONCE))
    op.drop_index(_ASKED, "cards")
    op.drop_column("cards", "check_asked_at")
