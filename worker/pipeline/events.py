"""Use case: something happened to a card. Write it, end what is no longer true, tell the holder."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, Engine

from worker.core.actor import Actor
from worker.core.addressing import ways
from worker.core.cards import Audience, CardState, Channel
from worker.core.life import Effect, Happening, ImpossibleError, LifeEvent, LifeNotice
from worker.core.life_effects import happen
from worker.core.reminders import Planned, ReminderKey, ReminderState
from worker.core.rules import Rules
from worker.core.undo import UNDOABLE, Before, columns_of
from worker.errors import VigenciaError
from worker.pipeline import endings, saving
from worker.pipeline.owe import OwedNotice, owe
from worker.store import books, card_index, saves, suppressions
from worker.store import cards as card_store
from worker.store import reminders as ledger
from worker.store import undo as undo_store
from worker.store.books import HolderValues
from worker.store.cards import CardEvent, Watched
from worker.store.engine import writing

# What happened comes before what will: an event's notice is the most urgent of its card.
_URGENCY = (-1, 0)
AT_ONCE = timedelta()
# Looks at the locked card before anything changes; where it says no, nothing does.
Guard = Callable[[Connection, Watched], bool]
# The same, where a refusal is raised; it may write what belongs to the act.
Check = Callable[[Connection, Watched], object]


def anybody(_conn: Connection, _watched: Watched) -> None:
    """The ``Check`` of a door that has asked before who may do it."""


# A card with its holder, what is to be told of it, and the day or cycle it is told for.
News = tuple[Watched, LifeNotice, date]


@dataclass(frozen=True, slots=True)
class Life:
    """Records life events; each in one transaction with all that follows from it."""

    engine: Engine
    rules: Rules

    def record(
        self,
        card_id: int,
        what: Happening,
        now: datetime,
        *,
        by: Actor | None = None,
        undo_for: timedelta = AT_ONCE,
    ) -> Effect:
        """Let ``what`` happen to the card, as ``by`` says; its deadlines are checked again at the
        next tick.

        ``undo_for``: how long it can be undone, if it is of that kind. So long nobody is told of
        it, and nothing follows from it. Raises ``VigenciaError`` if it cannot happen to the card as
        it is now.
        """
        with writing(self.engine) as conn:
            return self._record(conn, card_id, what, now, by, undo_for)

    def record_if(
        self,
        guard: Guard,
        card_id: int,
        what: Happening,
        now: datetime,
        *,
        by: Actor | None = None,
        undo_for: timedelta = AT_ONCE,
    ) -> Effect | None:
        """As ``record`` where ``guard`` allows it, which may write what belongs to it in the same
        transaction; ``None`` where it does not, and then nothing has changed."""
        with writing(self.engine) as conn:
            if not guard(conn, lock(conn, card_id)):
                return None
            return self._record(conn, card_id, what, now, by, undo_for)

    def reassign(
        self,
        card_id: int,
        person: HolderValues,
        now: datetime,
        *,
        by: Actor | None = None,
        check: Check = anybody,
    ) -> Effect:
        """Give the card to another holder, in the same way, if ``check`` raises nothing. The former
        one is forgotten unless another card of the book is theirs."""
        with writing(self.engine) as conn:
            watched = lock(conn, card_id)
            check(conn, watched)
            holder_id = books.holder_like(conn, watched.card.book_id, person, now)
            what = Happening(LifeEvent.REASSIGNED, holder_id=holder_id)
            effect = self._record(conn, card_id, what, now, by)
            books.erase_done(conn, [watched.holder.id], now)
            return effect

    def _record(
        self,
        conn: Connection,
        card_id: int,
        what: Happening,
        now: datetime,
        by: Actor | None,
        undo_for: timedelta = AT_ONCE,
    ) -> Effect:
        watched = lock(conn, card_id)
        try:
            effect = happen(watched.card, what, now)
        except ImpossibleError as error:
            raise VigenciaError(
                f"Card {card_id}: {error}.", f"Look at it with: vigencia cards show {card_id}"
            ) from None
        apply(conn, self.rules, watched, effect, now, by=by, undo_for=undo_for)
        return effect


def apply(
    conn: Connection,
    rules: Rules,
    watched: Watched,
    effect: Effect,
    now: datetime,
    *,
    by: Actor | None = None,
    undo_for: timedelta = AT_ONCE,
) -> None:
    """Write ``effect``, which is by somebody unless the clock found it. The card is locked."""
    card = watched.card
    until = now + undo_for if undo_for and effect.reason in UNDOABLE else None
    ended = ledger.waiting_of(conn, card.id, effect.ends, deadlines=effect.ends_deadlines)
    reasons = undo_store.waited_for(conn, ended) if until else {}
    endings.end(conn, ended, ReminderState.SUPERSEDED, effect.reason, now)
    card_store.change(conn, card.id, effect.changes, now, until)
    if card_index.MADE_FROM.intersection(effect.changes):
        card_index.renew(conn, rules, [card.id])
    if effect.changes.get("state") is CardState.RECYCLED and card.msisdn:
        silent = {card.msisdn: "recycled"}
        suppressions.add(conn, Channel.SMS, silent, now, source=suppressions.EVENT)
    if effect.reason == LifeEvent.RENEWED:
        saving.renewed(conn, [card.id], now, by.source if by else None)
    elif effect.reason == LifeEvent.RENEWAL_FAILED and card.renewed_at is not None:
        saves.set_failed(conn, card.id, card.renewed_at, failed=True)
    made: tuple[int, ...] = ()
    if effect.notice is not None and effect.on is not None:
        after = card_store.load(conn, [card.id])[card.id]
        made = tell(conn, rules, [(after, effect.notice, effect.on)], now, held_until=until)
    detail = {"fields": sorted(effect.changes), **(by.trail() if by else {})}
    event: CardEvent = {"card_id": card.id, "at": now, "event": effect.reason, "detail": detail}
    if until is None:
        card_store.add_events(conn, [event])
    else:
        before = Before(columns_of(card, effect.changes), reasons, made)
        undo_store.add(conn, event, until, before)


def tell(
    conn: Connection,
    rules: Rules,
    news: Iterable[News],
    now: datetime,
    *,
    guardian: bool = True,
    held_until: datetime | None = None,
) -> tuple[int, ...]:
    """Owe each notice for its day or cycle, once, over its channels; returns the reminders' ids.

    Cards of one holder that share an address travel in one message. ``guardian``: whether the
    keeper of the book is told of holders out of reach. ``held_until``: nobody is told before.
    """
    notices: list[OwedNotice] = []
    for told, notice, on in news:
        card, holder = told.card, told.holder
        due_at = rules.hours.next_open(held_until or now, holder.time_zone)
        until = due_at + timedelta(days=rules.policies[card.kind].useful_days)
        for to, unreachable in ways(card, holder, rules.events[notice], rules.routes):
            key = ReminderKey(notice, on, "event", to.channel, to.audience)
            planned = Planned(key, due_at, until, _URGENCY)
            if unreachable:
                state = ReminderState.SUPPRESSED
                planned = replace(planned, due_at=now, state=state, reason="no_address")
            elif to.audience is Audience.GUARDIAN and not guardian:
                continue
            notices.append(OwedNotice(card, holder, planned))
    return owe(conn, notices, now).ids


def lock(conn: Connection, card_id: int) -> Watched:
    """The card, locked. Raises ``VigenciaError`` where there is none."""
    watched = card_store.hold(conn, card_id)
    if watched is None:
        raise VigenciaError(f"There is no card {card_id}.", "List them with: vigencia cards list")
    return watched
