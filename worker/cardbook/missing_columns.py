"""What a file does not speak of stays as it is: a column that is missing says nothing, while a
blank cell in a column that is there says "none"."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from worker.cardbook.columns import FIELDS
from worker.cardbook.rows import CardRow

# The attributes of a row that a column fills: of the card, and of its holder.
_OF_CARD: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in ("msisdn", "iccid", "imsi", "last_topup", "balance", "note")},
    "plan": ("plan", "plan_days"),
    "expires": ("plan_end",),
}
_OF_HOLDER = {name: name for name in ("email", "contact_phone", "language", "time_zone")}
_OF_HOLDER["holder"] = "name"


def absent(columns: Mapping[str, str]) -> frozenset[str]:
    """The fields a file has no column for; none of a book that was not read from a file."""
    return frozenset(FIELDS).difference(columns) if columns else frozenset()


def completed(
    row: CardRow, card: Row[Any] | None, holder: Row[Any] | None, missing: Collection[str]
) -> CardRow:
    """``row`` with what the store knows of its card where the file has no column for it."""
    if card is None or not missing:
        return row
    own: dict[str, Any] = {
        name: getattr(card, name)
        for field in missing
        for name in _OF_CARD.get(field, ())
        if getattr(row, name) is None
    }
    if holder is not None:
        own |= {
            field: getattr(holder, _OF_HOLDER[field])
            for field in missing
            if field in _OF_HOLDER and not getattr(row, field)
        }
    return replace(row, **own) if own else row
