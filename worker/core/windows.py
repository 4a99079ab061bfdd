"""What is owed for one card at one instant: pure functions of the card, its policy and ``now``."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from worker.core.cards import (
    Audience,
    Card,
    CardState,
    Channel,
    Destination,
    Holder,
    Language,
    told_by,
)
from worker.core.deadlines import DeadlineKind, Ladder
from worker.core.hours import local_day
from worker.core.policy import Policy
from worker.core.reminders import UNCHECKED, Known, Planned, ReminderKey, ReminderState
from worker.core.renewal import OpenRenewal, too_soon
from worker.core.routes import Routes
from worker.core.window_times import Span, Timetable

# How far back the ledger is asked for what was told of a deadline. What it is not asked for looks
# unsent, so a window of an older deadline must not be called missed.
REMEMBERED = timedelta(days=120)

# Where silence is told to the guardian: the last notice that leaves a day to act, or three to get
# a line back.
_LAST_CALLS = frozenset({(DeadlineKind.PLAN_END, -1), (DeadlineKind.LINE_LOSS, -3)})
SILENT = "silent"
# Of what waits for the guardian: every address of the holder turned out to be of no use.
UNREACHED = "unreached"


@dataclass(frozen=True, slots=True)
class Decision:
    """``planned``: reminders to write. ``stale``: ids of waiting reminders whose deadline is gone.
    ``next_check_at``: the next instant at which the answer can change, ``None`` for never.
    ``asks``: the holder has to be asked whether the last renewal works; ``lapsed``: the answer
    stayed away too long. Nothing else is decided before either is written.
    ``closes``: the card came to its end while it was watched; of one that comes with a top-up of
    long ago, the book is more likely to be out of date."""

    planned: tuple[Planned, ...]
    stale: tuple[int, ...]
    next_check_at: datetime | None
    asks: bool = False
    lapsed: bool = False
    closes: bool = False


def at_rest(
    card: Card, table: Timetable, now: datetime, renewal: OpenRenewal | None
) -> Decision | None:
    """The decision on a card that owes nothing at ``now`` whatever the ledger says, but for ending
    reminders that wait; ``None`` where the ledger has to be asked. ``renewal``: the question that
    the card stands under."""
    if not is_watched(card):
        return Decision((), (), None)
    if renewal is not None:
        return Decision((), (), renewal.turns_at) if renewal.turns_at > now else None
    moment = table.at(now)
    if moment.open or (moment.over and any(_passed(card, span, now) for span in moment.over)):
        return None
    if moment.closing and _closes(card, moment.closing):
        return None
    return Decision((), (), moment.next_at)


def decide(
    card: Card,
    holder: Holder,
    steps: Ladder,
    table: Timetable,
    policy: Policy,
    now: datetime,
    known: Collection[Known],
    routes: Routes,
    heard: Collection[Channel],
    renewal: OpenRenewal | None,
) -> Decision:
    """Decide what ``card`` owes its holder at ``now``, given its deadlines, its windows and the
    reminders that exist. ``heard``: the channels on which receipts arrive these days; ``renewal``:
    the question whether the last renewal works, while it is open.

    Of each deadline only the one open window is owed: an older one that passed unsent while the
    card was watched is ``missed``; what lay before ``card.watched_since`` was never owed.
    """
    stale = _stale(card, steps, known)
    resting = at_rest(card, table, now, renewal)
    if resting is not None:
        return replace(resting, stale=stale) if stale else resting
    if renewal is not None:
        later = (
            None
            if renewal.asked
            else too_soon(card, renewal, known, now, policy.hours, holder.time_zone)
        )
        if later is not None:
            return Decision((), stale, later)
        return Decision((), (), now, asks=not renewal.asked, lapsed=renewal.asked)
    moment, taken = table.at(now), _taken(known, now)
    passed = [span for span in moment.over if _passed(card, span, now)]
    missed = [p for span in passed for p in _missed(span, taken)]
    if _closes(card, moment.closing):
        return Decision(tuple(missed), stale, None, closes=True)
    reach = in_service(card, steps, now)
    planned, again = _plan(reach, holder, policy, moment.open, now, known, routes)
    planned += list(_last_resort(reach, holder, policy, moment.open, now, known, heard, planned))
    instants = again if moment.next_at is None else [moment.next_at, *again]
    return Decision(tuple(missed + planned), stale, min(instants, default=None))


def is_watched(card: Card) -> bool:
    """Is anything owed for the deadlines of ``card``?"""
    return card.state in (CardState.ACTIVE, CardState.SUSPENDED) and not card.paused


def _stale(card: Card, steps: Ladder, known: Collection[Known]) -> tuple[int, ...]:
    """Ids of the reminders that wait for a deadline which the card does not have any more."""
    if not known:
        return ()
    current = {(step.kind, step.on) for step in steps.values()} if is_watched(card) else set()
    return tuple(
        k.id
        for k in known
        if k.state is ReminderState.PENDING
        and isinstance(k.key.deadline, DeadlineKind)
        and (k.key.deadline, k.key.on) not in current
    )


def _closes(card: Card, closing: Collection[Span]) -> bool:
    return any(card.watched_since <= span.at for span in closing)


def reachable(card: Card, holder: Holder, to: Destination) -> bool:
    """Is there an address at ``to``?"""
    return address_of(card, holder, to.channel, to.audience) is not None


def address_of(
    card: Card, holder: Holder, channel: Channel, audience: Audience = Audience.HOLDER
) -> str | None:
    """Where to reach the holder: the contact phone before the card's own number, and that one
    only while the card is in service. The guardian has an email address or none."""
    if audience is Audience.GUARDIAN:
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
    for to in span.window.destinations:
        if span.key(to) not in taken and to.audience is Audience.HOLDER:
            yield _planned(span, to, span.at, ReminderState.MISSED, UNCHECKED)


def _taken(known: Collection[Known], now: datetime) -> set[ReminderKey]:
    """What is told, ended or on its way; what ended only with its deadline is owed again."""
    return {k.key for k in known if not k.revivable and not k.foretold(now)}


def _planned(
    span: Span,
    to: Destination,
    due_at: datetime,
    state: ReminderState = ReminderState.PENDING,
    reason: str | None = None,
) -> Planned:
    return Planned(span.key(to), due_at, span.until, span.window.urgency, state, reason)


def _plan(
    card: Card,
    holder: Holder,
    policy: Policy,
    open_now: Collection[Span],
    now: datetime,
    known: Collection[Known],
    routes: Routes,
) -> tuple[list[Planned], list[datetime]]:
    """Reminders for the open windows, most urgent first, and instants at which to look again."""
    due_at = policy.hours.next_open(now, holder.time_zone)
    taken = _taken(known, now)
    busy = _sms_days(known, holder.time_zone)
    planned: list[Planned] = []
    again: list[datetime] = []
    for span in sorted(open_now, key=lambda s: s.window.urgency):
        for to, unreachable in ways(card, holder, span.window.destinations, routes):
            if span.key(to) in taken:
                continue
            if unreachable:
                planned.append(_planned(span, to, now, ReminderState.SUPPRESSED, "no_address"))
                continue
            at = due_at
            if to is Destination.SMS:
                at = _free_day(policy, holder, busy, due_at)
            if at >= span.until:
                state, reason = _too_late(span, due_at)
                planned.append(_planned(span, to, now, state, reason))
            elif at > due_at:
                again.append(at)
            else:
                taken_days = busy if to is Destination.SMS else set()
                owed_at = _owed_at(card, span, policy, holder, taken_days)
                planned.append(replace(_planned(span, to, at), owed_at=min(owed_at, at)))
                if to is Destination.SMS:
                    busy.add(local_day(at, holder.time_zone))
    return planned, again


def _last_resort(
    card: Card,
    holder: Holder,
    policy: Policy,
    open_now: Collection[Span],
    now: datetime,
    known: Collection[Known],
    heard: Collection[Channel],
    planned: Collection[Planned],
) -> Iterator[Planned]:
    """For the guardian: a deadline is near, and nothing shows that any notice of it arrived."""
    taken = _taken(known, now) | {p.key for p in planned}
    for span in open_now:
        last_call = (span.window.deadline, span.window.offset) in _LAST_CALLS
        key = span.key(Destination.GUARDIAN)
        if last_call and key not in taken and reachable(card, holder, Destination.GUARDIAN):
            at = policy.hours.next_open(now, holder.time_zone)
            if at < span.until and _is_silent(span, known, heard):
                yield _planned(span, Destination.GUARDIAN, at, reason=SILENT)


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


def ways(
    card: Card, holder: Holder, wanted: Collection[Destination], routes: Routes
) -> Iterator[tuple[Destination, bool]]:
    """Where a notice is ``wanted``, each with whether nobody is reached there, and what steps in:
    for one that is out of reach, or beside an SMS that cannot go in the holder's own language.
    Where the holder is out of reach altogether, the guardian is told."""
    to_holder = [to for to in wanted if to.audience is Audience.HOLDER]
    for to in to_holder:
        yield to, not reachable(card, holder, to)
    nobody = not any(reachable(card, holder, to) for to in (Destination.SMS, Destination.EMAIL))
    if (nobody or Destination.GUARDIAN in wanted) and reachable(card, holder, Destination.GUARDIAN):
        yield Destination.GUARDIAN, False
    for to in to_holder:
        steps_in = told_by(to.channel.other, to.audience)
        needed = not reachable(card, holder, to) or (
            to is Destination.SMS and sms_language(card, holder, routes) is not holder.language
        )
        if needed and steps_in not in wanted and reachable(card, holder, steps_in):
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
