"""What an import would do, as a short text that is the same only if it would do the same."""

from hashlib import sha256

from worker.cardbook.plan import ImportPlan
from worker.errors import CardBookError


class StalePreviewError(CardBookError):
    """The file would not do any more what its preview has shown; nothing was written."""

    code = "stale_preview"


def fingerprint(plan: ImportPlan) -> str:
    """A digest of each card that is new or changes, with its holder, of the cards that are missing
    and of how many holders are told."""
    found = sha256()

    def add(*parts: object) -> None:
        found.update(repr(parts).encode() + b"\n")

    for row, holder in plan.created:
        add("new", row, holder)
    for card, row, holder, fields, action in plan.changed:
        add("changed", card.id, row, holder, fields, action)
    for holder_id, person in sorted(plan.holders.updated.items()):
        add("holder", holder_id, person)
    for one in plan.missing:
        add("missing", one.id)
    for kept in plan.kept:
        add("kept", kept.row, kept.fields)
    add("told", plan.told)
    return found.hexdigest()


def require_same(plan: ImportPlan, previewed: str) -> None:
    """Raises ``StalePreviewError`` unless ``plan`` is what was ``previewed``."""
    if fingerprint(plan) != previewed:
        raise StalePreviewError(
            "The book has changed since this file was looked at.",
            "Look at it again: what it would do now is not what was shown.",
        )
