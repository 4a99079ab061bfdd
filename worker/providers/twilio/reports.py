"""What Twilio's reports mean: a status callback, or the same status as its list shows it.

Source: www.twilio.com/docs/messaging/guides/track-outbound-message-status.
"""

from typing import Final

from worker.core.reports import News, Phase, Report
from worker.providers.twilio.outcomes import from_twilio_status

PROGRESS: Final = frozenset({"accepted", "scheduled", "queued", "sending", "sent"})
DELIVERED: Final = frozenset({"delivered", "read"})
ENDS: Final = frozenset({"failed", "undelivered", "canceled"})
STATUSES: Final = PROGRESS | DELIVERED | ENDS


def news(report: Report) -> News | None:
    """See ``Declaration``."""
    if report.status in ENDS:
        code = int(report.code) if report.code and report.code.isdecimal() else None
        return News(Phase.FAILED, from_twilio_status(report.status, code))
    if report.status in DELIVERED:
        return News(Phase.DELIVERED)
    return News(Phase.TAKEN) if report.status in PROGRESS else None
