"""What the events have in common: which parts they have, and what layouts ask of them."""

from collections.abc import Callable, Mapping
from typing import Final

from worker.core.life import QUESTIONS as RENEWAL_QUESTIONS
from worker.core.wording import DEADLINE_EVENTS, GUARDIAN_EVENT, LIFE_EVENTS

_EMAIL: Final = ("subject.txt", "email.txt", "email.mjml")
_ALL: Final = ("sms.txt", *_EMAIL)
_RENEWALS: Final = frozenset(e for e in LIFE_EVENTS if e.startswith("renewal_"))
# Known by the cycle in which the card ran low, not by a day a reader could use.
LOW: Final = frozenset({"low_balance", "low_data"})
# Of which nothing is mended by a top-up any more.
_TOO_LATE: Final = frozenset({"line_lost", "reassignment_near", "reassignment_past"})
PAYABLE: Final = frozenset(DEADLINE_EVENTS) - _TOO_LATE | LOW | {"suspended", "renewal_failed"}

# Of which a holder can say: I have topped up, or tell me again tomorrow.
ANSWERABLE: Final = frozenset(DEADLINE_EVENTS) & PAYABLE

# Of which a holder can say: it works, or it does not.
QUESTIONS: Final = frozenset(notice.value for notice in RENEWAL_QUESTIONS)
# What can happen to an eSIM for travellers: it has a plan, and no Peruvian number.
TRAVEL_EVENTS: Final = frozenset(
    {e for e in DEADLINE_EVENTS if e.startswith("plan_")}
    | frozenset(LIFE_EVENTS) - {"recycled", "registration_notice"}
)


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
