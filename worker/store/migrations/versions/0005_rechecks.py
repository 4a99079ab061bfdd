"""How far a check of all cards has come, and what many cards and messages need to be looked at."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant, RowId

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Each row of these changes several times on its way.
_CHANGING = ("cards", "messages")
_FAILED = sa.text("state IN ('cancelled', 'failed', 'undelivered')")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "rechecks",
        sa.Column("book_id", RowId, nullable=False, autoincrement=False),
        sa.Column("after_id", RowId, nullable=False),
        sa.Column("until_id", RowId, nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("book_id", name="pk_rechecks"),
    )
    op.create_index(
        "ix_messages_state_id",
        "messages",
        ["state", "id"],
        postgresql_where=_FAILED,
        sqlite_where=_FAILED,
    )
    if op.get_bind().dialect.name == "postgresql":
        # A share of 20 % of ten million rows would be two million dead ones to step over.
        for table in _CHANGING:
            op.execute(
                f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.01,"
                " autovacuum_analyze_scale_factor = 0.02)"
            )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_messages_state_id", "messages")
    op.drop_table("rechecks")
    if op.get_bind().dialect.name == "postgresql":
        for table in _CHANGING:
            op.execute(
                f"ALTER TABLE {table} RESET (autovacuum_vacuum_scale_factor,"
                " autovacuum_analyze_scale_factor)"
            )
