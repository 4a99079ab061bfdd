"""Who reads a notice stands beside how it travels: a guardian is told by email.

Until now ``guardian`` was a channel. What is counted by the day (``usage``) keeps that word.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_NOTICE = ["card_id", "deadline", "deadline_on", "window", "channel"]
_OLD_KEY, _KEY = "uq_reminders_card_id_deadline_deadline_on_window_channel", "uq_reminders_notice"


def upgrade() -> None:
    """Apply. The key first: over the old one a guardian's notice would be the holder's email."""
    with _reminders() as reminders:
        reminders.add_column(_audience())
        reminders.drop_constraint(_OLD_KEY, type_="unique")
        reminders.create_unique_constraint(_KEY, [*_NOTICE, "audience"])
    op.add_column("messages", _audience())
    for table in _tables():
        was = sa.update(table).where(table.c.channel == "guardian")
        op.execute(was.values(channel="email", audience="guardian"))


def downgrade() -> None:
    """Undo."""
    for table in _tables():
        is_now = sa.update(table).where(table.c.audience == "guardian")
        op.execute(is_now.values(channel="guardian"))
    op.drop_column("messages", "audience")
    with _reminders() as reminders:
        reminders.drop_constraint(_KEY, type_="unique")
        reminders.create_unique_constraint(_OLD_KEY, _NOTICE)
        reminders.drop_column("audience")


def _reminders() -> AbstractContextManager[BatchOperations]:
    """SQLite copies the table, and needs not to know the tables that it names."""
    return op.batch_alter_table("reminders", reflect_kwargs={"resolve_fks": False})


def _audience() -> sa.Column[str]:
    return sa.Column("audience", sa.String(length=10), nullable=False, server_default="holder")


def _tables() -> list[sa.TableClause]:
    return [
        sa.table(name, sa.column("channel"), sa.column("audience"))
        for name in ("reminders", "messages")
    ]
