"""SendGrid: what it is and can do."""

from typing import Final

from worker.core.cards import Channel
from worker.providers.declaration import Declaration, Silence
from worker.providers.sendgrid.outcomes import DROPPED_OPT_OUT, row
from worker.providers.sendgrid.reports import OPT_INS, OPT_OUTS, STATUSES, news

_CODES: Final = frozenset({DROPPED_OPT_OUT, *(f"sendgrid:{status}" for status in OPT_OUTS)})

SENDGRID: Final = Declaration(
    name="sendgrid",
    title="SendGrid",
    channels=frozenset({Channel.EMAIL}),
    row=row,
    news=news,
    statuses=STATUSES,
    silence=Silence(_CODES, OPT_OUTS, _CODES - {"sendgrid:spamreport"}, OPT_INS),
    confirms_delivery=True,
)
