"""What a batch changes, gathered and written in a few statements however large the batch is."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import Connection

from worker.core.recheck import Item
from worker.core.reminders import WAITING, MessageState, Obstacle, ReminderState
from worker.core.retry import Next
from worker.pipeline import endings
from worker.pipeline.delivery.fallback import fall_back, reroute, split
from worker.store import message_states
from worker.store.committed import after_commit
from worker.store.message_states import MessageChange
from worker.store.outbox import OutgoingMessage

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Writes:
    """The ends of reminders, what goes over to others, and the next states of messages."""

    _ends: dict[tuple[ReminderState, str], list[int]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _over: list[tuple[OutgoingMessage, Sequence[Item]]] = field(default_factory=list)
    _rerouted: list[tuple[OutgoingMessage, Sequence[Item]]] = field(default_factory=list)
    _split: list[tuple[OutgoingMessage, Sequence[Item]]] = field(default_factory=list)
    _states: list[MessageChange] = field(default_factory=list)

    def end(self, item: Item, state: ReminderState, reason: str) -> None:
        """End a reminder; one that is missed raises the alarm."""
        self._ends[state, reason].append(item.id)
        if state is ReminderState.MISSED:
            after_commit(log.error)(
                "alarm", cause="reminder_missed", reason=reason, reminder=item.id
            )

    def go_over(self, outgoing: OutgoingMessage, items: Sequence[Item]) -> None:
        """Owe these on the other channel, or tell the guardian; they end here."""
        if items:
            self._over.append((outgoing, items))

    def reroute(self, outgoing: OutgoingMessage, items: Sequence[Item]) -> None:
        """Move these into messages of their own."""
        if items:
            self._rerouted.append((outgoing, items))

    def split(self, outgoing: OutgoingMessage, items: Sequence[Item]) -> None:
        """Move these into another message to the same reader: this one does not name them."""
        if items:
            self._split.append((outgoing, items))

    def cancel(self, outgoing: OutgoingMessage, reason: str) -> None:
        """The message is never sent."""
        self.settle(outgoing, Next(MessageState.CANCELLED, None, reason))

    def wait(
        self, outgoing: OutgoingMessage, obstacle: Obstacle, reason: str, again: datetime
    ) -> None:
        """The message waits for ``obstacle``, and is looked at ``again`` then."""
        self.settle(outgoing, Next(MessageState.PENDING, again, reason, obstacle))

    def settle(self, outgoing: OutgoingMessage, following: Next) -> None:
        """The message is not sent now, but goes on as ``following``."""
        self._states.append(message_states.becomes(outgoing.id, outgoing.attempts, following))

    def flush(self, conn: Connection, now: datetime) -> None:
        """Write it all. What goes over comes after all ends: only then is known what is lost."""
        for (state, reason), ids in self._ends.items():
            endings.end(conn, ids, state, reason, now)
        for outgoing, items in self._over:
            fall_back(conn, outgoing, items, now)
        for outgoing, items in self._rerouted:
            reroute(conn, outgoing, items, now)
        for outgoing, items in self._split:
            split(conn, outgoing, items, now)
        message_states.set_states(conn, self._states, expected=WAITING)
