"""Twilio's list of messages: filters and pages.

Source: twilio-oai, ListMessage. Newest first. ``PageToken`` says where a page starts, so that
messages that arrive between two calls shift nothing; ``Page`` alone counts from the newest.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from worker.sandbox.messages import Sms
from worker.sandbox.state import Sandbox
from worker.sandbox.twilio_message import ACCOUNT_PATH, progress, resource
from worker.sandbox.twilio_rules import Refusal

_LIST_PATH: Final = f"{ACCOUNT_PATH}/Messages.json"
_PAGE_SIZE: Final = 50
_PAGE_SIZE_MAX: Final = 1000
_FILTERS: Final = ("To", "From", "DateSent", "DateSent<", "DateSent>")


def list_messages(sandbox: Sandbox, query: Mapping[str, str]) -> dict[str, object] | Refusal:
    """One page in Twilio's envelope, or why the query is refused."""
    try:
        size = _count(query.get("PageSize"), _PAGE_SIZE, low=1)
        page = _count(query.get("Page"), 0, low=0)
        wanted = _date_filter(query)
    except ValueError as problem:
        return Refusal(20400, str(problem))
    if size > _PAGE_SIZE_MAX:
        return Refusal(20007, f"Page size too large. The maximum is {_PAGE_SIZE_MAX}.")
    now = sandbox.clock.now()
    told = sandbox.account.told

    def is_wanted(sms: Sms) -> bool:
        sent = progress(sms, now).sent
        return wanted(None if sent is None else told(sent))

    found = [sms for sms in _newest_first(sandbox, query, now) if is_wanted(sms)]
    start = _start(found, query.get("PageToken"), page * size)
    if start is None:
        return Refusal(20400, "The PageToken is not one of this list.")
    shown = [resource(sms, now, sandbox.account) for sms in found[start : start + size]]
    return _envelope(query, found, start, page, size, shown)


def _count(text: str | None, default: int, *, low: int) -> int:
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or int(text) < low:
        raise ValueError(f"Page and PageSize are whole numbers; {text} is not one from {low}.")
    return int(text)


def _newest_first(sandbox: Sandbox, query: Mapping[str, str], now: datetime) -> Iterable[Sms]:
    to, sender = query.get("To"), query.get("From")
    kept = sandbox.sms_by_number.get(("twilio", to), []) if to else _all(sandbox)
    received = [sms for sms in sandbox.received if not to or sms.to == to]
    both = sorted([*kept, *received], key=lambda sms: sms.created) if received else kept
    for sms in reversed(both):
        if not sender or progress(sms, now).sender == sender:
            yield sms


def _all(sandbox: Sandbox) -> list[Sms]:
    return [sms for (provider, _), sms in sandbox.sms_by_id.items() if provider == "twilio"]


def _date_filter(query: Mapping[str, str]) -> Callable[[datetime | None], bool]:
    """Twilio: it filters on the sent date, so a message still queued matches no date at all."""
    on, until, since = (_date(query.get(name)) for name in _FILTERS[2:])
    if on is until is since is None:
        return lambda _sent: True
    return lambda sent: (
        sent is not None
        and (on is None or sent.date() == on.date())
        and (until is None or sent <= until or sent.date() == until.date())
        and (since is None or sent >= since)
    )


def _date(text: str | None) -> datetime | None:
    """A GMT date or date with time; raises ``ValueError``."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _start(found: list[Sms], token: str | None, offset: int) -> int | None:
    """Where the page starts: a token is ``PA`` and the SID of the message before it."""
    if not token:
        return offset
    for index, sms in enumerate(found):
        if token == f"PA{sms.id}":
            return index + 1
    return None


def _envelope(
    query: Mapping[str, str],
    found: list[Sms],
    start: int,
    page: int,
    size: int,
    shown: list[dict[str, object]],
) -> dict[str, object]:
    more = start + size < len(found)
    first = max(start - size, 0)
    before = f"PA{found[first - 1].id}" if 0 < first <= len(found) else None
    given = {name: query[name] for name in _FILTERS if query.get(name)}

    def uri(number: int, token: str | None = None) -> str:
        extra = {"PageToken": token} if token else {}
        return f"{_LIST_PATH}?{urlencode({**given, 'PageSize': size, 'Page': number, **extra})}"

    return {
        "messages": shown,
        "page": page,
        "page_size": size,
        "start": page * size,
        "end": max(page * size + len(shown) - 1, 0),
        "uri": uri(page, query.get("PageToken")),
        "first_page_uri": uri(0),
        "next_page_uri": uri(page + 1, f"PA{shown[-1]['sid']}") if more else None,
        "previous_page_uri": uri(page - 1, before) if page > 0 else None,
    }
