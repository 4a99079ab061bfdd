"""What is owed for one card at one instant: pure functions of the card, its policy and ``now``."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.core.addressing import in_service
from worker.core.cards import Audience, Card, CardState, Channel, Holder
from worker.core.deadlines import DeadlineKind, Ladder
from worker.core.open_windows import notice, plan
from worker.core.policy import Policy
from worker.core.reminders import UNCHECKED, Known, Planned, ReminderKey, ReminderState
from worker.core.renewal import OpenRenewal, too_soon
from worker.core.routes import Routes
from worker.core.silence import last_resort
from worker.core.window_times import Span, Timetable

# How far back the ledger is asked for what was told of a deadline. What it is not asked for looks
# unsent, so a window of an older deadline must not be called missed.
REMEMBERED = timedelta(days=120)


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
    planned, again = plan(reach, holder, policy, moment.open, now, known, taken, routes)
    taken |= {one.key for one in planned}
    planned += last_resort(reach, holder, policy, moment.open, now, known, taken, heard)
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


def _passed(card: Card, span: Span, now: datetime) -> bool:
    remembered = span.deadline.on >= (now - REMEMBERED).date()
    return remembered and card.watched_since <= span.at and span.until <= now


def _missed(span: Span, taken: Collection[ReminderKey]) -> Iterator[Planned]:
    for to in span.window.destinations:
        if span.key(to) not in taken and to.audience is Audience.HOLDER:
            yield notice(span, to, span.at, ReminderState.MISSED, UNCHECKED)


def _taken(known: Collection[Known], now: datetime) -> set[ReminderKey]:
    """What is told, ended or on its way; what ended only with its deadline is owed again."""
    return {k.key for k in known if not k.revivable and not k.foretold(now)}
