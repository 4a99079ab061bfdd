"""What SendGrid's events mean.

Source: www.twilio.com/docs/sendgrid/for-developers/tracking-events/event.
"""

from typing import Final

from worker.core.reports import News, Phase, Report
from worker.providers.sendgrid.outcomes import SENDGRID_EVENTS, drop_opts_out, from_sendgrid_event

PROGRESS: Final = frozenset({"processed", "deferred"})
DELIVERED: Final = frozenset({"delivered"})
# Those by which a person asks for silence: the mail itself has arrived.
OPT_OUTS: Final = frozenset({"spamreport", "unsubscribe", "group_unsubscribe"})
# The one by which a person asks for mail again.
OPT_INS: Final = frozenset({"group_resubscribe"})
# What is about a mail of ours; `open` and `click` are counted by nobody.
STATUSES: Final = frozenset({*PROGRESS, *DELIVERED, *SENDGRID_EVENTS, *OPT_INS})


def news(report: Report) -> News | None:
    """See ``Declaration``."""
    status = report.status
    if status in OPT_OUTS:
        return News(Phase.TAKEN, opt_out=f"sendgrid:{status}")
    if status in OPT_INS:
        return News(Phase.TAKEN, opt_in=f"sendgrid:{status}")
    if status in DELIVERED:
        return News(Phase.DELIVERED)
    if status in PROGRESS:
        return News(Phase.TAKEN)
    event = "blocked" if status == "bounce" and report.code == "blocked" else status
    if event not in SENDGRID_EVENTS:
        return None
    outcome = from_sendgrid_event(event, report.code)
    silenced = outcome.code if drop_opts_out(event, report.code) else None
    return News(Phase.FAILED, outcome, opt_out=silenced)
