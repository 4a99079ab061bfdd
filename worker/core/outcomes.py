"""How an attempt ended, decided by one table for each provider.

Sources: Twilio's error dictionary (twilio.com/docs/api/errors) and message statuses; SendGrid's
v3 API error and Event Webhook references; both SDKs measured against a faulty server; for SMTP
RFC 5321 (replies), 3463 and its registry (enhanced codes) and 4954 (AUTH). A row is data, and each
has its test.
"""

from collections.abc import Mapping, Sequence
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


class Fault(StrEnum):
    """What can go wrong on the wire, as the transport tells it apart."""

    CONNECT = "connect"  # refused, DNS, connect timeout: nothing was written
    TLS = "tls"  # the certificate was refused: nothing was written
    TIMEOUT = "timeout"  # written, no answer in time
    RESET = "reset"  # written, the connection ended before the answer
    BROKEN_REPLY = "broken_reply"  # a 2xx whose body is not what the API promises


@dataclass(frozen=True, slots=True)
class Outcome:
    """``code`` names the reason without any address; ``retry_after`` is in seconds; ``most``
    bounds the attempts for this reason."""

    kind: OutcomeKind
    code: str
    provider_id: str | None = None
    retry_after: float | None = None
    wait: Wait | None = None
    most: int | None = None
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: the class, and what is special about the retry."""

    kind: OutcomeKind
    wait: Wait | None = None
    most: int | None = None


_T, _A = Row(OutcomeKind.TRANSIENT), Row(OutcomeKind.AMBIGUOUS)
_R, _M, _C = (
    Row(OutcomeKind.RECIPIENT_DEAD),
    Row(OutcomeKind.MESSAGE_DEAD),
    Row(OutcomeKind.CONFIG_FAULT),
)

FAULTS: Mapping[Fault, Row] = {
    Fault.CONNECT: Row(OutcomeKind.NOT_SENT),
    Fault.TLS: Row(OutcomeKind.NOT_SENT),
    Fault.TIMEOUT: _A,
    Fault.RESET: _A,
    Fault.BROKEN_REPLY: _A,
}

TWILIO_CODES: Mapping[int, Row] = {
    20429: _T,  # too many requests: never processed
    21611: _T,  # the sender's queue is full
    30001: _T,  # queue overflow
    30022: _T,  # sender's throughput exceeded
    30023: Row(OutcomeKind.TRANSIENT, Wait.UNTIL_PACIFIC_MIDNIGHT),  # daily cap reached
    30036: _T,  # validity period ran out in the queue
    30500: _T,
    63017: _T,
    63018: _T,
    30003: Row(OutcomeKind.TRANSIENT, Wait.HOURS, most=2),  # handset off or out of reach
    # The carrier timed out; Twilio does not retry, to avoid duplicates.
    30410: Row(OutcomeKind.AMBIGUOUS, Wait.HOURS, most=2),
    30008: Row(OutcomeKind.AMBIGUOUS, Wait.HOURS, most=2),  # unknown error at the carrier
    21211: _R,  # not a phone number
    21610: _R,  # the recipient opted out
    21612: _R,  # no route from this sender to this number
    21614: _R,  # not a mobile number
    21635: _R,  # a landline
    30004: _R,
    30005: _R,
    30006: _R,
    63003: _R,
    63024: _R,
    63032: _R,
    21602: _M,  # no body
    21603: _M,
    21604: _M,
    21617: _M,  # longer than 1,600 characters
    30007: _M,  # filtered by a carrier
    30010: _M,  # dearer than the highest price allowed
    63013: _M,
    63016: _M,
    10001: _C,  # the account is not active
    20003: _C,  # wrong credentials
    20403: _C,
    20404: _C,
    21212: _C,  # the sender is not a valid number
    21408: _C,  # no permission for this country
    21601: _C,
    21606: _C,  # the sender is not ours
    21608: _C,  # a trial account, and an unverified recipient
    21703: _C,
    30002: _C,  # the account is suspended
    30032: _C,
    30034: _C,
}

SENDGRID_STATUSES: Mapping[int, Row] = {
    400: _M,
    401: _C,  # a wrong key, or "Maximum credits exceeded"
    403: _C,
    404: _C,
    405: _C,
    406: _C,
    413: _M,
    415: _C,
    429: _T,
    500: _A,
    502: _A,
    503: _A,
    504: _A,
}

# What SendGrid's Event Webhook says after the 202. `deferred` is progress: it retries for 72 h.
SENDGRID_EVENTS: Mapping[str, Row] = {
    "bounce": _R,
    "blocked": Row(OutcomeKind.TRANSIENT, Wait.HOURS, most=2),  # a bounce of type "blocked"
    "dropped": _R,
    "spamreport": _R,
    "unsubscribe": _R,
    "group_unsubscribe": _R,
}
# SendGrid's reasons for a drop that are not the address's: none of them may silence a holder.
SENDGRID_DROPS: Mapping[str, Row] = {
    "recipient list over package quota": _C,
    "spam content": _M,
    "invalid smtpapi header": _M,
}


class SmtpPhase(StrEnum):
    """Where in the dialogue a mail server's reply comes. Only ``BODY``, what follows the final dot,
    is a reply to a message that the server has."""

    CONNECT = "connect"  # the greeting, EHLO, STARTTLS
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"


_MAILBOX_FULL = Row(OutcomeKind.TRANSIENT, Wait.HOURS, most=2)
# The first row whose phases (``None``: all), reply codes and enhanced codes begin so decides.
SMTP_REPLIES: Sequence[tuple[frozenset[SmtpPhase] | None, str, str, Row]] = (
    (None, "421", "", _T),  # the server closes the connection
    (None, "530", "", _C),  # it wants AUTH, or STARTTLS first
    (None, "534", "", _C),
    (None, "535", "", _C),  # wrong user or password
    (None, "538", "", _C),
    (frozenset({SmtpPhase.AUTH}), "454", "", _C),
    (frozenset({SmtpPhase.AUTH}), "4", "", _T),
    (frozenset({SmtpPhase.AUTH, SmtpPhase.CONNECT}), "5", "", _C),
    (None, "4", "", _T),
    # Which mailbox a 5.1.7 or 5.1.8 means is ours.
    (None, "55", "5.1.7", _C),
    (None, "55", "5.1.8", _C),
    (frozenset({SmtpPhase.MAIL}), "552", "", _M),
    (frozenset({SmtpPhase.MAIL}), "5", "", _C),
    (None, "55", "5.1.", _R),
    (None, "55", "5.2.1", _R),  # the mailbox is disabled
    (None, "55", "5.2.2", _MAILBOX_FULL),
    # Before the content was seen a policy is about us: no relaying, a sender that is not allowed.
    (frozenset({SmtpPhase.RCPT}), "55", "5.7.", _C),
    (frozenset({SmtpPhase.RCPT}), "550", "5.", _M),
    (frozenset({SmtpPhase.RCPT}), "550", "", _R),
    (frozenset({SmtpPhase.RCPT}), "551", "", _R),
    (frozenset({SmtpPhase.RCPT}), "553", "", _R),
    (None, "5", "", _M),  # the content, its size, or what we do not know
)

# Those by which a person asks for silence: the mail itself has arrived.
OPT_OUTS: frozenset[str] = frozenset({"spamreport", "unsubscribe", "group_unsubscribe"})

# What each provider reports on the way, none of it an end.
PROGRESS: frozenset[str] = frozenset(
    {"accepted", "scheduled", "queued", "sending", "sent", "processed", "deferred"}
)
DELIVERED: frozenset[str] = frozenset({"delivered", "read"})


def from_fault(fault: Fault) -> Outcome:
    """The end of an attempt that got no usable answer. A refused certificate raises the alarm."""
    return _outcome(FAULTS[fault], fault.value, alarm=fault is Fault.TLS)


def from_twilio(status: int | None, code: int | None, retry_after: float | None = None) -> Outcome:
    """The end of a Twilio call with HTTP ``status``, or of a message, with Twilio's own ``code``.

    An unknown code under a 4xx is a dead message with an alarm; a 5xx is always ambiguous.
    """
    if status == 429:
        return _outcome(_T, f"twilio:{code or status}", retry_after)
    if status is not None and status >= 500:
        return _outcome(_A, f"twilio:http_{status}", retry_after)
    if code is not None and code in TWILIO_CODES:
        return _outcome(TWILIO_CODES[code], f"twilio:{code}", retry_after)
    if status == 401:
        return _outcome(_C, "twilio:http_401")
    return _outcome(_M, f"twilio:{code or f'http_{status}'}", alarm=True)


def from_sendgrid(status: int, retry_after: float | None = None) -> Outcome:
    """The end of a SendGrid call by its HTTP ``status``; unknown ones as for Twilio."""
    unknown = _A if status >= 500 else _M
    row = SENDGRID_STATUSES.get(status, unknown)
    alarm = row is _M
    return _outcome(row, f"sendgrid:http_{status}", retry_after, alarm=alarm)


def from_smtp(smtp_phase: SmtpPhase, reply: int, enhanced: str = "") -> Outcome:
    """The end of a mail server's dialogue by a ``reply`` other than the one hoped for; ``enhanced``
    is its enhanced code (``5.1.1``), empty if it has none.

    What is no reply at all (a 2xx out of place, noise) is ambiguous after the final dot.
    """
    code = f"smtp:{smtp_phase}_{reply}" + (f"_{enhanced}" if enhanced else "")
    for phases, digits, start, row in SMTP_REPLIES:
        here = phases is None or smtp_phase in phases
        if here and str(reply).startswith(digits) and enhanced.startswith(start):
            return _outcome(row, code)
    return smtp_lost(smtp_phase, Fault.BROKEN_REPLY)


def smtp_lost(smtp_phase: SmtpPhase, fault: Fault) -> Outcome:
    """The end of a dialogue that broke off: before the final dot a server must forget it all."""
    if smtp_phase is SmtpPhase.BODY:
        return from_fault(fault)
    return _outcome(FAULTS[Fault.CONNECT], f"smtp:{smtp_phase}_{fault}")


def from_twilio_status(status: str, code: int | None) -> Outcome:
    """The end of a message that Twilio took and reports as ``failed``, ``undelivered`` or
    ``canceled``. Without a code an ``undelivered`` is the carriers' unknown error."""
    if code is not None:
        return from_twilio(None, code)
    row = TWILIO_CODES[30008] if status == "undelivered" else _M
    return _outcome(row, f"twilio:{status}")


def from_sendgrid_event(provider: str, event: str, why: str | None) -> Outcome:
    """The end of an email by an event of ``SENDGRID_EVENTS``; ``why`` is a drop's reason."""
    row = SENDGRID_EVENTS[event]
    if event == "dropped" and why:
        row = SENDGRID_DROPS.get(why.lower(), row)
    return _outcome(row, f"{provider}:{event}")


def accepted(provider_id: str) -> Outcome:
    """The provider took the message and named it."""
    return Outcome(OutcomeKind.ACCEPTED, "accepted", provider_id)


def _outcome(
    row: Row, code: str, retry_after: float | None = None, *, alarm: bool = False
) -> Outcome:
    alarm = alarm or row.kind in (OutcomeKind.MESSAGE_DEAD, OutcomeKind.CONFIG_FAULT)
    return Outcome(row.kind, code, None, retry_after, row.wait, row.most, alarm)
