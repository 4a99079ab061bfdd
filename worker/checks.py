"""Use case: check a batch of cards, write the reminders they owe, and put them into messages."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Engine

from worker.core.cards import Channel
from worker.core.hours import local_day
from worker.core.life import Happening, LifeEvent, happen
from worker.core.reminders import RENEWED, Planned, ReminderState
from worker.core.rules import Rules
from worker.core.windows import REMEMBERED, Decision, address_of
from worker.life import apply
from worker.store import books as book_store
from worker.store import cards as card_store
from worker.store import messages as message_store
from worker.store import receipts as receipt_store
from worker.store import reminders as ledger
from worker.store.cards import Watched
from worker.store.engine import writing
from worker.store.messages import NewMessage

log = structlog.get_logger(__name__)

# Who confirms a delivery on each channel, and how long ago that still shows that it works.
_CONFIRMING = {Channel.SMS: ("twilio",), Channel.EMAIL: ("sendgrid", "smtp")}
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
    ``silent``: whether guardians are told where no notice of a deadline is known to have arrived.
    """

    engine: Engine
    rules: Rules
    hint: timedelta
    silent: bool = False

    def run(self, ids: Sequence[int], now: datetime) -> Checked:
        """Check the cards ``ids`` at ``now`` in one transaction; repeating it changes nothing."""
        with writing(self.engine) as conn:
            watched = card_store.lock(conn, ids)
            since = (now - REMEMBERED).date()
            known = ledger.known(conn, [w.card.id for w in watched], since)
            heard = self._heard(conn, now)
            decided: list[tuple[Watched, Decision]] = []
            for one in watched:
                try:
                    decision = self.rules.evaluate(
                        one.card, one.holder, now, known.get(one.card.id, ()), heard
                    )
                except Exception:  # one card that breaks a rule must not silence its neighbours
                    log.exception("alarm", cause="card_check_failed", card=one.card.id)
                    continue
                if decision.lapsed:
                    one, decision = self._lapse(conn, one, now)
                if decision.closes:
                    what = Happening(LifeEvent.CLOSED)
                    apply(conn, self.rules, one, happen(one.card, what, now), now)
                    book_store.erase_if_done(conn, one.holder.id, now)
                decided.append((one, decision))
            return self._write(conn, decided, now)

    def _heard(self, conn: Connection, now: datetime) -> frozenset[Channel]:
        """The channels whose receipts do reach us: without them silence means nothing."""
        if not self.silent:
            return frozenset()
        last = {
            channel: receipt_store.last_confirmation(conn, providers)
            for channel, providers in _CONFIRMING.items()
        }
        return frozenset(channel for channel, at in last.items() if at and now - at <= _LATELY)

    def _lapse(self, conn: Connection, one: Watched, now: datetime) -> tuple[Watched, Decision]:
        """Nobody confirmed the renewal: tell the holder, and go on with the former deadlines."""
        what = Happening(LifeEvent.RENEWAL_NOT_EFFECTIVE)
        apply(conn, self.rules, one, happen(one.card, what, now), now)
        after = card_store.load(conn, [one.card.id])[one.card.id]
        known = ledger.known(conn, [one.card.id], (now - REMEMBERED).date())
        decision = self.rules.evaluate(after.card, after.holder, now, known.get(one.card.id, ()))
        return after, decision

    def _write(
        self, conn: Connection, decided: Sequence[tuple[Watched, Decision]], now: datetime
    ) -> Checked:
        stale = [reminder for _, decision in decided for reminder in decision.stale]
        ledger.end(conn, stale, ReminderState.SUPERSEDED, RENEWED, now)
        rows, messages = self._group(conn, decided, now)
        written = Counter(ledger.insert_new(conn, rows))
        card_store.advance(conn, {w.card.id: d.next_check_at for w, d in decided})
        due: dict[Channel, list[int]] = defaultdict(list)
        for message_id, message in messages.items():
            if message.due_at <= now and written[message_id]:
                due[message.channel].append(message_id)
        _raise_alarms(rows)
        return Checked(len(decided), written.total(), len(messages), dict(due))

    def _group(
        self, conn: Connection, decided: Sequence[tuple[Watched, Decision]], now: datetime
    ) -> tuple[list[dict[str, Any]], dict[int, NewMessage]]:
        """One message for each holder, channel, address and day; and the rows of all reminders."""
        rows: list[dict[str, Any]] = []
        groups: dict[tuple[Any, ...], list[tuple[Watched, Planned]]] = defaultdict(list)
        guardians: dict[int, int] = {}
        for watched, decision in decided:
            for planned in decision.planned:
                if planned.state is not ReminderState.PENDING:
                    rows.append(ledger.as_row(watched.card.id, planned, None, now))
                    continue
                channel, holder = planned.key.channel, watched.holder
                address = address_of(watched.card, holder, channel)
                day = local_day(planned.due_at, holder.time_zone)
                reader = holder.id
                if channel is Channel.GUARDIAN:  # one digest for all holders of the book
                    book = watched.card.book_id
                    if book not in guardians:
                        guardians[book] = book_store.guardian_of(conn, book, now)
                    reader = guardians[book]
                groups[reader, channel, address, day].append((watched, planned))
        new = [_message(reader, members) for (reader, *_), members in groups.items()]
        ids = message_store.create(conn, new, now, self.hint)
        for message_id, members in zip(ids, groups.values(), strict=True):
            rows += [ledger.as_row(w.card.id, planned, message_id, now) for w, planned in members]
        return rows, dict(zip(ids, new, strict=True))


def _message(reader: int, members: Sequence[tuple[Watched, Planned]]) -> NewMessage:
    """A message to ``reader``: due with its first reminder, useful as long as its last."""
    watched, planned = members[0]
    return NewMessage(
        book_id=watched.card.book_id,
        holder_id=reader,
        channel=planned.key.channel,
        due_at=min(p.due_at for _, p in members),
        useful_until=max(p.useful_until for _, p in members),
    )


def _raise_alarms(rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        if row["state"] is ReminderState.MISSED:
            log.error(
                "alarm",
                cause="reminder_missed",
                reason=row["reason"],
                card=row["card_id"],
                window=row["window"],
                channel=row["channel"],
            )
