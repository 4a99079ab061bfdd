"""What delivery speaks of: a message that may go, one that is ready for its call, one whose call is
over, and what faults mean for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from worker.core.breaker import Sender
from worker.core.outcomes import Outcome, OutcomeKind
from worker.core.recheck import Item
from worker.providers.base import EmailOut, SmsOut
from worker.store.breakers import Breaker
from worker.store.outbox import OutgoingMessage
from worker.store.usage import Use

# Its batch was too slow for its lease: it goes back as it came.
LATE: Final = Outcome(OutcomeKind.NOT_SENT, "lease_over_before_the_call")
# What was certainly not sent, and is tried while it is useful.
NOT_TAKEN: Final = (
    OutcomeKind.NOT_SENT,
    OutcomeKind.TRANSIENT,
    OutcomeKind.CONFIG_FAULT,
    OutcomeKind.DOWN,
)


@dataclass(frozen=True, slots=True)
class Eligible:
    """A message that is still true, and the sender it goes. ``tries``: the breakers whose probe it
    is; ``spare``: another sender is open to it."""

    outgoing: OutgoingMessage
    items: tuple[Item, ...]
    address: str
    sender: Sender
    tries: Sequence[Breaker] = ()
    spare: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """A message whose attempt is committed: nothing may stand between it and the call. ``use``:
    what it takes of its book's caps. ``probe``: it shows whether a breaker may close
    (``tries_down``: that of a provider that is down); ``spare``: another provider could carry
    it."""

    outgoing: OutgoingMessage
    items: tuple[Item, ...]
    out: SmsOut | EmailOut
    sender: Sender
    use: Use
    probe: bool = False
    spare: bool = False
    tries_down: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a claim found: messages that are ``ready``, and ids of those to another audience, which
    are handed out ``later``."""

    ready: list[Ready] = field(default_factory=list)
    later: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that is over, and how; ``down``: it shows that its provider answers nobody."""

    ready: Ready
    outcome: Outcome
    at: datetime
    down: bool = False

    @property
    def outgoing(self) -> OutgoingMessage:
        """Its message."""
        return self.ready.outgoing

    @property
    def attempt(self) -> UUID:
        """Its id, which travelled to the provider."""
        return self.ready.out.attempt

    @property
    def was_taken(self) -> bool:
        """Does the provider have it?"""
        return self.outcome.kind is OutcomeKind.ACCEPTED

    @property
    def was_not_taken(self) -> bool:
        """Is it certain that the provider does not have it, and may it be tried again?"""
        return self.outcome.kind in NOT_TAKEN


@dataclass(frozen=True, slots=True)
class Faults:
    """What faults among some ends mean for their messages, by id. ``until``: when each held one is
    looked at again; ``known``: those whose alarm another has raised; ``alone``: those that a fault
    keeps back which keeps nobody else back. ``closed``: breakers that are no more."""

    until: dict[int, datetime] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)
    alone: set[int] = field(default_factory=set)
    closed: list[Breaker] = field(default_factory=list)


NO_FAULTS: Final = Faults()
