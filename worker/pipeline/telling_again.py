"""Use case: a keeper has a holder told once more of a deadline that was told already."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from worker.core.actor import Actor
from worker.core.addressing import reachable
from worker.core.cards import Channel, Destination
from worker.core.deadlines import Deadline, DeadlineKind
from worker.core.hours import local_day
from worker.core.reminders import WAITING, MessageState, ReminderState
from worker.core.rules import Rules
from worker.core.tell_again import MOST_A_DAY, again, is_again, last_told, next_window, refusal
from worker.core.tell_again import wanted as wanted_by
from worker.errors import VigenciaError
from worker.pipeline.events import Check, anybody, lock
from worker.pipeline.noting import Note, no_note
from worker.pipeline.owe import OwedNotice, owe
from worker.store import cards as card_store
from worker.store import message_states, recipients, told_before
from worker.store.cards import Watched
from worker.store.engine import writing
from worker.store.told_before import Earlier

_UNSETTLED = (MessageState.SENDING, MessageState.UNKNOWN)


class AgainError(VigenciaError):
    """It cannot be told again, or not now."""

    code = "state"


@dataclass(frozen=True, slots=True)
class Retold:
    """What is owed of one ``card`` from now on: its ``window`` of a ``deadline``, and where."""

    card: int
    deadline: DeadlineKind
    window: str
    channels: tuple[Channel, ...]


@dataclass(frozen=True, slots=True)
class ToldAgain:
    """The ``notices`` and the ids of the ``messages`` they are in. These go out as all do, so they
    may wait, or end untold."""

    notices: tuple[Retold, ...]
    messages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TellingAgain:
    """Owes one more reminder, ``again-1`` and so on, with the words that are true when it is sent.
    Raises ``AgainError``."""

    engine: Engine
    rules: Rules

    def card(
        self,
        card_id: int,
        now: datetime,
        *,
        deadline: DeadlineKind | None = None,
        channel: Channel | None = None,
        by: Actor | None = None,
        check: Check = anybody,
    ) -> ToldAgain:
        """Tell the holder of the card of ``deadline`` (default: the one that was told last), over
        ``channel`` (default: wherever the policy tells of it), if ``check`` raises nothing."""
        with writing(self.engine) as conn:
            watched = lock(conn, card_id)
            check(conn, watched)
            known = told_before.of_cards(conn, [card_id])
            step = self._step(watched, known, deadline)
            channels = [channel] if channel else [one.channel for one in self._ways(watched, step)]
            planned = self._planned(watched, step, channels, known, now)
            return _owe(conn, [planned], now, by)

    def message(
        self, message_id: int, now: datetime, *, by: Actor | None = None, note: Note = no_note
    ) -> ToldAgain:
        """Tell again, over the same channel, all that the message told of deadlines; nothing if one
        of its cards stands against it."""
        with writing(self.engine) as conn:
            note(conn)
            held = message_states.hold(conn, [message_id]).get(message_id)
            if held is None:
                raise AgainError(
                    f"There is no message {message_id}.", "List them with: vigencia messages list"
                )
            carried = told_before.of_message(conn, message_id)
            if not carried:
                raise AgainError(
                    f"Message {message_id} tells no holder of a deadline.",
                    "What happened to a card is told once; record it anew if it happened again.",
                )
            _require_settled(message_id, held.state)
            found = []
            for one in sorted(carried, key=lambda told: (told.card, told.known.id)):
                watched = lock(conn, one.card)
                key = one.known.key
                step = self._step(watched, [], DeadlineKind(key.deadline))
                if step.on != key.on:
                    raise _refused(one.card, f"its {step.kind} has moved to {step.on}")
                known = told_before.of_cards(conn, [one.card])
                found.append(self._planned(watched, step, [key.channel], known, now))
            return _owe(conn, found, now, by)

    def _step(
        self, watched: Watched, known: Collection[Earlier], deadline: DeadlineKind | None
    ) -> Deadline:
        card = watched.card
        if why := refusal(card):
            raise _refused(card.id, why)
        steps = self.rules.ladder(card)
        if deadline is not None:
            if deadline not in steps:
                raise _refused(card.id, f"it has no {deadline}")
            return steps[deadline]
        step = last_told([one.known for one in known], steps.values())
        if step is None:
            raise _refused(card.id, "nothing was told yet of the deadlines that it has")
        return step

    def _ways(self, watched: Watched, step: Deadline) -> list[Destination]:
        card, holder = watched.card, watched.holder
        ways = wanted_by(card, self.rules, step.kind) or [Destination.SMS, Destination.EMAIL]
        found = [to for to in ways if reachable(card, holder, to)]
        if not found:
            raise _refused(card.id, "its holder has no address there")
        return found

    def _planned(
        self,
        watched: Watched,
        step: Deadline,
        channels: Sequence[Channel],
        known: Collection[Earlier],
        now: datetime,
    ) -> tuple[Retold, list[OwedNotice]]:
        card, holder = watched.card, watched.holder
        same = [one for one in known if (one.known.key.deadline, one.known.key.on) == _key(step)]
        for one in same:
            if one.message is not None and one.message_state in _UNSETTLED:
                _require_settled(one.message, one.message_state)
            if one.known.key.channel in channels and _waits(one):
                raise _refused(
                    card.id,
                    f"message {one.message} has still to tell of it",
                    f"Have it tried at once: vigencia messages retry {one.message}",
                )
        _require_room(watched, known, now)
        window = next_window(one.known.key.window for one in same)
        notices = []
        for channel in channels:
            to = Destination(channel)
            if not reachable(card, holder, to):
                raise _refused(card.id, f"its holder has no address for {channel}")
            planned = again(step, window, to, card, holder, self.rules, now)
            if planned is None:
                raise _refused(card.id, f"by the time it may be told, {step.kind} is over")
            notices.append(OwedNotice(card, holder, planned))
        return Retold(card.id, step.kind, window, tuple(channels)), notices


def _owe(
    conn: Connection,
    planned: Sequence[tuple[Retold, list[OwedNotice]]],
    now: datetime,
    by: Actor | None,
) -> ToldAgain:
    """Owe it all at once, so that what one holder is told is one message."""
    owed = owe(conn, [one for _, several in planned for one in several], now)
    for notice, _ in planned:
        detail: dict[str, object] = {"deadline": notice.deadline, "window": notice.window}
        detail |= {"channels": list(notice.channels), **(by.trail() if by else {})}
        card_store.add_events(conn, recipients.trail([notice.card], "told_again", detail, now))
    return ToldAgain(tuple(notice for notice, _ in planned), tuple(owed.messages))


def _key(step: Deadline) -> tuple[DeadlineKind, object]:
    return step.kind, step.on


def _waits(one: Earlier) -> bool:
    return one.message_state in WAITING and one.known.state is ReminderState.PENDING


def _require_room(watched: Watched, known: Collection[Earlier], now: datetime) -> None:
    card = watched.card
    today = local_day(now, card.time_zone)
    told = {
        (one.known.key.deadline, one.known.key.on, one.known.key.window)
        for one in known
        if is_again(one.known.key.window) and local_day(one.created_at, card.time_zone) == today
    }
    if len(told) >= MOST_A_DAY:
        raise _refused(
            card.id, f"it was told again {len(told)} times today, and that is the most", "Tomorrow."
        )


def _require_settled(message: int, state: MessageState | None) -> None:
    """Nothing is told a second time of which nobody knows whether it was told."""
    if state is MessageState.UNKNOWN:
        raise AgainError(
            f"Message {message} is unknown: it may have been sent.",
            f"Say first whether it was: vigencia messages settle {message}",
        )
    if state is MessageState.SENDING:
        raise AgainError(f"Message {message} is being sent.", "Look again in a minute.")
    if state in WAITING:
        raise AgainError(
            f"Message {message} is {state}: it has still to be sent.",
            f"Have it tried at once: vigencia messages retry {message}",
        )


def _refused(card: int, why: str, hint: str = "") -> AgainError:
    return AgainError(
        f"Card {card}: {why}.", hint or f"Look at it with: vigencia cards show {card}"
    )
