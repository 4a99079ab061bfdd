"""Use case: "it works" and "it does not work", said through the links of a notice of a renewal."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine

from worker.core.actor import HOLDER
from worker.core.cards import Language
from worker.core.life import QUESTIONS, Happening, LifeEvent
from worker.core.life_effects import happen
from worker.core.rules import Rules
from worker.pipeline.answers.found import Found, find
from worker.pipeline.answers.view import State, View, names
from worker.pipeline.events import apply
from worker.store import cards as card_store
from worker.store import recipients
from worker.store.engine import reading, writing

# After one of these a notice of a renewal asks about something that is over.
_OVER: Final = ("renewed", "confirmed", "renewal_failed", "recycled", "reassigned", "closed")


@dataclass(frozen=True, slots=True)
class RenewalAnswers:
    """Every method takes the id of a reminder from a verified token and the answer, ``CONFIRMED``
    or ``RENEWAL_FAILED``; ``None``: there is nothing behind it any more, or the card belongs to
    somebody else now."""

    engine: Engine
    rules: Rules

    def look(self, reminder_id: int, answer: LifeEvent, now: datetime) -> View | None:
        """What the answer would mean, or why there is nothing to answer. Changes nothing."""
        with reading(self.engine) as conn:
            found = find(conn, reminder_id, QUESTIONS)
            return self._view(conn, found, answer) if found else None

    def say(self, reminder_id: int, answer: LifeEvent, now: datetime) -> View | None:
        """Do what `vigencia cards confirm` or `vigencia cards fail` does, once."""
        with writing(self.engine) as conn:
            found = find(conn, reminder_id, QUESTIONS, lock=True)
            if found is None:
                return None
            view = self._view(conn, found, answer)
            if view.state is not State.ASK:
                return view
            row, watched = found
            effect = happen(watched.card, Happening(answer), now)
            apply(conn, self.rules, watched, effect, now, by=HOLDER)
            detail = {"answer": answer, "source": "link", "reminder": row.id}
            events = recipients.trail([row.card_id], "holder_answered", detail, now)
            card_store.add_events(conn, events)
            after = card_store.load(conn, [row.card_id])[row.card_id].card
            return replace(view, state=State.DONE, ends_on=after.plan_end)

    def _view(self, conn: Connection, found: Found, answer: LifeEvent) -> View:
        """A renewal that was answered for already says so; whatever else ended it, its date holds
        no longer."""
        row, watched = found
        card = watched.card
        over = recipients.last_event(conn, card.id, _OVER, row.told_at)
        if over in (LifeEvent.CONFIRMED, LifeEvent.RENEWAL_FAILED):
            state = State.ALREADY if over == answer else State.OTHERWISE
        elif over is None and card.is_renewal_open and not card.paused:
            state = State.ASK
        else:
            state = State.UNTRUE
        return View(
            state,
            Language(row.language),
            names(conn, self.rules, [card.id]),
            signature=watched.signature,
            ends_on=card.plan_end if over == LifeEvent.CONFIRMED else None,
            renewal=row.id,
        )
