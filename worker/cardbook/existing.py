"""The cards a book has in the store: which row of a file means which, and which none means."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from worker.cardbook.cells import shortened
from worker.cardbook.changes import WATCHED
from worker.cardbook.rows import CardRow


@dataclass(frozen=True, slots=True)
class Missing:
    """A card that is watched and in no row of the file; ``number`` is ``…1234``."""

    id: int
    operator: str
    number: str


class Existing:
    """The cards of a book, found by ICCID, else by number (a chip that was replaced), but not by
    the number of a chip that another row of the file names.

    ``named``: numbers and ICCIDs of rows that were refused; their cards are not missing.
    """

    def __init__(
        self, cards: Sequence[Row[Any]], rows: Sequence[CardRow], named: Collection[str] = ()
    ) -> None:
        chips = {row.iccid for row in rows if row.iccid}.union(named)
        self._cards = cards
        self._named = named
        self._met: set[int] = set()
        self._by_iccid = {card.iccid: card for card in cards if card.iccid}
        # Of two cards with one number the one that is watched counts.
        inert_first = sorted(cards, key=lambda card: card.state in WATCHED)
        self._by_msisdn = {
            card.msisdn: card for card in inert_first if card.msisdn and card.iccid not in chips
        }

    def find(self, row: CardRow) -> Row[Any] | None:
        """The card that ``row`` means; no card is found for two rows."""
        card = self._by_iccid.get(row.iccid) if row.iccid else None
        if card is None and row.msisdn:
            card = self._by_msisdn.get(row.msisdn)
        if card is not None:
            self._met.add(card.id)
        return card

    def missing(self) -> list[Missing]:
        """The watched cards that no row meant; those that are paused are told of nothing anyway."""
        return [
            Missing(card.id, card.operator, shortened(card.msisdn, card.iccid))
            for card in self._cards
            if card.id not in self._met
            and card.state in WATCHED
            and not card.paused
            and card.msisdn not in self._named
            and card.iccid not in self._named
        ]
