"""Vonage: what it is and can do."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from worker.core.cards import Channel
from worker.providers.declaration import Declaration, Silence
from worker.providers.transport import Transport
from worker.providers.vonage.outcomes import VONAGE_RECEIPTS, row
from worker.providers.vonage.reports import STATUSES, news
from worker.providers.vonage.settings import OWN_URL, VonageSettings, configure, pace, question
from worker.providers.vonage.webhook import WEBHOOKS, lack

if TYPE_CHECKING:
    from worker.providers.vonage.client import VonageProvider

_OPT_OUTS: Final = frozenset(
    f"vonage:dlr_{code}" for code, known in VONAGE_RECEIPTS.items() if known.opt_out
)


def _open(
    account: VonageSettings, transport: Transport, now: Callable[[], datetime]
) -> "VonageProvider":
    from worker.providers.vonage.client import VonageProvider  # only who sends needs it

    return VonageProvider(account, transport, now)


# What others send through the same account is reported too, unless it names another address: so
# what names no attempt of ours is not waited for.
VONAGE: Final = Declaration(
    name="vonage",
    title="Vonage",
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
    lack=lack,
    silence=Silence(_OPT_OUTS),
    confirms_delivery=True,
    searchable=True,
)
