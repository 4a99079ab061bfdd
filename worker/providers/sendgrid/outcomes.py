"""How a SendGrid attempt ended: by the answer to a call, or by an event.

Source: SendGrid's v3 API error reference and Event Webhook reference (its reasons for a drop), and
for a bounce the class of its reason (RFC 3463).
"""

from collections.abc import Mapping

from worker.core.outcomes import (
    AMBIGUOUS,
    BAD,
    DEAD,
    LATER,
    OPTED_OUT,
    TRANSIENT,
    Outcome,
    Row,
    Scope,
    held,
    outcome_of,
)
from worker.providers.bounces import bounced

_ACCOUNT, _UNKNOWN = held(Scope.ACCOUNT), held(Scope.MESSAGE)

SENDGRID_STATUSES: Mapping[int, Row] = {
    400: BAD,  # a field of the mail is not valid
    401: _ACCOUNT,  # a wrong key, or "Maximum credits exceeded"
    403: _ACCOUNT,  # the key may not send, or the sender is not verified
    404: _ACCOUNT,
    405: _ACCOUNT,
    406: _ACCOUNT,
    413: BAD,  # larger than 30 MB; the one refusal that comes as a page
    415: _ACCOUNT,
    429: TRANSIENT,
    500: AMBIGUOUS,
    502: AMBIGUOUS,
    503: AMBIGUOUS,
    504: AMBIGUOUS,
}

# What SendGrid's Event Webhook says after the 202. `deferred` is progress: it retries for 72 h.
SENDGRID_EVENTS: Mapping[str, Row] = {
    "bounce": DEAD,
    "blocked": LATER,  # a bounce of type "blocked"
    "dropped": _UNKNOWN,
    "spamreport": OPTED_OUT,
    "unsubscribe": OPTED_OUT,
    "group_unsubscribe": OPTED_OUT,
}
# All reasons for a drop that SendGrid lists. One that is not in its list silences nobody.
SENDGRID_DROPS: Mapping[str, Row] = {
    "bounced address": DEAD,
    "invalid": DEAD,
    "unsubscribed address": OPTED_OUT,
    "spam reporting address": OPTED_OUT,
    "recipient list over package quota": _ACCOUNT,
    "spam content": BAD,
    "invalid smtpapi header": BAD,
}

UNKNOWN_DROP = "sendgrid:dropped_unknown"
# Dropped since its reader had asked for silence.
DROPPED_OPT_OUT = "sendgrid:opted_out"


def row(rest: str) -> Row | None:
    """See ``Declaration``."""
    status = rest.removeprefix("http_")
    if status.isdecimal():
        return SENDGRID_STATUSES.get(int(status), _UNKNOWN)
    return _UNKNOWN if f"sendgrid:{rest}" == UNKNOWN_DROP else None


def from_sendgrid(status: int, retry_after: float | None = None, *, own: bool = True) -> Outcome:
    """The end of a SendGrid call by its HTTP ``status``.

    ``own``: was the body SendGrid's, and not the page of a box in between? That is held for all.
    An unknown 4xx of its own is held by itself, and an unknown 5xx ambiguous.
    """
    if not own and status not in (413, 429) and status < 500:
        return outcome_of(_ACCOUNT, f"sendgrid:page_{status}")
    found = SENDGRID_STATUSES.get(status, AMBIGUOUS if status >= 500 else _UNKNOWN)
    return outcome_of(found, f"sendgrid:http_{status}", retry_after)


def from_sendgrid_event(event: str, why: str | None) -> Outcome:
    """The end of an email by an event of ``SENDGRID_EVENTS``; ``why`` is a drop's reason, or the
    class of a bounce's."""
    found, code = SENDGRID_EVENTS[event], f"sendgrid:{event}"
    if event == "dropped":
        known = SENDGRID_DROPS.get((why or "").lower())
        found = known or found
        code = code if known else UNKNOWN_DROP
        code = DROPPED_OPT_OUT if found.opt_out else code
    if event == "bounce" and why:
        found = bounced(why) or found
    return outcome_of(found, code)


def drop_opts_out(event: str, why: str | None) -> bool:
    """Was the mail dropped since its reader had asked for silence?"""
    found = SENDGRID_DROPS.get((why or "").lower())
    return event == "dropped" and found is not None and found.opt_out
