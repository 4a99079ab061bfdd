"""What a page behind a link has to say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import Connection

from worker.core.cards import Channel, Language
from worker.core.rules import Rules
from worker.store import cards as card_store


class State(StrEnum):
    """``ASK`` has a question; all others say what is so."""

    ASK = "ask"
    DONE = "done"
    ALREADY = "already"
    TOO_LATE = "too_late"
    UNTRUE = "untrue"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class CardName:
    """A card as its holder knows it, and no more of it than that."""

    id: int
    operator: str
    tail: str


@dataclass(frozen=True, slots=True)
class View:
    """``cards``: those the link is about. ``several``: the address serves more than one card.
    ``needs_end``: a renewal must tell the plan's new end, probably ``ends_on``. ``on``: the day of
    the notice that was asked for."""

    state: State
    language: Language
    cards: Sequence[CardName] = ()
    channel: Channel = Channel.EMAIL
    several: bool = False
    one_card: bool = False
    needs_end: bool = False
    ends_on: date | None = None
    on: date | None = None


def names(conn: Connection, rules: Rules, ids: Iterable[int]) -> list[CardName]:
    """The cards ``ids`` by operator and last 4 digits."""
    found = card_store.load(conn, ids).values()
    return [
        CardName(
            one.card.id,
            rules.pack(one.card.operator).name,
            (one.card.msisdn or one.card.iccid or "")[-4:],
        )
        for one in sorted(found, key=lambda one: one.card.id)
    ]
