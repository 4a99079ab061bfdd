"""What happens to cards while the demo runs: renewals, one without effect, a lost number, an
opt-out. Each goes through the same function as its command."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select

from worker.core.cards import Channel
from worker.core.life import Happening, LifeEvent
from worker.setup.app import App
from worker.store import suppressions
from worker.store.engine import reading, writing
from worker.store.tables import cards, holders

_RENEWED, _RENEWAL_DAYS = 6, 30


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happens at ``at``."""

    at: datetime
    happen: Callable[[datetime], None]


def incidents(app: App, start: datetime) -> list[Incident]:
    """The demo's incidents, earliest first, for the cards that are in the database."""
    first = start.date()
    ending = _ending(app, first + timedelta(days=5), first + timedelta(days=9))
    found: list[Incident] = []
    for number, (card, end) in enumerate(ending[:_RENEWED]):
        new_end = end + timedelta(days=_RENEWAL_DAYS)
        renewed = Happening(LifeEvent.RENEWED, plan_end=new_end)
        at = start + timedelta(days=3, hours=number)
        found.append(_life(app, at, card, renewed))
        if number > 0:  # nobody ever confirms the first
            confirmed = Happening(LifeEvent.CONFIRMED)
            found.append(_life(app, at + timedelta(hours=6), card, confirmed))
    for card, _ in ending[_RENEWED : _RENEWED + 1]:
        at = start + timedelta(days=6, hours=4)
        found.append(_life(app, at, card, Happening(LifeEvent.RECYCLED)))
    for phone in _phones(app)[:1]:
        found.append(Incident(start + timedelta(days=2, hours=4), _opt_out(app, phone)))
    return sorted(found, key=lambda incident: incident.at)


def _ending(app: App, first: date, last: date) -> list[tuple[int, date]]:
    """Cards whose plan ends in these days, with the day."""
    with reading(app.engine) as conn:
        rows = conn.execute(
            select(cards.c.id, cards.c.plan_end)
            .where(cards.c.plan_end.between(first, last))
            .order_by(cards.c.id)
        )
        return [(row.id, row.plan_end) for row in rows]


def _phones(app: App) -> list[str]:
    with reading(app.engine) as conn:
        rows = conn.execute(
            select(holders.c.contact_phone)
            .where(holders.c.contact_phone.is_not(None), holders.c.email.is_not(None))
            .order_by(holders.c.id)
        )
        return [str(phone) for phone in rows.scalars()]


def _life(app: App, at: datetime, card: int, what: Happening) -> Incident:
    def happen(now: datetime) -> None:
        app.life.record(card, what, now)

    return Incident(at, happen)


def _opt_out(app: App, phone: str) -> Callable[[datetime], None]:
    def happen(now: datetime) -> None:
        with writing(app.engine) as conn:
            suppressions.add(conn, Channel.SMS, {phone: "opted_out"}, now)

    return happen
