"""Use case: what a keeper decides about a message that has not ended."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Connection, Engine

from worker.core.actor import Actor
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.reminders import WAITING, MessageState, ReminderState
from worker.core.retry import Next, RetryPolicy
from worker.errors import VigenciaError
from worker.pipeline import endings
from worker.pipeline.delivery.results import Taken, sent
from worker.pipeline.noting import Note, no_note
from worker.pipeline.receipts.settling import end, give_up, settle
from worker.store import cards as card_store
from worker.store import message_states, outbox, recipients
from worker.store.committed import after_commit
from worker.store.engine import writing
from worker.store.unknowns import Unknown, unknowns

log = structlog.get_logger(__name__)

CANCELLED: Final = "cancelled_by_keeper"
NOT_SENT: Final = "settled:not_sent"


class DecisionError(VigenciaError):
    """The message is not where this can be decided of it."""

    code = "state"


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a person does to a message, ``by`` name in the trail of its cards, with a ``note`` of
    the door that he came in by. Each raises ``DecisionError`` for a message that is not there, or
    is in another state, also where it changed a moment ago."""

    engine: Engine
    retry: RetryPolicy

    def retry_now(
        self, message: int, now: datetime, *, by: Actor | None = None, note: Note = no_note
    ) -> MessageState:
        """Look at a waiting message at the next tick instead of at its time. Hours, caps, pace and
        breakers hold as ever, so that it may go on waiting; returns where it is."""
        with writing(self.engine) as conn:
            note(conn)
            state = _require(conn, message, WAITING, "tried now")
            message_states.look_now(conn, message, now)
            _trail(conn, message, "message_retried", now, by)
            after_commit(log.info)("message_retried", message=message, state=state)
        return state

    def cancel(
        self, message: int, now: datetime, *, by: Actor | None = None, note: Note = no_note
    ) -> int:
        """Never send a waiting message; returns how many notices end with it.

        They end as suppressed, with the reason ``cancelled_by_keeper``, and are not owed again. The
        same notice over the other channel is a message of its own.
        """
        with writing(self.engine) as conn:
            note(conn)
            state = _require(conn, message, WAITING, "cancelled")
            [outgoing] = outbox.load(conn, [message])
            waiting = [item.id for item in outgoing.items]
            endings.end(conn, waiting, ReminderState.SUPPRESSED, CANCELLED, now)
            cancelled = Next(MessageState.CANCELLED, None, CANCELLED)
            change = message_states.becomes(message, outgoing.attempts, cancelled)
            message_states.set_states(conn, [change], expected=(state,))
            _trail(conn, message, "message_cancelled", now, by)
            after_commit(log.info)("message_cancelled", message=message, reminders=len(waiting))
        return len(waiting)

    def settle(
        self,
        message: int,
        now: datetime,
        *,
        was_sent: bool,
        by: Actor | None = None,
        note: Note = no_note,
    ) -> MessageState:
        """Say of an unknown message whether it ``was_sent``, as the provider's own console shows;
        returns where it is then.

        What was not sent is sent again, once, as after any failure; where its notices have lost
        their use meanwhile they are missed.
        """
        with writing(self.engine) as conn:
            note(conn)
            _require(conn, message, (MessageState.UNKNOWN,), "settled")
            one = _unknown(conn, message)
            state = self._settled(conn, one, now, was_sent=was_sent)
            _trail(conn, message, "message_settled", now, by, was_sent=was_sent)
            after_commit(log.info)("message_settled", message=message, state=state)
        return state

    def _settled(
        self, conn: Connection, one: Unknown, now: datetime, *, was_sent: bool
    ) -> MessageState:
        outgoing = one.outgoing
        if was_sent:
            name = f"attempt-{one.attempt}"  # the provider has one of its own, which nobody told us
            end(conn, one, accepted(name), now)
            reader = outgoing.audience
            taken = Taken(outgoing.id, outgoing.channel, name, one.started_at, reader)
            sent(conn, [taken], self.retry, begun=one.started_at)
            return MessageState.SENT
        end(conn, one, Outcome(OutcomeKind.NOT_SENT, NOT_SENT), now)
        if now >= outgoing.useful_until:
            return give_up(conn, one, "not_sent_in_time", now)
        return settle(conn, one, MessageState.RETRYABLE, NOT_SENT, now)


def _require(
    conn: Connection, message: int, states: Collection[MessageState], wanted: str
) -> MessageState:
    """Lock the message; its state, which must be one of ``states``."""
    found = message_states.hold(conn, [message]).get(message)
    if found is None:
        raise DecisionError(
            f"There is no message {message}.", "List them with: vigencia messages list"
        )
    if found.state not in states:
        raise DecisionError(
            f"Message {message} is {found.state}: only one that is {' or '.join(states)} can be "
            f"{wanted}.",
            f"Look at it with: vigencia messages show {message}",
        )
    return found.state


def _trail(
    conn: Connection, message: int, event: str, now: datetime, by: Actor | None, **more: object
) -> None:
    """What was decided stands in the trail of every card that the message tells of."""
    detail = {"message": message, **more, **(by.trail() if by else {})}
    cards = recipients.cards_of_message(conn, message)
    card_store.add_events(conn, recipients.trail(cards, event, detail, now))


def _unknown(conn: Connection, message: int) -> Unknown:
    for channel in Channel:
        if found := unknowns(conn, channel, [message]):
            return found[0]
    raise DecisionError(
        f"Message {message} has no attempt that could be settled.",
        "Wait: what is unknown is looked up at its provider, or given up in time.",
    )
