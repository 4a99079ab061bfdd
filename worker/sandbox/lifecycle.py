"""What becomes of an accepted message: the statuses and events that follow, in their order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# An event, and what SendGrid says beside it. Its fields: "Event Webhook reference".
Event = tuple[str, Mapping[str, str]]

_PROCESSED: Final[Event] = ("processed", {})
_DELIVERED: Final[Event] = ("delivered", {"response": "250 OK"})
_BOUNCE: Final = {"status": "5.1.1", "reason": "550 5.1.1 The mailbox does not exist"}
_BLOCKED: Final = {"status": "4.7.1", "reason": "451 4.7.1 Try again later"}
_DROPPED: Final = {"reason": "Bounced Address", "status": "5.0.0"}
# "attempt" is SendGrid's own field: the number of tries.
_DEFERRED: Final = {"response": "451 4.3.0 Try again later", "attempt": "1"}

# What follows an accepted email, by the kind of the fault rule that struck it.
EMAIL: Final[Mapping[str, tuple[Event, ...]]] = {
    "delivered": (_PROCESSED, _DELIVERED),
    "bounce": (_PROCESSED, ("bounce", {**_BOUNCE, "type": "bounce"})),
    "blocked": (_PROCESSED, ("bounce", {**_BLOCKED, "type": "blocked"})),
    "dropped": (("dropped", _DROPPED),),
    "deferred": (_PROCESSED, ("deferred", _DEFERRED), _DELIVERED),
    "spamreport": (_PROCESSED, _DELIVERED, ("spamreport", {})),
    "unsubscribe": (_PROCESSED, _DELIVERED, ("unsubscribe", {})),
    "group_unsubscribe": (_PROCESSED, _DELIVERED, ("group_unsubscribe", {})),
    "group_resubscribe": (
        _PROCESSED,
        _DELIVERED,
        ("group_unsubscribe", {}),
        ("group_resubscribe", {}),
    ),
}


def events_of(ending: str, why: str) -> tuple[Event, ...]:
    """What follows an email with this ending; ``why``, if any, takes the place of the usual class
    of a bounce or reason of a drop."""
    if not why:
        return EMAIL[ending]
    own = {"reason": why} if ending == "dropped" else {"status": why}
    *before, (name, fields) = EMAIL[ending]
    return (*before, (name, {**fields, **own}))


@dataclass(frozen=True, slots=True)
class Ending:
    """How an SMS ends: ``delivered``, ``undelivered`` or ``failed``, the last two with Twilio's
    code. A failed one never left. ``late``: it is reported as undelivered, and arrives after all.
    """

    status: str = "delivered"
    code: int | None = None
    late: bool = False

    @property
    def statuses(self) -> tuple[str, ...]:
        """Twilio's words from ``queued`` to the end."""
        if self.late:
            return ("queued", "sent", self.status, "delivered")
        return ("queued", *(() if self.status == "failed" else ("sent",)), self.status)


DELIVERED: Final = Ending()
