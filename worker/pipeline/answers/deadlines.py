"""Use case: "I have topped up" and "remind me tomorrow", said through the link of a notice."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row

from worker.core.actor import HOLDER
from worker.core.cards import CardState, Language
from worker.core.deadlines import DeadlineKind
from worker.core.hours import local_day
from worker.core.life import Happening, LifeEvent, LifeNotice
from worker.core.life_effects import happen
from worker.core.remind_tomorrow import Again, tomorrow
from worker.core.rules import Rules
from worker.pipeline.answers.found import Found, find
from worker.pipeline.answers.view import State, View, names
from worker.pipeline.events import apply
from worker.pipeline.owe import OwedNotice, owe
from worker.store import cards as card_store
from worker.store import recipients
from worker.store import reminders as ledger
from worker.store.cards import Watched
from worker.store.engine import reading, writing

# The furthest plan end that can be meant; beyond it somebody has mistyped the year.
_FURTHEST = timedelta(days=800)
_DEADLINES = frozenset(DeadlineKind)
_ALIVE = (CardState.ACTIVE, CardState.SUSPENDED)


@dataclass(frozen=True, slots=True)
class Answers:
    """Every method takes the id of a reminder from a verified token; ``None``: there is nothing
    behind it any more, or the card belongs to somebody else now. ``look…`` changes nothing."""

    engine: Engine
    rules: Rules

    def look_renewed(self, reminder_id: int, now: datetime) -> View | None:
        """What recording a renewal asks for, or why there is nothing to record."""
        with reading(self.engine) as conn:
            found = find(conn, reminder_id, _DEADLINES)
            return self._renewable(conn, found, now) if found else None

    def renewed(self, reminder_id: int, plan_end: date | None, now: datetime) -> View | None:
        """Do what `vigencia cards renew` does; a card without a plan needs no ``plan_end``."""
        with writing(self.engine) as conn:
            found = find(conn, reminder_id, _DEADLINES, lock=True)
            if found is None:
                return None
            view = self._renewable(conn, found, now)
            if view.state is not State.ASK:
                return view
            row, watched = found
            if view.needs_end and not _can_be(plan_end, local_day(now, watched.card.time_zone)):
                return replace(view, state=State.WRONG)
            what = Happening(LifeEvent.RENEWED, plan_end=plan_end if view.needs_end else None)
            effect = happen(watched.card, what, now)
            apply(conn, self.rules, watched, effect, now, by=HOLDER)
            _trail(conn, row, "renewed", now)
            asked = _question_of(conn, watched)
            return replace(view, state=State.DONE, ends_on=what.plan_end, renewal=asked)

    def look_tomorrow(self, reminder_id: int, now: datetime) -> View | None:
        """Whether there can be one more reminder tomorrow, or will be one anyway."""
        with reading(self.engine) as conn:
            found = find(conn, reminder_id, _DEADLINES)
            return self._again(conn, found, now)[0] if found else None

    def tomorrow(self, reminder_id: int, now: datetime) -> View | None:
        """Owe one more reminder of the same deadline tomorrow, on the same channel, once."""
        with writing(self.engine) as conn:
            found = find(conn, reminder_id, _DEADLINES, lock=True)
            if found is None:
                return None
            view, again = self._again(conn, found, now)
            if view.state is not State.ASK:
                return view
            row, watched = found
            if not owe(
                conn, [OwedNotice(watched.card, watched.holder, again.planned)], now
            ).reminders:
                return replace(view, state=State.ALREADY)
            _trail(conn, row, "tomorrow", now)
            return replace(view, state=State.DONE)

    def _renewable(self, conn: Connection, found: Found, now: datetime) -> View:
        row, watched = found
        card, ends_on = watched.card, watched.card.plan_end
        if card.plan_end and card.plan_days and not card.renewed_at:
            start = max(card.plan_end, local_day(now, card.time_zone))
            ends_on = start + timedelta(days=card.plan_days)
        state = State.ASK if self._holds(found) else State.UNTRUE
        return View(
            State.ALREADY if card.renewed_at else state,
            Language(row.language),
            names(conn, self.rules, [card.id]),
            needs_end=card.plan_end is not None,
            ends_on=ends_on,
            plan_days=card.plan_days,
            signature=watched.signature,
            renewal=_question_of(conn, watched) if card.renewed_at else None,
        )

    def _again(self, conn: Connection, found: Found, now: datetime) -> tuple[View, Again]:
        row, watched = found
        card = watched.card
        again = tomorrow(ledger.key_of(row), card, watched.holder, self.rules, now)
        key = again.planned.key
        known = ledger.known(conn, [card.id], key.on).get(card.id, [])
        if card.paused or card.renewed_at or not self._holds(found):
            state = State.UNTRUE
        elif again.too_late:
            state = State.TOO_LATE
        elif again.regular or any(k.key == key and not k.revivable for k in known):
            state = State.ALREADY
        else:
            state = State.ASK
        cards = names(conn, self.rules, [card.id])
        view = View(state, Language(row.language), cards, on=again.on, signature=watched.signature)
        return view, again

    def _holds(self, found: Found) -> bool:
        """Is the deadline that the reminder told of still that of the card?"""
        row, watched = found
        step = self.rules.ladder(watched.card).get(DeadlineKind(row.deadline))
        alive = watched.card.state in _ALIVE
        return alive and step is not None and step.on == row.deadline_on


def _question_of(conn: Connection, watched: Watched) -> int | None:
    """The notice of the renewal that was just reported, which asks whether it works."""
    card = watched.card
    notice = LifeNotice.RENEWAL_RECORDED
    return recipients.last_notice(conn, card.id, notice, watched.holder.id)


def _can_be(plan_end: date | None, today: date) -> bool:
    return plan_end is not None and today <= plan_end <= today + _FURTHEST


def _trail(conn: Connection, row: Row[Any], answer: str, now: datetime) -> None:
    detail = {"answer": answer, "source": "link", "reminder": row.id}
    events = recipients.trail([row.card_id], "holder_answered", detail, now)
    card_store.add_events(conn, events)
