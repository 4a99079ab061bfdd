"""What the demo tells: totals, a table by day, one text per language and channel."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from worker.core.cards import CARD_TIME_ZONE, Audience, Channel, Destination, Language, told_by
from worker.core.hours import local_day
from worker.core.reminders import ReminderState
from worker.core.routes import Routes
from worker.store.tables import attempts, cards, holders, messages, reminders


@dataclass(frozen=True, slots=True)
class Day:
    """One day in Lima: messages sent by channel, calls that had to be repeated or settled."""

    day: date
    sms: int
    email: int
    troubled: int


def totals(conn: Connection) -> dict[str, Any]:
    """The counts of the ledger, by the names of the demo's JSON document."""
    states = Counter(dict(_pairs(conn, reminders.c.state)))
    tries = conn.execute(select(func.count()).select_from(attempts)).scalar() or 0
    tried = conn.execute(select(func.count(attempts.c.message_id.distinct()))).scalar() or 0
    return {
        "cards": conn.execute(select(func.count()).select_from(cards)).scalar(),
        "reminders": {
            state.value: states[state]
            for state in ReminderState
            if state is not ReminderState.PENDING or states[state]
        },
        "messages": conn.execute(select(func.count()).select_from(messages)).scalar(),
        "attempts": tries,
        "retries": tries - tried,
    }


def by_day(conn: Connection, since: datetime) -> list[Day]:
    """A line for each day since then on which something was sent."""
    days: dict[date, Counter[str]] = defaultdict(Counter)
    rows = conn.execute(
        select(attempts.c.started_at, attempts.c.outcome, messages.c.channel, messages.c.audience)
        .join(messages, messages.c.id == attempts.c.message_id)
        .where(attempts.c.started_at >= since)
    )
    for row in rows:
        day = local_day(row.started_at, CARD_TIME_ZONE)
        to = told_by(row.channel, row.audience)
        days[day][to if row.outcome == "accepted" else "troubled"] += 1
    return [
        Day(day, counts[Destination.SMS], counts[Destination.EMAIL], counts["troubled"])
        for day, counts in sorted(days.items())
    ]


def samples(conn: Connection, routes: Routes) -> list[dict[str, Any]]:
    """One SMS and one email in each language, as they were sent."""
    found: list[dict[str, Any]] = []
    for language in Language:
        for channel in (Channel.SMS, Channel.EMAIL):
            row = next(iter(_sent_in(conn, routes, language, channel)), None)
            if row is not None:
                sample = {"language": language.value, "channel": channel.value, "text": row.body}
                extra = {"subject": row.subject, "segments": row.segments}
                found.append(sample | {k: v for k, v in extra.items() if v is not None})
    return found


def _sent_in(
    conn: Connection, routes: Routes, language: Language, channel: Channel
) -> Iterator[Any]:
    """Messages to readers of ``language``, but for SMS whose route asked for another one."""
    rows = conn.execute(
        select(messages.c.subject, messages.c.body, messages.c.segments, attempts.c.address)
        .join(holders, holders.c.id == messages.c.holder_id)
        .join(attempts, attempts.c.message_id == messages.c.id)
        .where(
            holders.c.language == language,
            messages.c.channel == channel,
            messages.c.audience == Audience.HOLDER,
        )
        .order_by(messages.c.id)
    )
    for row in rows:
        if channel is Channel.EMAIL or routes.route(row.address).language_for(language) is language:
            yield row


def _pairs(conn: Connection, column: Any) -> Sequence[tuple[str, int]]:
    return [(row[0], row[1]) for row in conn.execute(select(column, func.count()).group_by(column))]
