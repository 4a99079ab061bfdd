"""Where a list goes on, as it stands in an address: the key of the last row."""

import base64
import binascii
import json
from collections.abc import Callable
from datetime import date, datetime

from starlette.exceptions import HTTPException

from worker.core.storable import is_storable
from worker.store.console.pages import Key


def written(key: Key | None) -> str | None:
    """``key`` for an address; ``None`` on the last page."""
    if key is None:
        return None
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def read(text: str, *, dated: bool) -> Key | None:
    """The key in an address, ``None`` for the first page. Raises 404 for what we did not write.
    ``dated``: the list is in order of days."""
    return _read(text, date.fromisoformat if dated else str)


def read_timed(text: str) -> Key | None:
    """The same of a list in order of instants."""
    return _read(text, _instant)


def read_number(text: str) -> Key | None:
    """The same of a list in order of its numbers."""
    return _read(text, None)


def _read(text: str, check: Callable[[str], object] | None) -> Key | None:
    if not text:
        return None
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        key = json.loads(base64.urlsafe_b64decode(padded))
        *first, last = key
        if type(last) is not int or not 0 <= last < 2**63:
            raise ValueError
        if check is None:
            [] = first
            return (last,)
        [one] = first
        if not isinstance(one, str) or not is_storable(one):
            raise TypeError
        check(one)
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        raise HTTPException(404) from None
    return one, last


def _instant(text: str) -> None:
    at = datetime.fromisoformat(text)
    if at.utcoffset() is None or not 1970 < at.year < 9999:
        raise ValueError
