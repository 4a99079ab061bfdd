"""Use case: check a batch of cards, write the reminders they owe, and put them into messages."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from worker.core.cards import Channel, Destination, told_by
from worker.core.holdout import HoldOut
from worker.core.life import Happening, LifeEvent
from worker.core.life_effects import happen
from worker.core.reminders import RENEWED, Known, Planned, ReminderState
from worker.core.rules import Rules
from worker.core.silence import SILENT
from worker.core.windows import REMEMBERED, Decision
from worker.pipeline import endings
from worker.pipeline.events import apply
from worker.pipeline.owe import OwedNotice, owe
from worker.providers.registry import PROVIDERS, named
from worker.store import books as book_store
from worker.store import cards as card_store
from worker.store import receipts as receipt_store
from worker.store import reminders as ledger
from worker.store import undo as undo_store
from worker.store.cards import Watched
from worker.store.committed import after_commit
from worker.store.engine import savepoint, writing
from worker.store.messages import NewMessage
from worker.store.planner_hints import by_index

log = structlog.get_logger(__name__)

# Who reports a delivery on each channel, and how long ago that still shows that reports reach us.
_CONFIRMING = {
    channel: named(channel, lambda one: one.confirms_delivery)
    for channel in (Channel.SMS, Channel.EMAIL)
}
# Who never does: of what a mail server took, nothing more is heard unless it comes back.
_MUTE = tuple(one.name for one in PROVIDERS if not one.confirms_delivery)
_LATELY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check did; ``due`` are ids of messages to send now, by channel."""

    cards: int = 0
    reminders: int = 0
    messages: int = 0
    due: dict[Channel, list[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checks:
    """Evaluates cards. ``hint``: how long a worker may take to pick up a message it was told of;
    ``silent``: whether guardians are told where no notice of a deadline is known to have arrived;
    ``hold_out``: whether early notices help is tried in a book.
    """

    engine: Engine
    rules: Rules
    hint: timedelta
    silent: bool = False
    hold_out: HoldOut | None = None

    def run(self, ids: Sequence[int], now: datetime) -> Checked:
        """Check the cards ``ids`` at ``now`` in one transaction; repeating it changes nothing."""
        with writing(self.engine) as conn:
            by_index(conn, repeatable=True)
            watched = card_store.lock(conn, ids)
            # Nothing follows yet from an event that can still be undone.
            held = undo_store.undoable(conn, [one.card.id for one in watched], now)
            watched = [one for one in watched if one.card.id not in held]
            instants, asked = self._at_rest(conn, watched, now)
            instants.update(held)
            decided = self._decided(conn, asked, now)
            instants.update((one.card.id, decision.next_check_at) for one, decision in decided)
            return self._write(conn, decided, instants, now)

    def _at_rest(
        self, conn: Connection, watched: Sequence[Watched], now: datetime
    ) -> tuple[dict[int, datetime | None], list[Watched]]:
        """The next check of each card that owes nothing whatever its ledger says; and the others.

        Most cards are of that kind when a change of policy has all of them checked: to read their
        notices of four months would take longer than all the rest.
        """
        resting: dict[int, datetime | None] = {}
        asked: list[Watched] = []
        for one in watched:
            try:
                decision = self.rules.at_rest(one.card, one.holder, now)
            except Exception:
                _alarm(one)
                continue
            if decision is None:
                asked.append(one)
            else:
                resting[one.card.id] = decision.next_check_at
        if waiting := ledger.with_waiting(conn, list(resting)):
            # What waits may have lost its deadline.
            asked = [o for o in watched if o.card.id in waiting or o.card.id not in resting]
            resting = {card: at for card, at in resting.items() if card not in waiting}
        return resting, asked

    def _decided(
        self, conn: Connection, asked: Sequence[Watched], now: datetime
    ) -> list[tuple[Watched, Decision]]:
        """The decisions on cards of which the ledger has to be asked."""
        known = ledger.known(conn, [one.card.id for one in asked], (now - REMEMBERED).date())
        # As if every channel confirmed: who does is looked up only where it matters.
        heard = tuple(_CONFIRMING) if self.silent else ()
        decided: list[tuple[Watched, Decision]] = []
        for one in asked:
            with _alone(one):
                own = known.get(one.card.id, ())
                decided.append((one, self.rules.evaluate(one.card, one.holder, now, own, heard)))
        decided = self._without_false_silence(conn, decided, known, now)
        settled = (self._settled(conn, one, decision, now) for one, decision in decided)
        return [found for found in settled if found is not None]

    def _without_false_silence(
        self,
        conn: Connection,
        decided: list[tuple[Watched, Decision]],
        known: Mapping[int, Sequence[Known]],
        now: datetime,
    ) -> list[tuple[Watched, Decision]]:
        """Decide again where a guardian would be told of silence, by what is really heard."""
        silent = {
            one.card.id
            for one, decision in decided
            if any(planned.reason == SILENT for planned in decision.planned)
        }
        if not silent:
            return decided
        heard = self._heard(conn, now)
        told = ledger.without_reports(conn, silent, known, _MUTE)
        return [
            (one, self.rules.evaluate(one.card, one.holder, now, told[one.card.id], heard))
            if one.card.id in silent
            else (one, decision)
            for one, decision in decided
        ]

    def _heard(self, conn: Connection, now: datetime) -> frozenset[Channel]:
        """The channels whose receipts do reach us: without them silence means nothing."""
        last = {
            channel: receipt_store.last_confirmation(conn, providers)
            for channel, providers in _CONFIRMING.items()
        }
        return frozenset(channel for channel, at in last.items() if at and now - at <= _LATELY)

    def _settled(
        self, conn: Connection, one: Watched, decision: Decision, now: datetime
    ) -> tuple[Watched, Decision] | None:
        """The card with its decision, after what the clock found out of its renewal, or its end,
        was written; ``None`` if that failed, and then nothing was written of it."""
        if not (decision.asks or decision.lapsed or decision.closes):
            return one, decision
        with _alone(one), savepoint(conn):
            if decision.asks:
                one, decision = self._find(conn, one, LifeEvent.RENEWAL_NOT_EFFECTIVE, now)
            if decision.lapsed:
                one, decision = self._find(conn, one, LifeEvent.RENEWAL_UNANSWERED, now)
            if decision.closes:
                what = Happening(LifeEvent.CLOSED)
                apply(conn, self.rules, one, happen(one.card, what, now), now)
                book_store.erase_done(conn, [one.holder.id], now)
            return one, decision
        return None

    def _find(
        self, conn: Connection, one: Watched, event: LifeEvent, now: datetime
    ) -> tuple[Watched, Decision]:
        """The card as it is once ``event``, which the clock has found, is written; decided anew."""
        apply(conn, self.rules, one, happen(one.card, Happening(event), now), now)
        after = card_store.load(conn, [one.card.id])[one.card.id]
        known = ledger.known(conn, [one.card.id], (now - REMEMBERED).date())
        decision = self.rules.evaluate(after.card, after.holder, now, known.get(one.card.id, ()))
        return after, decision

    def _write(
        self,
        conn: Connection,
        decided: Sequence[tuple[Watched, Decision]],
        instants: Mapping[int, datetime | None],
        now: datetime,
    ) -> Checked:
        stale = [reminder for _, decision in decided for reminder in decision.stale]
        endings.end(conn, stale, ReminderState.SUPERSEDED, RENEWED, now)
        planned = self._held_out(conn, decided)
        owed = [OwedNotice(w.card, w.holder, p) for w, several in planned for p in several]
        written = owe(conn, owed, now, self.hint)
        card_store.advance(conn, instants)
        _raise_alarms(owed)
        due = _due(written.messages, now)
        return Checked(len(instants), written.reminders, len(written.messages), due)

    def _held_out(
        self, conn: Connection, decided: Sequence[tuple[Watched, Decision]]
    ) -> list[tuple[Watched, tuple[Planned, ...]]]:
        """What each card owes, where some holders of one book are not told early."""
        own = self.hold_out
        book = book_store.find(conn, own.book) if own and decided else None
        if own is None or book is None:
            return [(one, decision.planned) for one, decision in decided]
        return [
            (one, own.without(one.holder.id, decision.planned))
            if one.card.book_id == book
            else (one, decision.planned)
            for one, decision in decided
        ]


def _due(written: Mapping[int, NewMessage], now: datetime) -> dict[Channel, list[int]]:
    """What is due now, always in one order: what comes to nothing on both channels does so at one
    moment, and before the guardian is told."""
    found: dict[Destination, list[int]] = defaultdict(list)
    for message_id, message in written.items():
        if message.due_at <= now:
            found[told_by(message.channel, message.audience)].append(message_id)
    due: dict[Channel, list[int]] = {}
    for to in Destination:
        if to in found:
            due.setdefault(to.channel, []).extend(found[to])
    return due


@contextmanager
def _alone(one: Watched) -> Iterator[None]:
    """One card that breaks a rule must not silence its neighbours."""
    try:
        yield
    except (OperationalError, InterfaceError):
        raise  # the database's fault, not the card's
    except Exception:
        _alarm(one)


def _alarm(one: Watched) -> None:
    """The card stays due: its claim runs out, and it is tried again."""
    log.exception("alarm", cause="card_check_failed", card=one.card.id)


def _raise_alarms(owed: Iterable[OwedNotice]) -> None:
    for one in owed:
        planned = one.planned
        if planned.state is ReminderState.MISSED:
            after_commit(log.error)(
                "alarm",
                cause="reminder_missed",
                reason=planned.reason,
                card=one.card.id,
                window=planned.key.window,
                channel=planned.key.destination,
            )
