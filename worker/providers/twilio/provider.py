"""Twilio: what it is and can do."""

from typing import Final

from worker.core.cards import Channel
from worker.providers.declaration import Declaration, Silence
from worker.providers.twilio.outcomes import TWILIO_CODES, row
from worker.providers.twilio.reports import STATUSES, news

_OPT_OUTS: Final = frozenset(
    f"twilio:{code}" for code, known in TWILIO_CODES.items() if known.opt_out
)

TWILIO: Final = Declaration(
    name="twilio",
    title="Twilio",
    channels=frozenset({Channel.SMS}),
    row=row,
    news=news,
    statuses=STATUSES,
    silence=Silence(_OPT_OUTS),
    confirms_delivery=True,
    searchable=True,
    hears=True,
    reports_ours_only=True,
)
