"""Twilio: what it is and can do."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from worker.core.cards import Channel
from worker.providers.declaration import Declaration, Silence
from worker.providers.transport import Transport
from worker.providers.twilio.outcomes import TWILIO_CODES, row
from worker.providers.twilio.reports import STATUSES, news
from worker.providers.twilio.settings import OWN_URL, TwilioSettings, configure, pace, question
from worker.providers.twilio.webhook import WEBHOOKS

if TYPE_CHECKING:
    from worker.providers.twilio.client import TwilioProvider

_OPT_OUTS: Final = frozenset(
    f"twilio:{code}" for code, known in TWILIO_CODES.items() if known.opt_out
)


def _open(
    account: TwilioSettings, transport: Transport, now: Callable[[], datetime]
) -> "TwilioProvider":
    from worker.providers.twilio.client import TwilioProvider  # only who sends needs the SDK

    return TwilioProvider(account, transport, now)


TWILIO: Final = Declaration(
    name="twilio",
    title="Twilio",
    channels=frozenset({Channel.SMS}),
    own_url=OWN_URL,
    configure=configure,
    open=_open,
    question=question,
    pace=pace,
    row=row,
    news=news,
    statuses=STATUSES,
    webhooks=WEBHOOKS,
    silence=Silence(_OPT_OUTS),
    confirms_delivery=True,
    searchable=True,
    hears=True,
    reports_ours_only=True,
)
