"""What the events have in common: which parts they have, and what layouts ask of them."""

from collections.abc import Callable, Mapping
from typing import Final

from worker.core.wording import DEADLINE_EVENTS, GUARDIAN_EVENT, LIFE_EVENTS

_EMAIL: Final = ("subject.txt", "email.txt", "email.mjml")
_ALL: Final = ("sms.txt", *_EMAIL)
_RENEWALS: Final = frozenset(e for e in LIFE_EVENTS if e.startswith("renewal_"))
# Known by the cycle in which the card ran low, not by a day a reader could use.
LOW: Final = frozenset({"low_balance", "low_data"})
PAYABLE: Final = frozenset(DEADLINE_EVENTS) - {"line_lost"} | LOW | {"suspended", "renewal_failed"}

# Of which a holder can say: I have topped up, or tell me again tomorrow.
ANSWERABLE: Final = frozenset(DEADLINE_EVENTS) & PAYABLE


def parts_of(event: str) -> tuple[str, ...]:
    """The templates ``event`` has in each language; a keeper of cards is told by email only."""
    return _EMAIL if event == GUARDIAN_EVENT else _ALL


# What a template may ask of an event's name: ``{% if first.event is life %}``.
TESTS: Final[Mapping[str, Callable[[str], bool]]] = {
    "deadline": frozenset(DEADLINE_EVENTS).__contains__,
    "life": frozenset(LIFE_EVENTS).__contains__,
    "renewal": _RENEWALS.__contains__,
    "payable": PAYABLE.__contains__,
    "dated": lambda event: event not in LOW,
}
