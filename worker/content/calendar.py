"""The calendar file of an email: what its cards lose and when, as entries for a calendar."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from worker.content.languages import SPEECH
from worker.core.cards import Card, Destination, Holder, Language
from worker.core.deadlines import Deadline, DeadlineKind, end_of_day
from worker.core.hours import Hours, local_day
from worker.core.icalendar import Entry, Publisher, publish
from worker.core.life import LifeNotice
from worker.core.masking import last_four
from worker.core.recheck import Item
from worker.core.rules import Rules

# The last minute in which a card is still safe: 23:59 where its operator counts.
_LAST: Final = timedelta(minutes=1)
_EPOCH: Final = datetime(2020, 1, 1, tzinfo=UTC)


def calendar(
    items: Sequence[Item], holder: Holder, by: Publisher, rules: Rules, now: datetime
) -> str | None:
    """The calendar file for an email that tells ``holder`` of ``items`` at ``now``; ``None`` where
    it speaks of no deadline that is still ahead.

    Each deadline ahead is one entry. A renewal moves the end of the plan, and every other deadline
    that an email has told before (``Item.dated``); one of these that is no more is cancelled.
    """
    found = {entry.uid: entry for entry in _entries(items, holder, by, rules, now)}
    return publish(list(found.values()), by, holder.language, now) if found else None


def _entries(
    items: Iterable[Item], holder: Holder, by: Publisher, rules: Rules, now: datetime
) -> Iterator[Entry]:
    for item in items:
        card = item.card
        for kind, told in _deadlines(item):
            deadline = rules.ladder(card).get(kind)
            meant = deadline or _former(card, kind, told)
            if meant is None:
                continue
            at = meant.begins.astimezone(UTC) - _LAST
            if deadline is None or at > now:
                yield Entry(
                    uid=_uid(card, kind, by),
                    sequence=_revision(card),
                    at=at,
                    summary=summary(card, kind, rules, holder.language),
                    alarm=_alarm(at, holder.time_zone, rules.hours, now),
                    cancelled=deadline is None,
                )


def _former(card: Card, kind: DeadlineKind, told: date | None) -> Deadline | None:
    return Deadline(kind, told, end_of_day(told, card.time_zone)) if told else None


def _deadlines(item: Item) -> Iterator[tuple[DeadlineKind, date | None]]:
    """What the email of an item says of deadlines, each with the day that was told before."""
    subject = item.key.deadline
    if item.key.destination is not Destination.EMAIL:
        return
    if isinstance(subject, DeadlineKind):
        yield subject, None
    elif subject is LifeNotice.RENEWAL_RECORDED:
        told: dict[DeadlineKind, date | None] = {DeadlineKind.PLAN_END: None, **dict(item.dated)}
        yield from told.items()


def summary(card: Card, kind: DeadlineKind, rules: Rules, language: Language) -> str:
    """What ends, and of which card: "Claro …5678: plan ends"."""
    tail = last_four(card.msisdn, card.iccid)
    own = SPEECH[language]
    named = rules.pack(card.operator).name + (own.tail.format(tail=tail) if tail else "")
    return own.entry.format(card=named, what=own.losses[kind])


def _uid(card: Card, kind: DeadlineKind, by: Publisher) -> str:
    """The same for all emails about one deadline of a card, whatever its date; made of our own ids
    alone, so that it tells no number. The sender's domain keeps installations apart."""
    mark = hashlib.sha256(f"vigencia calendar {card.id} {kind}".encode()).hexdigest()[:32]
    return f"{mark}@{by.address.rpartition('@')[2]}"


def _revision(card: Card) -> int:
    """Grows whenever the dates of a card change, also back to what they were: the seconds at which
    we learned of them."""
    return int((card.watched_since - _EPOCH).total_seconds())


def _alarm(at: datetime, time_zone: str, hours: Hours, now: datetime) -> timedelta | None:
    """How long before ``at`` a calendar rings: when the reader's day before it opens, or the same
    day if that is over; never amid the night."""
    last = local_day(at, time_zone)
    openings = (hours.opening(day, time_zone) for day in (last - timedelta(days=1), last))
    return next((at - one for one in openings if now < one < at), None)
