"""Operator packs: after how many days an operator takes what, each value with its source."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

# Balance that is left keeps any line this long after the last top-up (OSIPTEL, 2025).
UNUSED_BALANCE_DAYS = 210


class Rung(StrEnum):
    """What a pack gives days for: since the last top-up; reassignment since the line loss."""

    OUTGOING_BLOCK = "outgoing_block"
    BALANCE_LOSS = "balance_loss"
    LINE_LOSS = "line_loss"
    REASSIGNMENT = "reassignment"


class Way(StrEnum):
    """Ways to renew, for which a pack names sites, counters and the like."""

    ONLINE = "online"
    IN_PERSON = "in_person"
    ABROAD = "abroad"


@dataclass(frozen=True, slots=True)
class Fact:
    """One value as one source tells it; ``checked_on`` is when somebody last looked."""

    value: int | str
    source: str
    checked_on: date


@dataclass(frozen=True, slots=True)
class OperatorPack:
    """What is known of one operator. Sources may disagree: then a rung has several facts.

    ``ways`` holds names that texts show after the general words of a way to renew.
    """

    code: str
    name: str
    rungs: Mapping[Rung, tuple[Fact, ...]]
    contacts: Mapping[str, Fact]
    ways: Mapping[Way, tuple[Fact, ...]] = field(default_factory=dict)

    def __hash__(self) -> int:
        """By its code alone, since the rest are mappings: what is made of a pack can be kept."""
        return hash(self.code)

    def facts(self) -> Iterator[Fact]:
        """Everything the pack claims, each with its source."""
        for facts in (*self.rungs.values(), *self.ways.values()):
            yield from facts
        yield from self.contacts.values()

    def days(self, rung: Rung) -> int | None:
        """Days to ``rung``, ``None`` if unknown. Of conflicting sources the earlier date warns."""
        return min((int(fact.value) for fact in self.rungs.get(rung, ())), default=None)
