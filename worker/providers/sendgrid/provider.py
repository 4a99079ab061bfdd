"""SendGrid: what it is and can do."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from worker.core.cards import Channel
from worker.providers.declaration import Declaration, Silence
from worker.providers.sendgrid.outcomes import DROPPED_OPT_OUT, row
from worker.providers.sendgrid.reports import OPT_INS, OPT_OUTS, STATUSES, news
from worker.providers.sendgrid.settings import OWN_URL, SendGridSettings, configure, question
from worker.providers.sendgrid.webhook import WEBHOOKS, lack
from worker.providers.transport import Transport

if TYPE_CHECKING:
    from worker.providers.sendgrid.client import SendGridProvider

_CODES: Final = frozenset({DROPPED_OPT_OUT, *(f"sendgrid:{status}" for status in OPT_OUTS)})


def _open(
    account: SendGridSettings, transport: Transport, now: Callable[[], datetime]
) -> "SendGridProvider":
    from worker.providers.sendgrid.client import SendGridProvider  # only who sends needs the SDK

    return SendGridProvider(account, transport, now)


SENDGRID: Final = Declaration(
    name="sendgrid",
    title="SendGrid",
    channels=frozenset({Channel.EMAIL}),
    own_url=OWN_URL,
    configure=configure,
    open=_open,
    question=question,
    row=row,
    news=news,
    statuses=STATUSES,
    webhooks=WEBHOOKS,
    lack=lack,
    silence=Silence(_CODES, OPT_OUTS, _CODES - {"sendgrid:spamreport"}, OPT_INS),
    confirms_delivery=True,
)
