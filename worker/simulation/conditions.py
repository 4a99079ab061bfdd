"""What holds for all holders of one simulation."""

from collections.abc import Mapping
from dataclasses import dataclass

from worker.content.render import Content
from worker.core.cards import Channel, Holder
from worker.core.prices import Prices
from worker.core.rules import Rules


@dataclass(frozen=True, slots=True)
class Conditions:
    """``channels``: those that are served. ``guardians``: the keepers of the books that name one,
    by the book's id."""

    rules: Rules
    content: Content
    prices: Prices
    channels: frozenset[Channel]
    guardians: Mapping[int, Holder]
