"""How an attempt ended: the classes of an end, whom it concerns, and a row of a provider's table.

The tables stand with their providers (``providers/<name>/outcomes.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class OutcomeKind(StrEnum):
    """The classes of an end; each has one way to go on."""

    ACCEPTED = "accepted"
    NOT_SENT = "not_sent"
    TRANSIENT = "transient"
    AMBIGUOUS = "ambiguous"
    RECIPIENT_DEAD = "recipient_dead"
    MESSAGE_DEAD = "message_dead"
    CONFIG_FAULT = "config_fault"
    DOWN = "down"  # certainly not sent: the provider answers nobody


class Wait(StrEnum):
    """A pause that a provider's code asks for beyond the usual backoff."""

    HOURS = "hours"
    UNTIL_PACIFIC_MIDNIGHT = "until_pacific_midnight"


class Scope(StrEnum):
    """Whom a fault concerns. Of a message or a recipient it keeps nobody else back."""

    MESSAGE = "message"
    RECIPIENT = "recipient"  # this recipient, from this sender
    ROUTE = "route"  # one sender's messages to one country
    COUNTRY = "country"
    SENDER = "sender"
    ACCOUNT = "account"


# What rests by itself, without a breaker.
ALONE: frozenset[Scope] = frozenset({Scope.MESSAGE, Scope.RECIPIENT})


class Fault(StrEnum):
    """What can go wrong on the wire, as the transport tells it apart."""

    CONNECT = "connect"  # refused, DNS, connect timeout: nothing was written
    TLS = "tls"  # the certificate was refused: nothing was written
    TIMEOUT = "timeout"  # written, no answer in time
    RESET = "reset"  # written, the connection ended before the answer
    BROKEN_REPLY = "broken_reply"  # a 2xx whose body is not what the API promises


@dataclass(frozen=True, slots=True)
class Outcome:
    """``code`` names the reason without any address; ``retry_after`` is in seconds; ``most``: after
    so many attempts for this reason another way takes over, if there is one."""

    kind: OutcomeKind
    code: str
    provider_id: str | None = None
    retry_after: float | None = None
    wait: Wait | None = None
    most: int | None = None
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: the class, whom it concerns, and what is special about the retry.

    ``doubtful``: the provider says it of a phone that is off, too; only where it is repeated over
    days is the address dead. ``opt_out``: a person has asked for silence. ``filtered``: a carrier
    has filtered the text; where that happens to many, it is the sender's way that is closed.
    """

    kind: OutcomeKind
    wait: Wait | None = None
    most: int | None = None
    scope: Scope = Scope.MESSAGE
    doubtful: bool = False
    opt_out: bool = False
    filtered: bool = False


TRANSIENT = Row(OutcomeKind.TRANSIENT, scope=Scope.ACCOUNT)
AMBIGUOUS = Row(OutcomeKind.AMBIGUOUS)
DEAD = Row(OutcomeKind.RECIPIENT_DEAD, scope=Scope.RECIPIENT)
OPTED_OUT = Row(OutcomeKind.RECIPIENT_DEAD, scope=Scope.RECIPIENT, opt_out=True)
BAD = Row(OutcomeKind.MESSAGE_DEAD)
FILTERED = Row(OutcomeKind.MESSAGE_DEAD, filtered=True)
# A handset that is off, a mailbox that is full: once more hours later, then the other way.
LATER = Row(OutcomeKind.TRANSIENT, Wait.HOURS, most=2, scope=Scope.RECIPIENT)
OFF = Row(OutcomeKind.TRANSIENT, Wait.HOURS, most=2, scope=Scope.RECIPIENT, doubtful=True)
# The carrier does not know what became of it.
LOST = Row(OutcomeKind.AMBIGUOUS, Wait.HOURS, most=2)


def held(scope: Scope) -> Row:
    """A fault of our own configuration, or a refusal that may pass: nothing is lost by waiting."""
    return Row(OutcomeKind.CONFIG_FAULT, scope=scope)


FAULTS: Mapping[Fault, Row] = {
    Fault.CONNECT: Row(OutcomeKind.NOT_SENT),
    Fault.TLS: Row(OutcomeKind.NOT_SENT),
    Fault.TIMEOUT: AMBIGUOUS,
    Fault.RESET: AMBIGUOUS,
    Fault.BROKEN_REPLY: AMBIGUOUS,
}


def from_fault(fault: Fault) -> Outcome:
    """The end of an attempt that got no usable answer. A refused certificate raises the alarm."""
    return outcome_of(FAULTS[fault], fault.value, alarm=fault is Fault.TLS)


def accepted(provider_id: str) -> Outcome:
    """The provider took the message and named it."""
    return Outcome(OutcomeKind.ACCEPTED, "accepted", provider_id)


def outcome_of(
    row: Row, code: str, retry_after: float | None = None, *, alarm: bool = False
) -> Outcome:
    """The outcome that ``row`` gives for ``code``; what needs a person raises the alarm."""
    alarm = alarm or row.kind in (OutcomeKind.MESSAGE_DEAD, OutcomeKind.CONFIG_FAULT)
    return Outcome(row.kind, code, None, retry_after, row.wait, row.most, alarm)
