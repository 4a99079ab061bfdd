"""How a Vonage attempt ended: by the answer to the call, or by a delivery receipt.

The same numbers mean other things in answers and in receipts, so the codes of receipts have
``dlr_`` before them: ``vonage:7`` is a barred number, ``vonage:dlr_7`` a busy handset.
"""

from collections.abc import Mapping
from typing import Final

from worker.core.outcomes import (
    AMBIGUOUS,
    BAD,
    LOST,
    OFF,
    TRANSIENT,
    Outcome,
    Row,
    outcome_of,
)
from worker.providers.vonage.codes import ACCOUNT, CALLS, MESSAGE, RECEIPTS

VONAGE_CALLS: Final[Mapping[int, Row]] = {code: row for code, row, _ in CALLS}
VONAGE_RECEIPTS: Final[Mapping[int, Row]] = {code: row for code, row, _ in RECEIPTS}
# Ends that come without a code: kept by the carrier until its time ran out, not delivered, refused.
VONAGE_ENDS: Final[Mapping[str, Row]] = {"expired": OFF, "failed": LOST, "rejected": BAD}
# Held and alarmed, and tried again while the notice is useful: nobody is lost by a code that is
# newer than the tables, and it keeps nobody else back.
UNKNOWN: Final = MESSAGE

_RECEIPT: Final = "dlr_"


def row(rest: str) -> Row | None:
    """See ``Declaration``."""
    if rest in VONAGE_ENDS:
        return VONAGE_ENDS[rest]
    table = VONAGE_RECEIPTS if rest.startswith(_RECEIPT) else VONAGE_CALLS
    code = rest.removeprefix(_RECEIPT)
    return table.get(int(code), UNKNOWN) if code.isdecimal() else None


def from_vonage(status: int) -> Outcome:
    """The end of a call that Vonage answered with a ``status`` other than 0."""
    return outcome_of(VONAGE_CALLS.get(status, UNKNOWN), f"vonage:{status}")


def from_http(status: int, retry_after: float | None = None) -> Outcome:
    """The end of a call that was not answered in Vonage's own words.

    A 429 was never processed; a 5xx is always ambiguous. Anything else is the word of a box in
    between (a proxy, a login page): held for all, until it is gone.
    """
    code = f"vonage:http_{status}"
    if status == 429:
        return outcome_of(TRANSIENT, code, retry_after)
    return outcome_of(AMBIGUOUS if status >= 500 else ACCOUNT, code, retry_after)


def from_receipt(status: str, code: int | None) -> Outcome:
    """The end of a message that Vonage took and reports as ``expired``, ``failed`` or
    ``rejected``, with its ``err-code`` if that is not 0."""
    if code:
        return outcome_of(VONAGE_RECEIPTS.get(code, UNKNOWN), f"vonage:{_RECEIPT}{code}")
    return outcome_of(VONAGE_ENDS[status], f"vonage:{status}")
