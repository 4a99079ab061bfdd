"""SMTP: what a mail server is and can do. Of what it took nothing more is heard."""

from typing import Final

from worker.core.cards import Channel
from worker.providers.declaration import Declaration
from worker.providers.smtp.outcomes import row

SMTP: Final = Declaration(
    name="smtp",
    title="SMTP",
    channels=frozenset({Channel.EMAIL}),
    row=row,
    news=lambda _: None,
)
