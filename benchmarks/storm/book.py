"""The storm's card books: holders all around the world, so that something is due at every hour."""

import random
from collections.abc import Iterator
from datetime import date, timedelta

from worker.cardbook.rows import CardBook, CardRow
from worker.core.cards import Kind, Language

_ZONES = (
    "America/Lima", "Asia/Shanghai", "Europe/Madrid", "America/New_York", "Asia/Taipei",
    "America/Los_Angeles", "Asia/Dubai", "Australia/Sydney", "Africa/Lagos", "Asia/Kolkata",
    "Pacific/Auckland", "Atlantic/Azores", "Pacific/Honolulu", "Asia/Karachi", "Europe/Moscow",
    "America/Sao_Paulo",
)  # fmt: skip
_OPERATORS = ("claro", "movistar", "entel", "bitel")
# Ranges that are nobody's: the sandbox asks only for E.164.
PREFIXES = ("+519000", "+861990000", "+1555010", "+346000")


# Beside the large book: what befalls one of many must not be what befalls the only one.
SMALL = (1, 3, 20)
# Numbers of their holders and cards begin here, behind all of the large book.
_SMALL_FROM = 90_000


def card_books(cards: int, first_day: date, seed: int) -> Iterator[tuple[str, CardBook]]:
    """One book of ``cards`` cards, and small ones, each with its name; of all a good part has a
    window that opens on ``first_day``."""
    source = random.Random(seed)
    yield "storm", _book("storm", cards, first_day, source, 0)
    for number, size in enumerate(SMALL):
        name, first = f"storm-{size}", _SMALL_FROM + 1000 * number
        yield name, _book(name, size, first_day, source, first)


def _book(name: str, cards: int, first_day: date, source: random.Random, first: int) -> CardBook:
    rows = tuple(_rows(cards, first_day, source, first))
    return CardBook(name, None, None, {}, len(rows), rows, ())


def _rows(cards: int, first_day: date, source: random.Random, first: int) -> Iterator[CardRow]:
    holder = first
    while True:
        holder += 1
        zone = source.choice(_ZONES)
        language = source.choice(list(Language))
        phone = f"{source.choice(PREFIXES)}{holder:05d}" if source.random() < 0.85 else None
        email = f"holder{holder}@example.com" if phone is None or source.random() < 0.8 else None
        for _ in range(source.choice((1, 1, 1, 2, 3))):
            if cards == 0:
                return
            end = first_day + timedelta(days=source.choice((-1, 0, 0, 1, 1, 3, 7, 7, 7, 20)))
            yield CardRow(
                row=cards,
                msisdn=f"+519{1000 * first + cards:08d}",
                iccid=None,
                imsi=None,
                operator=source.choice(_OPERATORS),
                kind=source.choice(list(Kind)),
                plan="30 dias",
                plan_days=30,
                plan_end=end,
                last_topup=end - timedelta(days=30),
                balance=None,
                holder=f"Holder {holder}",
                email=email,
                contact_phone=phone,
                language=language,
                time_zone=zone,
                note=None,
            )
            cards -= 1
