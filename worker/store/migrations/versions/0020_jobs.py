"""Long work that somebody asked for is a row, which a worker takes."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant, RowId

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    waits = sa.column("wake_at").is_not(None)
    op.create_table(
        "jobs",
        sa.Column("id", RowId, nullable=False),
        sa.Column("book_id", RowId),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("asked_by", sa.String(length=100), nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("input", sa.LargeBinary()),
        sa.Column("output", sa.LargeBinary()),
        sa.Column("output_name", sa.String(length=200)),
        sa.Column("result", sa.JSON()),
        sa.Column("error", sa.JSON()),
        sa.Column("done", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("total", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("step", sa.String(length=50), nullable=False, server_default=""),
        sa.Column("starts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("wake_at", Instant()),
        sa.Column("lease", sa.Uuid()),
        sa.Column("ended_at", Instant()),
        sa.Column("erase_at", Instant()),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index(
        "ix_jobs_wake_at", "jobs", ["wake_at"], postgresql_where=waits, sqlite_where=waits
    )
    op.create_index("ix_jobs_book_id_id", "jobs", ["book_id", "id"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("jobs")
