"""Where a list goes on, as it stands in an address: the key of the last row."""

import base64
import binascii
import json
from datetime import date

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
    if not text:
        return None
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        first, last = json.loads(base64.urlsafe_b64decode(padded))
        if not isinstance(first, str) or not is_storable(first):
            raise ValueError
        if type(last) is not int or not 0 <= last < 2**63:  # True is an int, too
            raise ValueError
        if dated:
            date.fromisoformat(first)
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise HTTPException(404) from None
    return first, last
