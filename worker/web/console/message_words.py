"""What is said of a message: where it is in a sentence, and how an attempt or a report went."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from worker.core.hours import Hours
from worker.core.reminders import MessageState, Obstacle
from worker.core.waiting import put_last, waits_for
from worker.web.console.catalogs import marked as _

_STATES: Final[Mapping[str, str]] = {
    MessageState.PENDING: _("It waits until it is time to send it."),
    MessageState.RETRYABLE: _("It could not be sent yet, and is tried again."),
    MessageState.HELD: _("Held: something has to be put right before it can be sent."),
    MessageState.SENDING: _("It is being sent."),
    MessageState.UNKNOWN: _("Nobody knows yet whether it was sent."),
    MessageState.SENT: _("Sent. Nobody has reported yet that it arrived."),
    MessageState.DELIVERED: _("It arrived."),
    MessageState.UNDELIVERED: _("It was sent, and did not arrive."),
    MessageState.FAILED: _("It was not sent, and is not tried again."),
    MessageState.CANCELLED: _("Cancelled: it is never sent."),
}
_OBSTACLES: Final[Mapping[str, str]] = {
    Obstacle.BREAKER: _("Held: the provider refuses, or is away."),
    Obstacle.PACE: _("It waits for its turn: so many a minute may go out."),
    Obstacle.CAP: _("It waits for tomorrow: no more may be sent today."),
    Obstacle.HOURS: _("It waits for the morning: its reader is not disturbed at night."),
    Obstacle.GATHERING: _("It waits for others, to go out with them in one email."),
}
# How an attempt ended, by its class.
OUTCOMES: Final[Mapping[str, str]] = {
    "accepted": _("the provider took it"),
    "not_sent": _("certainly not sent"),
    "transient": _("refused for now"),
    "ambiguous": _("no usable answer: it may have been sent"),
    "recipient_dead": _("refused: the address is dead"),
    "message_dead": _("refused for good"),
    "config_fault": _("refused: something is wrong in our settings or account"),
    "down": _("the provider does not answer"),
}
# What providers report afterwards, by their own words.
REPORTS: Final[Mapping[str, str]] = {
    "accepted": _("accepted"),
    "queued": _("in the queue"),
    "sending": _("being sent"),
    "sent": _("handed to the carrier"),
    "delivered": _("delivered"),
    "read": _("read"),
    "undelivered": _("did not arrive"),
    "failed": _("failed"),
    "canceled": _("cancelled"),
    "processed": _("handed to the mail server"),
    "deferred": _("put off by the mail server"),
    "bounce": _("bounced"),
    "dropped": _("dropped by the provider"),
    "spamreport": _("reported as spam"),
    "unsubscribe": _("opted out"),
    "submitted": _("handed to the carrier"),
    "rejected": _("refused"),
    "undeliverable": _("did not arrive"),
}


def standing(row: Mapping[str, Any], now: datetime, hours: Hours) -> tuple[str, datetime | None]:
    """Where the message of ``row`` is, as a marked sentence, and when it is next looked at."""
    wait = waits_for(put_last(row), now, hours, row["holder_time_zone"])
    if wait is None:
        return _STATES[row["state"]], None
    obstacle = wait.obstacle if row["state"] != MessageState.RETRYABLE else None
    said = _OBSTACLES[obstacle] if obstacle else _STATES[row["state"]]
    return said, wait.until


def delay(owed: datetime | None, done: datetime | None) -> tuple[str, int] | None:
    """How long after it was owed something was done: a unit (``s``, ``min``, ``h``) and how many of
    it."""
    if owed is None or done is None:
        return None
    passed = max(done - owed, timedelta(0))
    if passed < timedelta(minutes=2):
        return "s", int(passed.total_seconds())
    if passed < timedelta(hours=2):
        return "min", int(passed.total_seconds() // 60)
    return "h", int(passed.total_seconds() // 3600)
