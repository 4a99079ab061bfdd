"""What Vonage's reports mean: a delivery receipt, or the same status in its records.

Sources: developer.vonage.com/en/messaging/sms/guides/delivery-receipts and
developer.vonage.com/en/api/reports (which adds ``submitted`` and ``deleted``: taken from one queue
to stand in another).
"""

import re
from typing import Final
from uuid import UUID

from worker.core.reports import CONFIRMED, News, Phase, Report
from worker.providers.vonage.outcomes import VONAGE_ENDS, from_receipt
from worker.providers.webhooks import as_uuid

# "unknown": no useful information. It was taken, and that is all.
PROGRESS: Final = frozenset({"accepted", "buffered", "submitted", "deleted", "unknown"})
ENDS: Final = frozenset(VONAGE_ENDS)
STATUSES: Final = PROGRESS | ENDS | {CONFIRMED}

_OF_PARTS: Final = re.compile(r"parts_([0-9]{1,3})", re.ASCII)
_REFERENCE: Final = re.compile(r"([0-9a-f-]{36})\.([1-9][0-9]{0,2})", re.ASCII)


def news(report: Report) -> News | None:
    """See ``Declaration``."""
    code = report.code or ""
    if report.status in ENDS:
        return News(
            Phase.FAILED, from_receipt(report.status, int(code) if code.isdecimal() else None)
        )
    if report.status == CONFIRMED:
        several = _OF_PARTS.fullmatch(code)
        return News(Phase.DELIVERED, parts=int(several[1]) if several else 1)
    return News(Phase.TAKEN) if report.status in PROGRESS else None


def code_of(status: str, code: str, parts: int) -> str | None:
    """The code of a report about one of so many ``parts``, from Vonage's ``code``: why it failed,
    or of how many parts it tells of one."""
    if status == CONFIRMED:
        return f"parts_{parts}" if parts > 1 else None
    known = code.isascii() and code.isdecimal() and len(code) <= 4 and int(code)
    return str(int(code)) if known else None


def reference(attempt: UUID, parts: int) -> str:
    """What a message carries as ``client-ref``, and each receipt and record of it brings back: the
    attempt, and into how many parts its text falls. At most 40 characters, as the API's first
    editions had it (now 100)."""
    return f"{attempt}.{parts}"


def referred_to(text: object) -> tuple[UUID | None, int]:
    """The attempt and the number of parts of a ``client-ref``, if it is one of ours."""
    found = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
    attempt = as_uuid(found[1]) if found else None
    return (attempt, int(found[2])) if found and attempt else (None, 1)
