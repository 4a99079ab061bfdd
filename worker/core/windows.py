"""What is owed for one card at one instant: pure functions of the card, its policy and ``now``."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import zip_longest

from worker.core.cards import Card, CardState, Channel, Holder, Language
from worker.core.deadlines import Deadline, DeadlineKind, Ladder, ladder
from worker.core.hours import local_day
from worker.core.life import renewal_lapses_at
from worker.core.operators import OperatorPack
from worker.core.policy import Policy, Window
from worker.core.reminders import Known, Planned, ReminderKey, ReminderState
from worker.core.routes import Routes

# How far back the ledger is asked for what was told of a deadline. What it is not asked for looks
# unsent, so a window of an older deadline must not be called missed.
REMEMBERED = timedelta(days=120)


EVERY_ROUTE = Routes()

# Where silence is told to the guardian: the last notice that leaves a day to act, or three to get
# a line back.
_LAST_CALLS = frozenset({(DeadlineKind.PLAN_END, -1), (DeadlineKind.LINE_LOSS, -3)})
SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Span:
    """When a window is open: due ``at`` a holder's opening hour, useful until ``until``."""

    window: Window
    deadline: Deadline
    at: datetime
    until: datetime

    def key(self, channel: Channel) -> ReminderKey:
        """The identity of this window's reminder on ``channel``."""
        return ReminderKey(self.deadline.kind, self.deadline.on, self.window.name, channel)


@dataclass(frozen=True, slots=True)
class Decision:
    """``planned``: reminders to write. ``stale``: ids of waiting reminders whose deadline is gone.
    ``next_check_at``: the next instant at which the answer can change, ``None`` for never.
    ``lapsed``: nobody confirmed the last renewal in time; nothing else is decided before that.
    ``closes``: the card came to its end while it was watched; of one that comes with a top-up of
    long ago, the book is more likely to be out of date."""

    planned: tuple[Planned, ...]
    stale: tuple[int, ...]
    next_check_at: datetime | None
    lapsed: bool = False
    closes: bool = False


def evaluate(
    card: Card,
    holder: Holder,
    pack: OperatorPack,
    policy: Policy,
    now: datetime,
    known: Collection[Known] = (),
    routes: Routes = EVERY_ROUTE,
) -> Decision:
    """``decide`` for a card whose deadlines and windows are yet to be worked out."""
    steps = ladder(card, pack)
    return decide(
        card, holder, steps, spans(card, holder, steps, policy), policy, now, known, routes
    )


def decide(
    card: Card,
    holder: Holder,
    steps: Ladder,
    every: Sequence[Span],
    policy: Policy,
    now: datetime,
    known: Collection[Known] = (),
    routes: Routes = EVERY_ROUTE,
    heard: Collection[Channel] = (),
) -> Decision:
    """Decide what ``card`` owes its holder at ``now``, given its deadlines, its windows and the
    reminders that exist. ``heard``: the channels on which receipts arrive these days.

    Of each deadline only the one open window is owed: an older one that passed unsent while the
    card was watched is ``missed``; what lay before ``card.watched_since`` was never owed.
    """
    lapses_at = renewal_lapses_at(card)
    if lapses_at and lapses_at <= now:
        return Decision((), (), now, lapsed=True)
    if not _is_watched(card):
        steps, every = {}, ()
    current = {(step.kind, step.on) for step in steps.values()}
    stale = tuple(
        k.id
        for k in known
        if k.state is ReminderState.PENDING
        and isinstance(k.key.deadline, DeadlineKind)
        and (k.key.deadline, k.key.on) not in current
    )
    if lapses_at:
        return Decision((), stale, lapses_at)
    if any(span.window.closes and card.watched_since <= span.at <= now for span in every):
        return Decision((), stale, None, closes=True)
    taken = _taken(known)
    missed = [p for span in every if _passed(card, span, now) for p in _missed(span, taken)]
    open_now = [span for span in every if span.at <= now < span.until]
    reach = in_service(card, steps, now)
    planned, again = _plan(reach, holder, policy, open_now, now, known, routes)
    planned += list(_last_resort(reach, holder, policy, open_now, now, known, heard, planned))
    instants = [span.at for span in every if span.at > now] + again
    return Decision(tuple(missed + planned), stale, min(instants, default=None))


