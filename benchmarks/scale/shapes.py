"""What the program itself decides of every kind of card that is filled in, worked out once each.

A shape is all that decides: kind, operator, the holder's language, the day on which the plan ends.
Some 23,000 of them stand for any number of cards.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from worker.core.cards import CARD_TIME_ZONE, Card, CardState, Holder, Kind, Language
from worker.core.reminders import ReminderState
from worker.core.rules import Rules

# 10:00 in Lima, an hour after windows opened; and the hour at which they open next.
NOW = datetime(2026, 6, 5, 15, 0, tzinfo=UTC)
MORNING = datetime(2026, 6, 6, 14, 0, tzinfo=UTC)
TODAY = date(2026, 6, 5)
WATCHED_SINCE = NOW - timedelta(days=200)

KINDS = tuple(Kind)
OPERATORS = ("claro", "movistar", "entel", "bitel")
LANGUAGES = tuple(Language)
# The days on which plans end, counted from today.
FIRST_END, ENDS = -10, 365
PLAN_DAYS = 365


@dataclass(frozen=True, slots=True)
class Shape:
    """``told``: rows of what such a card's holder was told by ``NOW``."""

    key: tuple[int, int, int, int]
    next_check_at: datetime | None
    told: tuple[dict[str, Any], ...]


def shapes(rules: Rules) -> Iterator[Shape]:
    """Every shape, as ``rules`` decide at ``NOW``."""
    for ahead in range(FIRST_END, FIRST_END + ENDS):
        for kind in range(len(KINDS)):
            for operator in range(len(OPERATORS)):
                for language in range(len(LANGUAGES)):
                    key = (kind, operator, language, ahead)
                    card, holder = _example(key)
                    decision = rules.evaluate(card, holder, NOW)
                    yield Shape(key, decision.next_check_at, tuple(_told(rules, card, holder)))


def _told(rules: Rules, card: Card, holder: Holder) -> Iterator[dict[str, Any]]:
    """The notices that a card watched all the while got, each when its window opened."""
    spans = {(span.deadline.kind, span.window.name): span for span in rules.spans(card, holder)}
    for planned in rules.evaluate(card, holder, NOW).planned:
        span = spans[planned.key.deadline, planned.key.window]  # type: ignore[index]
        ended = planned.state in (ReminderState.PENDING, ReminderState.MISSED)
        yield {
            "deadline": planned.key.deadline.value,
            "deadline_on": planned.key.on,
            "window": planned.key.window,
            "channel": planned.key.channel.value,
            "due_at": span.at,
            "useful_until": planned.useful_until,
            "state": (ReminderState.DELIVERED if ended else planned.state).value,
            "reason": None if ended else planned.reason,
        }


def _example(key: tuple[int, int, int, int]) -> tuple[Card, Holder]:
    kind, operator, language, ahead = key
    end = TODAY + timedelta(days=ahead)
    card = Card(
        id=1,
        book_id=1,
        holder_id=1,
        kind=KINDS[kind],
        operator=OPERATORS[operator],
        msisdn="+51900000001",
        iccid="8951000000000000001",
        plan="365 dias",
        plan_days=PLAN_DAYS,
        plan_end=end,
        last_topup=end - timedelta(days=PLAN_DAYS),
        balance=None,
        state=CardState.ACTIVE,
        time_zone=CARD_TIME_ZONE,
        watched_since=WATCHED_SINCE,
    )
    phone, email = "+51980000001", "holder1@example.com"
    return card, Holder(1, "Holder 1", LANGUAGES[language], CARD_TIME_ZONE, phone, email)
