"""How a dialogue with a mail server ended.

Source: RFC 5321 (replies), 3463 and the registry of enhanced codes (IANA), 4954 (AUTH).
"""

import re
from collections.abc import Sequence
from enum import StrEnum

from worker.core.outcomes import (
    BAD,
    DEAD,
    FAULTS,
    LATER,
    TRANSIENT,
    Fault,
    Outcome,
    Row,
    Scope,
    from_fault,
    held,
    outcome_of,
)


class SmtpPhase(StrEnum):
    """Where in the dialogue a mail server's reply comes. Only ``BODY``, what follows the final dot,
    is a reply to a message that the server has."""

    CONNECT = "connect"  # the greeting, EHLO, STARTTLS
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"


_ACCOUNT, _SENDER = held(Scope.ACCOUNT), held(Scope.SENDER)
_RECIPIENT, _MESSAGE = held(Scope.RECIPIENT), held(Scope.MESSAGE)
_RCPT = frozenset({SmtpPhase.RCPT})
# The first row whose phases (``None``: all), reply codes and enhanced codes begin so decides.
SMTP_REPLIES: Sequence[tuple[frozenset[SmtpPhase] | None, str, str, Row]] = (
    (None, "421", "", TRANSIENT),  # the server closes the connection
    (None, "530", "", _ACCOUNT),  # it wants AUTH, or STARTTLS first
    (None, "534", "", _ACCOUNT),
    (None, "535", "", _ACCOUNT),  # wrong user or password
    (None, "538", "", _ACCOUNT),
    (frozenset({SmtpPhase.AUTH}), "454", "", _ACCOUNT),
    (frozenset({SmtpPhase.AUTH}), "4", "", TRANSIENT),
    (frozenset({SmtpPhase.AUTH, SmtpPhase.CONNECT}), "5", "", _ACCOUNT),
    (None, "4", "", TRANSIENT),
    # Which mailbox a 5.1.7 or 5.1.8 means is ours.
    (None, "55", "5.1.7", _SENDER),
    (None, "55", "5.1.8", _SENDER),
    (frozenset({SmtpPhase.MAIL}), "552", "", BAD),
    (frozenset({SmtpPhase.MAIL}), "5", "", _SENDER),
    (None, "55", "5.1.", DEAD),
    (None, "55", "5.2.1", DEAD),  # the mailbox is disabled
    (None, "55", "5.2.2", LATER),  # it is full
    # How Exchange says that it knows no such recipient.
    (_RCPT, "550", "5.4.1", DEAD),
    # A refusal of one recipient by policy: no relaying to there, or we are not let in there. It
    # says nothing of the next recipient.
    (_RCPT, "55", "5.7.", _RECIPIENT),
    (_RCPT, "550", "5.", _MESSAGE),
    (_RCPT, "550", "", DEAD),
    (_RCPT, "551", "", DEAD),
    (_RCPT, "553", "", DEAD),
    (_RCPT, "5", "", _RECIPIENT),
    (None, "5", "", BAD),  # the content, its size, or what we do not know
)
_REST = re.compile(r"([a-z]+)_(\d{3})(?:_(\S+))?")


def smtp_row(smtp_phase: SmtpPhase, reply: int, enhanced: str) -> Row | None:
    """The row that decides, ``None`` for what is no reply at all."""
    for phases, digits, start, known in SMTP_REPLIES:
        here = phases is None or smtp_phase in phases
        if here and str(reply).startswith(digits) and enhanced.startswith(start):
            return known
    return None


def row(rest: str) -> Row | None:
    """See ``Declaration``."""
    found = _REST.fullmatch(rest)
    return smtp_row(SmtpPhase(found[1]), int(found[2]), found[3] or "") if found else None


def from_smtp(smtp_phase: SmtpPhase, reply: int, enhanced: str = "") -> Outcome:
    """The end of a mail server's dialogue by a ``reply`` other than the one hoped for; ``enhanced``
    is its enhanced code (``5.1.1``), empty if it has none.

    What is no reply at all (a 2xx out of place, noise) is ambiguous after the final dot.
    """
    found = smtp_row(smtp_phase, reply, enhanced)
    if found is None:
        return smtp_lost(smtp_phase, Fault.BROKEN_REPLY)
    return outcome_of(found, f"smtp:{smtp_phase}_{reply}" + (f"_{enhanced}" if enhanced else ""))


def smtp_lost(smtp_phase: SmtpPhase, fault: Fault) -> Outcome:
    """The end of a dialogue that broke off: before the final dot a server must forget it all."""
    if smtp_phase is SmtpPhase.BODY:
        return from_fault(fault)
    return outcome_of(FAULTS[Fault.CONNECT], f"smtp:{smtp_phase}_{fault}")
