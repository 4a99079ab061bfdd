"""The words a written card book uses in each language: one title a column, one word a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from worker.core.cards import CardState, Kind, Language

# Columns that are written for people and not read: the card's state, why a row was refused.
ForPeople = Literal["state", "reason"]
FOR_PEOPLE: tuple[ForPeople, ...] = get_args(ForPeople)


@dataclass(frozen=True, slots=True)
class Wording:
    """One language's titles by field (``state`` and ``reason`` among them) and words by value."""

    titles: Mapping[str, str]
    no_plan_end: str
    kinds: Mapping[Kind, str]
    operators: Mapping[str, str]
    languages: Mapping[Language, str]
    states: Mapping[CardState, str]
