"""Use case: what a person recorded of a card was a mistake, and nobody was told of it yet.

Messages are locked before the card, in the order of whoever sends them; and what is read before the
locks is read once more behind them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection, Engine

from worker.core.actor import Actor
from worker.core.life import LifeEvent
from worker.core.lifecycle import ENDS
from worker.core.reminders import UNDONE, WAITING, MessageState, Planned, ReminderState
from worker.core.rules import Rules
from worker.core.undo import Before, Recorded
from worker.errors import VigenciaError
from worker.pipeline import endings
from worker.pipeline.events import Check, anybody, lock
from worker.pipeline.owe import OwedNotice, owe
from worker.store import card_index, message_states, saves
from worker.store import cards as card_store
from worker.store import undo as undo_store
from worker.store.cards import Watched
from worker.store.committed import after_commit
from worker.store.engine import reading, writing
from worker.store.message_states import Held, MessageChange
from worker.store.reminders import key_of
from worker.store.undo import Carried

log = structlog.get_logger(__name__)

_TOLD = (MessageState.SENT, MessageState.DELIVERED)
_NO_URGENCY = (0, 0)


class UndoError(VigenciaError):
    """What was recorded last cannot be undone, or not any more."""

    code = "state"


@dataclass(frozen=True, slots=True)
class Undone:
    """The ``event`` that was taken back, and how many reminders wait again that it had ended."""

    event: str
    waiting: int


@dataclass(frozen=True, slots=True)
class Undoing:
    """Takes back the last event of a card as long as it is held back for that."""

    engine: Engine
    rules: Rules

    def look(self, card_id: int, now: datetime) -> Recorded | None:
        """The event that could be undone at ``now``. Changes nothing."""
        with reading(self.engine) as conn:
            found = undo_store.last(conn, card_id)
            return None if found is None or found.refusal(now) else found

    def undo(
        self, card_id: int, now: datetime, *, by: Actor | None = None, check: Check = anybody
    ) -> Undone:
        """Write back what was before the last event of the card, end what would have told of it,
        and let wait again what it had ended, if ``check`` raises nothing. Raises ``UndoError``; of
        two at once one does it."""
        with writing(self.engine) as conn:
            looked = undo_store.last(conn, card_id)
            held = _hold_messages(conn, looked)
            watched = lock(conn, card_id)
            check(conn, watched)
            found, before = _require(undo_store.last(conn, card_id), card_id, now)
            if looked is None or looked.id != found.id:
                raise _refused(card_id, "something else was recorded of it at the same moment")
            self._unsay(conn, card_id, before, held, now)
            card_store.change(conn, card_id, before.columns, now)
            if card_index.MADE_FROM.intersection(before.columns):
                card_index.renew(conn, self.rules, [card_id])
            waiting = self._bring_back(conn, watched, found, before, now)
            _take_back_counts(conn, card_id, found, before)
            undo_store.close(conn, found.id, now)
            detail = {"event": found.event, **(by.trail() if by else {})}
            card_store.add_events(
                conn, [{"card_id": card_id, "at": now, "event": UNDONE, "detail": detail}]
            )
            after_commit(log.info)("undone", card=card_id, undone=found.event)
            return Undone(found.event, waiting)

    def _unsay(
        self,
        conn: Connection,
        card_id: int,
        before: Before,
        held: Mapping[int, Held],
        now: datetime,
    ) -> None:
        """End what would have told of the event. Raises ``UndoError`` if it was handed over."""
        made = undo_store.carried(conn, before.made)
        letters = {row.reminder.message_id for row in made} - {None}
        if any(_is_told(row) for row in made) or not letters <= held.keys():
            raise _refused(card_id, "somebody is being told of it already, or has been")
        endings.count(undo_store.unsay(conn, before.made, UNDONE, now))
        # Of this event alone: a message is made for it, and nothing is added before its time.
        for id_, message in ((id_, held[id_]) for id_ in sorted(letters)):
            change: MessageChange = {
                "message": id_,
                "count": message.attempts,
                "state": MessageState.CANCELLED,
                "reason": UNDONE,
                "obstacle": None,
                "fault": None,
                "next_attempt_at": None,
            }
            message_states.set_states(conn, [change], expected=(message.state,))

    def _bring_back(
        self, conn: Connection, watched: Watched, found: Recorded, before: Before, now: datetime
    ) -> int:
        """What the event had ended waits again: where it was, or in messages of its own if that one
        has gone without it."""
        rows = [
            row
            for row in undo_store.carried(conn, list(before.ended))
            if row.reminder.state == ReminderState.SUPERSEDED
            and (row.reminder.reason, row.reminder.ended_at) == (found.event, found.at)
        ]
        stay = {row.reminder.id for row in rows if _still_carried(row, found.at)}
        anew = [
            row for row in rows if row.reminder.id not in stay and not _on_its_way(row, found.at)
        ]
        undo_store.revive(conn, {id_: before.ended[id_] for id_ in stay})
        undo_store.release(conn, [row.reminder.id for row in anew], UNDONE)
        after = card_store.load(conn, [watched.card.id])[watched.card.id]
        owed = owe(conn, [_again(after, row, before) for row in anew], now).ids
        # They are as old as before: what happened since then has still happened since.
        undo_store.date_back(conn, {row.reminder.id: row.reminder.created_at for row in anew})
        return len(stay) + len(owed)


def _hold_messages(conn: Connection, looked: Recorded | None) -> dict[int, Held]:
    """Lock the messages that tell of the event, and those of what it had ended."""
    if looked is None or looked.before is None:
        return {}
    rows = undo_store.carried(conn, [*looked.before.made, *looked.before.ended])
    return message_states.hold(conn, {row.reminder.message_id for row in rows} - {None})


def _take_back_counts(conn: Connection, card_id: int, found: Recorded, before: Before) -> None:
    """A renewal that was none is not counted, and one that is open again has not failed."""
    if found.event == LifeEvent.RENEWED:
        saves.remove(conn, card_id, found.at)
    reported = before.columns.get("renewed_at")
    if found.event == LifeEvent.RENEWAL_FAILED and isinstance(reported, datetime):
        saves.set_failed(conn, card_id, reported, failed=False)


def _require(found: Recorded | None, card_id: int, now: datetime) -> tuple[Recorded, Before]:
    if found is None:
        raise _refused(card_id, "nothing was recorded of it")
    if refusal := found.refusal(now):
        raise _refused(card_id, refusal)
    if found.before is None:
        raise ValueError(f"event {found.id} can be undone and does not tell what was before")
    return found, found.before


def _refused(card_id: int, why: str) -> UndoError:
    return UndoError(
        f"Card {card_id}: {why}.",
        f"See what happened with `vigencia cards show {card_id}`, and record what is true now.",
    )


def _is_told(row: Carried) -> bool:
    """Was the notice handed over, or may it have been?"""
    if row.reminder.state == ReminderState.SUPPRESSED and row.reminder.message_id is None:
        return False  # nobody could be told
    waits = row.reminder.state == ReminderState.PENDING and row.message_state in WAITING
    return not waits or row.tried is not None


def _still_carried(row: Carried, at: datetime) -> bool:
    """Will its message tell it? One that was tried since does not name it."""
    return row.message_state not in ENDS and (row.tried is None or row.tried <= at)


def _on_its_way(row: Carried, at: datetime) -> bool:
    """Was it handed over before the event, and taken?"""
    return row.message_state in _TOLD and row.tried is not None and row.tried <= at


def _again(after: Watched, row: Carried, before: Before) -> OwedNotice:
    own = row.reminder
    planned = Planned(
        key_of(own),
        own.due_at,
        own.useful_until,
        _NO_URGENCY,
        reason=before.ended[own.id],
        owed_at=own.owed_at,
    )
    return OwedNotice(after.card, after.holder, planned)
