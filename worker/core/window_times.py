"""The windows of a card in time: when each is open, and where they all stand at an instant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import zip_longest

from worker.core.cards import Card, Destination, Holder
from worker.core.deadlines import Deadline, DeadlineKind, Ladder
from worker.core.hours import local_day
from worker.core.policy import Policy, Window
from worker.core.reminders import ReminderKey

# The shortest time before a deadline in which a notice still helps: to find a shop or to log in.
TIME_TO_ACT = timedelta(hours=2)
_INSTANT = timedelta(microseconds=1)
_EVER_SINCE = datetime.min.replace(tzinfo=UTC)
_FOR_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """When a window is open: due ``at`` a holder's opening hour, useful until ``until``."""

    window: Window
    deadline: Deadline
    at: datetime
    until: datetime

    def key(self, to: Destination) -> ReminderKey:
        """The identity of this window's reminder to one destination."""
        own = (self.deadline.kind, self.deadline.on, self.window.name)
        return ReminderKey(*own, to.channel, to.audience)


@dataclass(frozen=True, slots=True)
class Moment:
    """Where the windows stand at each instant in [``since``, ``until``): those that are ``over``
    and ``open``, those that have begun and close the card, and when the next one opens."""

    since: datetime
    until: datetime
    over: tuple[Span, ...]
    open: tuple[Span, ...]
    closing: tuple[Span, ...]
    next_at: datetime | None


@dataclass(slots=True)
class Timetable:
    """The windows of all cards that have the same dates and rules. It remembers the last moment:
    many cards are checked at one instant, and days pass before the next window opens or ends."""

    spans: tuple[Span, ...] = ()
    _last: Moment | None = None

    def at(self, now: datetime) -> Moment:
        """Where the windows stand at ``now``."""
        last = self._last
        if last is None or not last.since <= now < last.until:
            last = self._last = moment(self.spans, now)
        return last


def moment(every: Sequence[Span], now: datetime) -> Moment:
    """Where the windows ``every`` stand at ``now``, each kept in the order given."""
    turns = [turn for span in every for turn in (span.at, span.until)]
    return Moment(
        since=max((turn for turn in turns if turn <= now), default=_EVER_SINCE),
        until=min((turn for turn in turns if turn > now), default=_FOR_EVER),
        over=tuple(span for span in every if span.until <= now),
        open=tuple(span for span in every if span.at <= now < span.until),
        closing=tuple(span for span in every if span.window.closes and span.at <= now),
        next_at=min((span.at for span in every if span.at > now), default=None),
    )


def spans(card: Card, holder: Holder, steps: Ladder, policy: Policy) -> list[Span]:
    """Every window of ``policy`` that ``card`` has, with its due instant and its end.

    A window is due at the opening hour of its day on the holder's own calendar, where the deadline
    may fall on another day than in Lima; it ends where the next window of the same deadline opens,
    at the deadline, or ``policy.useful_days`` after it.
    """
    return [span for step in steps.values() for span in _spans(card, holder, step, policy)]


def _spans(card: Card, holder: Holder, step: Deadline, policy: Policy) -> Iterator[Span]:
    if step.kind is DeadlineKind.BALANCE_LOSS and (card.balance is None or card.balance <= 0):
        return  # nobody is warned of losing what may not be there
    windows = [w for w in policy.windows if w.deadline is step.kind and not _too_long(card, w)]
    last_day, counted_to = _days(step, policy, holder.time_zone)
    starts = [
        policy.hours.opening(
            (last_day if w.offset > 0 else counted_to) + timedelta(days=w.offset), holder.time_zone
        )
        for w in windows
    ]
    for window, at, following in zip_longest(windows, starts, starts[1:]):
        last = step.at if window.offset <= 0 else at + timedelta(days=policy.useful_days)
        until = last if following is None else min(last, following)
        if at < until:
            # In UTC, for they are compared far more often than they are worked out.
            yield Span(window, step, at.astimezone(UTC), until.astimezone(UTC))


def _days(step: Deadline, policy: Policy, time_zone: str) -> tuple[date, date]:
    """On the calendar of ``time_zone`` the day after which the loss is certain, from which notices
    after it are counted, and the day from which notices before it are.

    Of a plan that is the last day on which somebody who is told at the opening hour can still act.
    The end of 12 June in Lima is 12:59 on the 13th in Beijing: the 13th. It is 06:59 on the 13th in
    Madrid, before anybody may be disturbed: the 12th. Of everything else it is the day from which
    the loss can happen, as the texts name it.
    """
    last_day = local_day(step.at - _INSTANT, time_zone)
    if step.kind is not DeadlineKind.PLAN_END:
        return last_day, local_day(step.begins, time_zone)
    in_time = step.at - policy.hours.opening(last_day, time_zone) >= TIME_TO_ACT
    return last_day, last_day if in_time else last_day - timedelta(days=1)


def _too_long(card: Card, window: Window) -> bool:
    """A notice further ahead than half the plan says nothing new; T-1 and T0 always stay."""
    ahead = -window.offset
    if window.deadline is not DeadlineKind.PLAN_END or card.plan_days is None or ahead <= 1:
        return False
    return ahead * 2 > card.plan_days
