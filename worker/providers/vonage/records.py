"""What Vonage's records show of what it took: each part of a text is a record of its own.

Source: developer.vonage.com/en/api/reports, "Load records synchronously", product ``SMS``.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from worker.core.reports import CONFIRMED
from worker.providers.base import Sighting
from worker.providers.vonage.reports import ENDS, code_of, referred_to

_LONGEST_STATUS: Final = 30
# Years between which an instant can be reckoned with.
_FIRST, _LAST = 2000, 9000


@dataclass(frozen=True, slots=True)
class Record:
    """One part of a text, or the whole of a short one; ``received``: when Vonage was called, by its
    own clock. ``parts`` is 1 and ``attempt`` ``None`` of what is not ours."""

    message_id: str
    to: str
    text: str
    status: str
    error_code: str
    received: datetime
    attempt: UUID | None
    parts: int


@dataclass(frozen=True, slots=True)
class RecordPage:
    """Some records, and the parameters that ask for the next ones, if there are any."""

    records: Sequence[Record]
    following: Mapping[str, str]


def page(body: bytes) -> RecordPage:
    """Read an answer. Raises ``ValueError`` for what is none, or does not say all it should."""
    try:
        found = json.loads(body)
        records = [_record(one) for one in found["records"]]
        more = "next" in (found.get("_links") or {})
        following = {name: str(found[name]) for name in ("cursor", "iv")} if more else {}
    except (LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(type(error).__name__) from error
    if found.get("request_status") not in ("SUCCESS", "TRUNCATED" if more else "SUCCESS"):
        raise ValueError("not complete")
    return RecordPage(records, following)


def _record(one: Mapping[str, Any]) -> Record:
    attempt, parts = referred_to(one.get("client_ref"))
    return Record(
        message_id=str(one["message_id"]),
        to=str(one["to"]).removeprefix("+"),
        text=str(one.get("message_body") or ""),
        status=str(one["status"]).lower()[:_LONGEST_STATUS],
        error_code=str(one.get("error_code") or ""),
        received=_utc(datetime.fromisoformat(str(one["date_received"]))),
        attempt=attempt,
        parts=parts,
    )


def _utc(at: datetime) -> datetime:
    """Raises ``ValueError`` for what is no instant of our time."""
    if not _FIRST <= at.year < _LAST:
        raise ValueError("no instant of our time")
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def sightings(records: Iterable[Record], ahead: timedelta) -> list[Sighting]:
    """One for each text, however many parts it fell into, the newest first; ``ahead``: how far
    Vonage's clock is ahead of ours."""
    texts: dict[object, dict[str, Record]] = {}
    for one in records:
        texts.setdefault(one.attempt or one.message_id, {})[one.message_id] = one
    found = [_sighting(sorted(of.values(), key=_place), ahead) for of in texts.values()]
    return sorted(found, key=lambda one: one.created_at, reverse=True)


def _place(one: Record) -> tuple[datetime, str]:
    return one.received, one.message_id


def _sighting(parts: Sequence[Record], ahead: timedelta) -> Sighting:
    """A text has failed with one of its parts, and is delivered with the last of them."""
    first = parts[0]
    failed = next((one for one in parts if one.status in ENDS), None)
    waiting = next((one for one in parts if one.status != CONFIRMED), None)
    if waiting is None and len(parts) < first.parts:
        status = "accepted"
    else:
        status = (failed or waiting or first).status
    texts = [one.text for one in parts]
    return Sighting(
        provider_id=first.message_id,
        text=texts[0] if len(set(texts)) == 1 else "".join(texts),
        created_at=first.received - ahead,
        status=status,
        error_code=code_of(status, failed.error_code, 1) if failed else None,
        attempt=first.attempt,
    )
