"""What is owed for the windows that are open now: where each notice goes, from when on, and what
stands against it."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime, timedelta

from worker.core.addressing import ways
from worker.core.cards import Card, Channel, Destination, Holder
from worker.core.deadlines import DeadlineKind
from worker.core.hours import local_day
from worker.core.policy import Policy
from worker.core.reminders import Known, Planned, ReminderKey, ReminderState
from worker.core.routes import Routes
from worker.core.window_times import Span


def notice(
    span: Span,
    to: Destination,
    due_at: datetime,
    state: ReminderState = ReminderState.PENDING,
    reason: str | None = None,
) -> Planned:
    """The reminder of ``span`` for ``to``, which waits until ``due_at`` or has ended already."""
    return Planned(span.key(to), due_at, span.until, span.window.urgency, state, reason)


def plan(
    card: Card,
    holder: Holder,
    policy: Policy,
    open_now: Collection[Span],
    now: datetime,
    known: Collection[Known],
    taken: Collection[ReminderKey],
    routes: Routes,
) -> tuple[list[Planned], list[datetime]]:
    """Reminders for the open windows, most urgent first, and instants at which to look again.
    ``taken``: what needs no other."""
    due_at = policy.hours.next_open(now, holder.time_zone)
    busy = _sms_days(known, holder.time_zone)
    planned: list[Planned] = []
    again: list[datetime] = []
    for span in sorted(open_now, key=lambda s: s.window.urgency):
        for to, unreachable in ways(card, holder, span.window.destinations, routes):
            if span.key(to) in taken:
                continue
            if unreachable:
                planned.append(notice(span, to, now, ReminderState.SUPPRESSED, "no_address"))
                continue
            at = due_at
            if to is Destination.SMS:
                at = _free_day(policy, holder, busy, due_at)
            if at >= span.until:
                state, reason = _too_late(span, due_at)
                planned.append(notice(span, to, now, state, reason))
            elif at > due_at:
                again.append(at)
            else:
                taken_days = busy if to is Destination.SMS else set()
                owed_at = _owed_at(card, span, policy, holder, taken_days)
                planned.append(replace(notice(span, to, at), owed_at=min(owed_at, at)))
                if to is Destination.SMS:
                    busy.add(local_day(at, holder.time_zone))
    return planned, again


def _sms_days(known: Collection[Known], time_zone: str) -> set[date]:
    """Days with an SMS about a deadline. News of an event never takes the place of a warning."""
    lives = (ReminderState.PENDING, ReminderState.SENT, ReminderState.DELIVERED)
    return {
        local_day(k.due_at, time_zone)
        for k in known
        if k.key.channel is Channel.SMS
        and k.state in lives
        and isinstance(k.key.deadline, DeadlineKind)
    }


def _free_day(policy: Policy, holder: Holder, busy: set[date], due_at: datetime) -> datetime:
    """The first instant from ``due_at`` on a day without an SMS: one SMS a card a day."""
    at = due_at
    while local_day(at, holder.time_zone) in busy:
        tomorrow = local_day(at, holder.time_zone) + timedelta(days=1)
        at = policy.hours.opening(tomorrow, holder.time_zone)
    return at


def _owed_at(card: Card, span: Span, policy: Policy, holder: Holder, busy: set[date]) -> datetime:
    """Since when an open window's notice is owed: a check that comes late makes it late, not due
    later."""
    owed = policy.hours.next_open(max(span.at, card.watched_since), holder.time_zone)
    return _free_day(policy, holder, busy, owed)


def _too_late(span: Span, due_at: datetime) -> tuple[ReminderState, str]:
    """Why an open window yields no notice: another SMS had the day, or the night is too long."""
    if due_at < span.until:
        return ReminderState.SUPERSEDED, "one_sms_a_day"
    if span.until < span.deadline.at or span.window.offset > 0:
        return ReminderState.SUPERSEDED, "next_window_opens_first"
    return ReminderState.MISSED, "quiet_hours"
