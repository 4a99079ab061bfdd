"""How an attempt ended, decided by one table for each provider. A row is data, and has its test.

The classes stand in ``outcome_classes``, the tables in ``twilio_outcomes``, ``sendgrid_outcomes``
and ``smtp_outcomes``; here is what concerns them all.
"""

from worker.core.outcome_classes import (
    ALONE,
    DELIVERED,
    FAULTS,
    PROGRESS,
    Fault,
    Outcome,
    OutcomeKind,
    Row,
    Scope,
    Wait,
    accepted,
    from_fault,
)
from worker.core.sendgrid_outcomes import (
    OPT_INS,
    OPT_OUTS,
    SENDGRID_DROPS,
    SENDGRID_EVENTS,
    SENDGRID_STATUSES,
    UNKNOWN_DROP,
    drop_opts_out,
    from_sendgrid,
    from_sendgrid_event,
)
from worker.core.smtp_outcomes import (
    SMTP_REPLIES,
    SmtpPhase,
    bounced,
    from_smtp,
    smtp_lost,
    smtp_scope,
)
from worker.core.twilio_outcomes import (
    TWILIO_CODES,
    TWILIO_WORDS,
    from_twilio,
    from_twilio_status,
    is_listed,
    twilio_row,
)

__all__ = [
    "ALONE",
    "DELIVERED",
    "FAULTS",
    "OPT_INS",
    "OPT_OUTS",
    "PROGRESS",
    "SENDGRID_DROPS",
    "SENDGRID_EVENTS",
    "SENDGRID_STATUSES",
    "SMTP_REPLIES",
    "TWILIO_CODES",
    "TWILIO_WORDS",
    "Fault",
    "Outcome",
    "OutcomeKind",
    "Row",
    "Scope",
    "SmtpPhase",
    "Wait",
    "accepted",
    "bounced",
    "drop_opts_out",
    "from_fault",
    "from_sendgrid",
    "from_sendgrid_event",
    "from_smtp",
    "from_twilio",
    "from_twilio_status",
    "is_doubtful",
    "is_listed",
    "is_opt_out",
    "scope_of",
    "smtp_lost",
    "twilio_row",
]


def scope_of(code: str) -> Scope:
    """Whom a fault with this ``code`` of an outcome concerns. What a provider did not say itself
    (an HTTP status without its own code, a login that is not offered) concerns all it carries."""
    provider, _, rest = code.partition(":")
    if provider == "twilio" and rest.isdecimal():
        return twilio_row(int(rest)).scope
    if provider == "smtp":
        return smtp_scope(code)
    status = rest.removeprefix("http_")
    if provider == "sendgrid" and status.isdecimal():
        known = SENDGRID_STATUSES.get(int(status))
        return known.scope if known else Scope.MESSAGE
    if code == UNKNOWN_DROP:
        return Scope.MESSAGE
    return Scope.ACCOUNT


def is_doubtful(code: str) -> bool:
    """Is this ``code`` also given for a phone that is off?"""
    provider, _, rest = code.partition(":")
    return provider == "twilio" and rest.isdecimal() and twilio_row(int(rest)).doubtful


def is_opt_out(reason: str) -> bool:
    """Does this reason of a provider's say that a person has asked for silence?"""
    provider, _, rest = reason.partition(":")
    if provider == "twilio" and rest.isdecimal():
        return twilio_row(int(rest)).opt_out
    return rest == "opted_out" or rest in OPT_OUTS
