"""Operator packs: after how many days an operator takes what, each value with its source."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

# Balance that is left keeps any line this long after the last top-up (OSIPTEL, 2025).
UNUSED_BALANCE_DAYS = 210

# Of these "phone" can be called from anywhere, and "topup" is the page to pay on.
_CONTACTS = frozenset({"hotline", "phone", "website", "app", "topup"})


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


def parse_pack(code: str, data: Mapping[str, Any]) -> tuple[OperatorPack | None, list[str]]:
    """Read one pack from its TOML ``data``; returns the pack (``None`` if wrong) and all errors.

    Errors read ``key: what is wrong``, ready to be shown after the file's name.
    """
    errors: list[str] = []
    name = data.get("name")
    if not isinstance(name, str) or not name.strip():
        errors.append("name: the operator's name is missing")
    known = {"name", "contact", "renew", *Rung}
    errors += [
        f"{key}: not known here; known are {', '.join(sorted(known))}"
        for key in data.keys() - known
    ]
    rungs = {rung: _facts(rung, data[rung], "days", errors) for rung in Rung if rung in data}
    contacts = {
        key: fact
        for key, entry in _table("contact", data, _CONTACTS, errors).items()
        if (fact := _fact(f"contact.{key}", entry, "value", errors))
    }
    ways = {
        Way(key): _facts(f"renew.{key}", entries, "value", errors)
        for key, entries in _table("renew", data, frozenset(Way), errors).items()
    }
    if errors:
        return None, errors
    return OperatorPack(code, str(name).strip(), rungs, contacts, ways), []


def _table(
    name: str, data: Mapping[str, Any], known: frozenset[str], errors: list[str]
) -> dict[str, Any]:
    """The known entries of the table ``name``; errors name what else is in it."""
    told = ", ".join(sorted(known))
    entries = data.get(name, {})
    if not isinstance(entries, dict):
        errors.append(f"{name}: write it as [{name}] with {told} below")
        return {}
    errors += [
        f"{name}.{key}: not known here; known are {told}" for key in entries if key not in known
    ]
    return {key: entry for key, entry in entries.items() if key in known}


def _facts(key: str, entries: Any, value_key: str, errors: list[str]) -> tuple[Fact, ...]:
    if not isinstance(entries, list):
        errors.append(f"{key}: write it as [[{key}]] with {value_key}, source and checked_on")
        return ()
    return tuple(fact for entry in entries if (fact := _fact(key, entry, value_key, errors)))


def _fact(key: str, entry: Any, value_key: str, errors: list[str]) -> Fact | None:
    if not isinstance(entry, dict):
        errors.append(f"{key}: write it as a table with {value_key}, source and checked_on")
        return None
    value, source, checked = (entry.get(k) for k in (value_key, "source", "checked_on"))
    wrong = []
    if value_key == "days" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        wrong.append(f"{key}.days: {value!r} is not a whole number of days above 0")
    if value_key == "value" and not _is_text(value):
        wrong.append(f"{key}.value: a text is missing")
    if not _is_text(source):
        wrong.append(f"{key}.source: say where the value comes from")
    if not isinstance(checked, date) or isinstance(checked, datetime):
        wrong.append(f"{key}.checked_on: a date like 2026-01-31 is missing")
    errors += wrong
    return None if wrong else Fact(value, source, checked)  # type: ignore[arg-type]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
