"""Indexes for look-ups by contact, and how the fault behind a breaker showed."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_holders_contact_phone", "holders", ["contact_phone"])
    op.create_index("ix_holders_email", "holders", [sa.text("lower(email)")])
    op.create_index("ix_cards_msisdn", "cards", ["msisdn"])
    op.add_column(
        "breakers", sa.Column("behind", sa.Boolean(), nullable=False, server_default=sa.false())
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("breakers", "behind")
    op.drop_index("ix_cards_msisdn", "cards")
    op.drop_index("ix_holders_email", "holders")
    op.drop_index("ix_holders_contact_phone", "holders")
