"""What a page behind a link has to say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import Connection

from worker.core.cards import Channel, Language
from worker.core.masking import last_four
from worker.core.rules import Rules
from worker.store import cards as card_store


class State(StrEnum):
    """``ASK`` has a question; all others say what is so. ``OTHERWISE``: the opposite was said."""

    ASK = "ask"
    DONE = "done"
    ALREADY = "already"
    TOO_LATE = "too_late"
    UNTRUE = "untrue"
    WRONG = "wrong"
    OTHERWISE = "otherwise"


@dataclass(frozen=True, slots=True)
class CardName:
    """A card as its holder knows it, and no more of it than that."""

    id: int
    operator: str
    tail: str


@dataclass(frozen=True, slots=True)
class View:
    """``cards``: those the link is about. ``several``: the address serves more than one card.
    ``needs_end``: a renewal must tell the plan's new end; ``ends_on`` is what it is, or would be
    after one more of the same plan of ``plan_days``. ``on``: the day of the notice that was asked
    for. ``signature``: the sender's name. ``renewal``: the notice whose links say whether an open
    renewal works."""

    state: State
    language: Language
    cards: Sequence[CardName] = ()
    channel: Channel = Channel.EMAIL
    several: bool = False
    one_card: bool = False
    needs_end: bool = False
    ends_on: date | None = None
    on: date | None = None
    plan_days: int | None = None
    signature: str = ""
    renewal: int | None = None


def names(conn: Connection, rules: Rules, ids: Iterable[int]) -> list[CardName]:
    """The cards ``ids`` by operator and last 4 digits."""
    found = card_store.load(conn, ids).values()
    return [
        CardName(
            one.card.id,
            rules.pack(one.card.operator).name,
            last_four(one.card.msisdn, one.card.iccid),
        )
        for one in sorted(found, key=lambda one: one.card.id)
    ]
