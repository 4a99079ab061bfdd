"""SMTP: what a mail server is and can do. Of what it took nothing more is heard."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from worker.core.cards import Channel
from worker.providers.declaration import Declaration
from worker.providers.smtp.outcomes import row
from worker.providers.smtp.settings import SmtpSettings, configure, question
from worker.providers.transport import Transport

if TYPE_CHECKING:
    from worker.providers.smtp.client import SmtpProvider


def _open(
    account: SmtpSettings, transport: Transport, now: Callable[[], datetime]
) -> "SmtpProvider":
    from worker.providers.smtp.client import SmtpProvider  # only who sends needs its library

    return SmtpProvider(account, transport, now)


SMTP: Final = Declaration(
    name="smtp",
    title="SMTP",
    channels=frozenset({Channel.EMAIL}),
    own_url=None,
    configure=configure,
    open=_open,
    question=question,
    row=row,
    news=lambda _: None,
)
