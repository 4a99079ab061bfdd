"""When the guardian is told of silence: notices were sent, and the holder has confirmed none."""

from collections.abc import Collection, Iterator
from datetime import datetime

from worker.core.addressing import reachable
from worker.core.cards import Audience, Card, Channel, Destination, Holder
from worker.core.deadlines import DeadlineKind
from worker.core.open_windows import notice
from worker.core.policy import Policy
from worker.core.reminders import Known, Planned, ReminderKey, ReminderState
from worker.core.window_times import Span

# Where silence is told to the guardian: the last notice that leaves a day to act, or three to get
# a line back.
_LAST_CALLS = frozenset({(DeadlineKind.PLAN_END, -1), (DeadlineKind.LINE_LOSS, -3)})
SILENT = "silent"


def last_resort(
    card: Card,
    holder: Holder,
    policy: Policy,
    open_now: Collection[Span],
    now: datetime,
    known: Collection[Known],
    taken: Collection[ReminderKey],
    heard: Collection[Channel],
) -> Iterator[Planned]:
    """For the guardian: a deadline is near, and nothing shows that any notice of it arrived.
    ``taken``: what needs no other."""
    for span in open_now:
        last_call = (span.window.deadline, span.window.offset) in _LAST_CALLS
        key = span.key(Destination.GUARDIAN)
        if last_call and key not in taken and reachable(card, holder, Destination.GUARDIAN):
            at = policy.hours.next_open(now, holder.time_zone)
            if at < span.until and _is_silent(span, known, heard):
                yield notice(span, Destination.GUARDIAN, at, reason=SILENT)


def _is_silent(span: Span, known: Collection[Known], heard: Collection[Channel]) -> bool:
    """Were earlier notices of this deadline sent, and none confirmed by a channel that confirms?

    Email does wherever its receipts arrive at all. Handsets often do not: one counts only if it
    has confirmed a notice of this card before.
    """
    earlier = [
        k
        for k in known
        if (k.key.deadline, k.key.on) == (span.deadline.kind, span.deadline.on)
        and k.key.audience is Audience.HOLDER
        and k.due_at < span.at
    ]
    if any(k.state is ReminderState.DELIVERED for k in earlier):
        return False
    confirmed = {k.key.channel for k in known if k.state is ReminderState.DELIVERED}
    telling = {Channel.EMAIL, *confirmed}.intersection(heard)
    sent = (k for k in earlier if k.state is ReminderState.SENT and not k.mute)
    return any(k.key.channel in telling for k in sent)