def _is_watched(card: Card) -> bool:
    return card.state in (CardState.ACTIVE, CardState.SUSPENDED) and not card.paused


def spans(card: Card, holder: Holder, steps: Ladder, policy: Policy) -> list[Span]:
    """Every window of ``policy`` that ``card`` has, with its due instant and its end.

    A window is due at the opening hour of its day in the holder's time zone; it ends where the
    next window of the same deadline opens, at the deadline, or ``policy.useful_days`` after it.
    """
    return [span for step in steps.values() for span in _spans(card, holder, step, policy)]


def _spans(card: Card, holder: Holder, step: Deadline, policy: Policy) -> Iterator[Span]:
    windows = [w for w in policy.windows if w.deadline is step.kind and not _too_long(card, w)]
    starts = [
        policy.hours.opening(step.on + timedelta(days=w.offset), holder.time_zone) for w in windows
    ]
    for window, at, following in zip_longest(windows, starts, starts[1:]):
        last = step.at if window.offset <= 0 else at + timedelta(days=policy.useful_days)
        until = last if following is None else min(last, following)
        if at < until:
            # In UTC, for they are compared far more often than they are worked out.
            yield Span(window, step, at.astimezone(UTC), until.astimezone(UTC))


def _too_long(card: Card, window: Window) -> bool:
    """A notice further ahead than half the plan says nothing new; T-1 and T0 always stay."""
    ahead = -window.offset
    if window.deadline is not DeadlineKind.PLAN_END or card.plan_days is None or ahead <= 1:
        return False
    return ahead * 2 > card.plan_days


def reachable(card: Card, holder: Holder, channel: Channel) -> bool:
    """Is there an address for ``channel``?"""
    return address_of(card, holder, channel) is not None


def address_of(card: Card, holder: Holder, channel: Channel) -> str | None:
    """Where to reach the holder: the contact phone before the card's own number, and that one
    only while the card is in service."""
    if channel is Channel.GUARDIAN:
        return card.guardian_email
    if channel is Channel.EMAIL:
        return holder.email
    own = card.msisdn if card.state is CardState.ACTIVE else None
    return holder.contact_phone or own


def in_service(card: Card, steps: Ladder, now: datetime) -> Card:
    """``card`` as far as reaching its holder goes: once the line is lost its own number may be a
    stranger's, so it counts as cut off."""
    lost = steps.get(DeadlineKind.LINE_LOSS)
    gone = lost is not None and lost.at <= now and card.state is CardState.ACTIVE
    return replace(card, state=CardState.SUSPENDED) if gone else card


def _passed(card: Card, span: Span, now: datetime) -> bool:
    remembered = span.deadline.on >= (now - REMEMBERED).date()
    return remembered and card.watched_since <= span.at and span.until <= now


def _missed(span: Span, taken: Collection[ReminderKey]) -> Iterator[Planned]:
    for channel in span.window.channels:
        if span.key(channel) not in taken and channel is not Channel.GUARDIAN:
            yield _planned(span, channel, span.at, ReminderState.MISSED, "not_checked_in_time")


def _taken(known: Collection[Known]) -> set[ReminderKey]:
    """What is told, ended or on its way; what ended only with its deadline is owed again."""
    return {k.key for k in known if not k.revivable}


def _planned(
    span: Span,
    channel: Channel,
    due_at: datetime,
    state: ReminderState = ReminderState.PENDING,
    reason: str | None = None,
) -> Planned:
    return Planned(span.key(channel), due_at, span.until, span.window.urgency, state, reason)


