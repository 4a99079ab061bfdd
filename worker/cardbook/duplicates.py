"""Rows that are the same card: where they contradict each other, none of them can be trusted."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from worker.cardbook.cells import Cell, shortened
from worker.cardbook.grid import Row
from worker.cardbook.rows import CardRow, Problem
from worker.cardbook.wording import rows_named

_NOT_DIGITS = re.compile("[^0-9]+")
# Enough of a number to tell two apart, however its country code or check digit is written.
_TELLING = {"msisdn": slice(-9, None), "iccid": slice(0, 18)}
_NAMES = {"plan_end": "plan end", "last_topup": "last top-up", "contact_phone": "contact phone"}


def suspects(rows: Sequence[Row], places: Mapping[str, int]) -> set[int]:
    """The rows whose number may stand in another one too: their cells are worth keeping."""
    found: set[int] = set()
    for name, part in _TELLING.items():
        place = places.get(name)
        if place is None:
            continue
        first: dict[str, int] = {}
        for number, cells in rows:
            key = _key(cells[place], part) if place < len(cells) else ""
            before = first.setdefault(key, number) if key else number
            if before != number:
                found.update((before, number))
    return found


def _key(cell: Cell, part: slice) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return _NOT_DIGITS.sub("", str(cell))[part] if cell is not None else ""


@dataclass(slots=True)
class Numbers:
    """The rows of each number met so far."""

    rows: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, row: int, msisdn: str | None, iccid: str | None) -> None:
        """Keep what a row says its card is."""
        for name, value in (("iccid", iccid), ("msisdn", msisdn)):
            if value is not None:
                self.rows[name, value].append(row)

    def problems(
        self, cards: Mapping[int, CardRow], headers: Mapping[str, str]
    ) -> Iterator[Problem]:
        """The errors of rows that repeat a card. Of rows that say the same the first is kept."""
        told: set[int] = set()
        for (name, value), several in self.rows.items():
            if len(several) < 2 or told.issuperset(several):
                continue
            wrong = several[1:] if _alike(several, cards) else several
            words = _words(several, name, value, cards)
            for row in wrong:
                if row not in told:
                    yield Problem(row, headers[name], "duplicate", *words)
            told.update(several)


def _alike(rows: Iterable[int], cards: Mapping[int, CardRow]) -> bool:
    found = [cards.get(row) for row in rows]
    first = found[0]
    return first is not None and all(
        card is not None and replace(card, row=first.row) == first for card in found
    )


def _words(
    rows: Sequence[int], name: str, value: str, cards: Mapping[int, CardRow]
) -> tuple[str, str]:
    which = f"{rows_named(rows)} are the same card: {name} {shortened(value)}"
    different = _different([card for row in rows if (card := cards.get(row))])
    if _alike(rows, cards):
        return which, "delete all but one of them"
    with_ = f", with another {' and '.join(different[:3])}" if different else ""
    return which + with_, "keep the row that is right, and delete the others"


def _different(cards: Sequence[CardRow]) -> list[str]:
    names = [name for name in CardRow.__dataclass_fields__ if name != "row"]
    return [
        _NAMES.get(name, name) for name in names if len({getattr(card, name) for card in cards}) > 1
    ]
