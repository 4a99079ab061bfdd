"""How a Twilio attempt ended: by the code of a call's answer, or of a status callback."""

from collections.abc import Mapping

from worker.core.outcomes import (
    AMBIGUOUS,
    BAD,
    TRANSIENT,
    Outcome,
    Row,
    outcome_of,
)
from worker.providers.twilio.codes import ACCOUNT, CALLS, MESSAGE
from worker.providers.twilio.delivery_codes import CARRIERS, CHANNELS

TWILIO_CODES: Mapping[int, Row] = {
    code: row for table in (CALLS, CARRIERS, CHANNELS) for code, row, _ in table
}
# Held and alarmed, and tried again while the notice is useful: nobody is lost by a code that is
# newer than the tables, and it keeps nobody else back.
UNKNOWN = MESSAGE


def twilio_row(code: int) -> Row:
    """The row of ``code``; that of an unknown one."""
    return TWILIO_CODES.get(code, UNKNOWN)


def row(rest: str) -> Row | None:
    """See ``Declaration``."""
    return twilio_row(int(rest)) if rest.isdecimal() else None


def from_twilio(status: int | None, code: int | None, retry_after: float | None = None) -> Outcome:
    """The end of a Twilio call with HTTP ``status``, or of a message, with Twilio's own ``code``.

    A 429 was never processed; a 5xx is always ambiguous. What comes without a code is not Twilio's
    word but that of a box in between (a proxy, a login page): held for all, until it is gone.
    """
    if status == 429:
        return outcome_of(TRANSIENT, f"twilio:{code or status}", retry_after)
    if status is not None and status >= 500:
        return outcome_of(AMBIGUOUS, f"twilio:http_{status}", retry_after)
    if code is not None:
        return outcome_of(twilio_row(code), f"twilio:{code}", retry_after)
    return outcome_of(ACCOUNT, f"twilio:http_{status}")


def from_twilio_status(status: str, code: int | None) -> Outcome:
    """The end of a message that Twilio took and reports as ``failed``, ``undelivered`` or
    ``canceled``. Without a code an ``undelivered`` is the carriers' unknown error."""
    if code is not None:
        return from_twilio(None, code)
    row = TWILIO_CODES[30008] if status == "undelivered" else BAD
    return outcome_of(row, f"twilio:{status}")