def _plan(
    card: Card,
    holder: Holder,
    policy: Policy,
    open_now: list[Span],
    now: datetime,
    known: Collection[Known],
    routes: Routes,
) -> tuple[list[Planned], list[datetime]]:
    """Reminders for the open windows, most urgent first, and instants at which to look again."""
    due_at = policy.hours.next_open(now, holder.time_zone)
    taken = _taken(known)
    busy = _sms_days(known, holder.time_zone)
    planned: list[Planned] = []
    again: list[datetime] = []
    for span in sorted(open_now, key=lambda s: s.window.urgency):
        for channel, unreachable in ways(card, holder, span.window.channels, routes):
            if span.key(channel) in taken:
                continue
            if unreachable:
                planned.append(_planned(span, channel, now, ReminderState.SUPPRESSED, "no_address"))
                continue
            at = due_at
            if channel is Channel.SMS:
                at = _free_day(policy, holder, busy, due_at)
            if at >= span.until:
                state, reason = _too_late(span, due_at)
                planned.append(_planned(span, channel, now, state, reason))
            elif at > due_at:
                again.append(at)
            else:
                taken_days = busy if channel is Channel.SMS else set()
                owed_at = _owed_at(card, span, policy, holder, taken_days)
                planned.append(replace(_planned(span, channel, at), owed_at=min(owed_at, at)))
                if channel is Channel.SMS:
                    busy.add(local_day(at, holder.time_zone))
    return planned, again


def _last_resort(
    card: Card,
    holder: Holder,
    policy: Policy,
    open_now: list[Span],
    now: datetime,
    known: Collection[Known],
    heard: Collection[Channel],
    planned: Collection[Planned],
) -> Iterator[Planned]:
    """For the guardian: a deadline is near, and nothing shows that any notice of it arrived."""
    taken = _taken(known) | {p.key for p in planned}
    for span in open_now:
        last_call = (span.window.deadline, span.window.offset) in _LAST_CALLS
        key = span.key(Channel.GUARDIAN)
        if last_call and key not in taken and reachable(card, holder, Channel.GUARDIAN):
            at = policy.hours.next_open(now, holder.time_zone)
            if at < span.until and _is_silent(span, known, heard):
                yield _planned(span, Channel.GUARDIAN, at, reason=SILENT)


def _is_silent(span: Span, known: Collection[Known], heard: Collection[Channel]) -> bool:
    """Were earlier notices of this deadline sent, and none confirmed by a channel that confirms?

    Email does wherever its receipts arrive at all. Handsets often do not: one counts only if it
    has confirmed a notice of this card before.
    """
    earlier = [
        k
        for k in known
        if (k.key.deadline, k.key.on) == (span.deadline.kind, span.deadline.on)
        and k.key.channel is not Channel.GUARDIAN
        and k.due_at < span.at
    ]
    if any(k.state is ReminderState.DELIVERED for k in earlier):
        return False
    confirmed = {k.key.channel for k in known if k.state is ReminderState.DELIVERED}
    telling = {Channel.EMAIL, *confirmed}.intersection(heard)
    return any(k.state is ReminderState.SENT and k.key.channel in telling for k in earlier)


def ways(
    card: Card, holder: Holder, channels: tuple[Channel, ...], routes: Routes
) -> Iterator[tuple[Channel, bool]]:
    """The wanted channels, each with whether it is out of reach, and the one that steps in: for
    one that is out of reach, or beside an SMS that cannot go in the holder's own language. Where
    the holder is out of reach altogether, the guardian is told."""
    to_holder = [channel for channel in channels if channel is not Channel.GUARDIAN]
    for channel in to_holder:
        yield channel, not reachable(card, holder, channel)
    nobody = not any(reachable(card, holder, c) for c in (Channel.SMS, Channel.EMAIL))
    if (nobody or Channel.GUARDIAN in channels) and reachable(card, holder, Channel.GUARDIAN):
        yield Channel.GUARDIAN, False
    for channel in to_holder:
        steps_in = channel.other
        wanted = not reachable(card, holder, channel) or (
            channel is Channel.SMS and sms_language(card, holder, routes) is not holder.language
        )
        if wanted and steps_in not in channels and reachable(card, holder, steps_in):
            yield steps_in, False


def sms_language(card: Card, holder: Holder, routes: Routes) -> Language:
    """The language of an SMS to the holder: their own, if it arrives on the way there."""
    number = address_of(card, holder, Channel.SMS)
    return routes.route(number).language_for(holder.language) if number else holder.language


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
