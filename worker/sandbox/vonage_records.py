"""Vonage's records of what it took: the Reports API, as far as it is about SMS that were sent.

Source: developer.vonage.com/en/api/reports, "Load records synchronously".
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from worker.sandbox.credentials import VONAGE_KEY
from worker.sandbox.messages import Sms
from worker.sandbox.state import Sandbox
from worker.sandbox.vonage_account import PROVIDER
from worker.sandbox.vonage_reports import error_of, part_ids, status_of

# The name of a parameter, and why it is refused.
Refusal = tuple[str, str]

_SPAN: Final = timedelta(hours=24)
# So many at a time with the real one; fewer, so that pages are met.
_PAGE: Final = 10
_KNOWN: Final = frozenset(
    {"account_id", "product", "direction", "id", "date_start", "date_end", "include_message"}
    | {"show_concatenated", "status", "from", "to", "cursor", "iv"}
)
_WITH_ID: Final = frozenset(
    {"account_id", "product", "direction", "id", "include_message", "show_concatenated"}
)
_MISSING: Final = "Missing required parameter"


def records(sandbox: Sandbox, query: Mapping[str, str]) -> dict[str, object] | Refusal:
    """One page in its envelope, or why the query is refused."""
    if refused := _refusal(query):
        return refused
    told = sandbox.account.told
    by_id = query.get("id")
    found = [
        (sms, number)
        for (provider, _), sms in sandbox.sms_by_id.items()
        if provider == PROVIDER
        for number in range(sms.segments)
    ]
    if by_id:
        found = [(sms, number) for sms, number in found if part_ids(sms)[number] == by_id]
    else:
        start, end = (datetime.fromisoformat(query[name]) for name in ("date_start", "date_end"))
        found = [(sms, n) for sms, n in found if start <= told(sms.created) < end]
    if to := query.get("to"):
        found = [(sms, number) for sms, number in found if sms.to == f"+{to}"]
    first = int(query.get("cursor", "0"))
    shown = found[first : first + _PAGE]
    more = first + _PAGE < len(found)
    following = {"next": {"href": "/v2/reports/records"}} if more else {}
    return {
        "_links": {"self": {"href": "/v2/reports/records"}, **following},
        **({"cursor": str(first + _PAGE), "iv": "0"} if more else {}),
        "request_id": str(uuid4()),
        "request_status": "SUCCESS",
        "product": "SMS",
        "account_id": VONAGE_KEY,
        "items_count": len(shown),
        "ids_not_found": by_id if by_id and not found else "",
        "records": [_record(sandbox, sms, n, "include_message" in query) for sms, n in shown],
    }


def _refusal(query: Mapping[str, str]) -> Refusal | None:
    for name in sorted(query.keys() - (_WITH_ID if "id" in query else _KNOWN)):
        return name, "Not supported"
    for name, only in (("account_id", VONAGE_KEY), ("product", "SMS"), ("direction", "outbound")):
        if query.get(name) != only:
            return name, _MISSING if name not in query else "Invalid value"
    return None if "id" in query else _bad_span(query)


def _bad_span(query: Mapping[str, str]) -> Refusal | None:
    instants = []
    for name in ("date_start", "date_end"):
        try:
            instants.append(datetime.fromisoformat(query[name]))
        except KeyError:
            return name, _MISSING
        except ValueError:
            return name, "Invalid date"
    start, end = instants
    if start.tzinfo is None or end.tzinfo is None:
        return "date_start", "Invalid date"
    return None if start < end <= start + _SPAN else ("date_end", "Invalid range")


def _record(sandbox: Sandbox, sms: Sms, number: int, with_text: bool) -> dict[str, object]:
    status = status_of(sms, number, sandbox.clock.now())
    account = sandbox.account
    return {
        "account_id": VONAGE_KEY,
        "message_id": part_ids(sms)[number],
        "client_ref": sms.reference,
        "direction": "outbound",
        "from": sms.sender,
        "to": sms.to.removeprefix("+"),
        "concatenated": sms.segments > 1,
        "date_received": f"{account.told(sms.created):%Y-%m-%dT%H:%M:%S}+0000",
        "status": status,
        "error_code": error_of(sms, status),
        "total_price": "0.03330000",
        **({"message_body": account.shown(_text(sms, number))} if with_text else {}),
    }


def _text(sms: Sms, number: int) -> str:
    """A share of the text: that each record has its own part of it is the harder case."""
    size = -(-len(sms.body) // sms.segments)
    return sms.body[number * size : (number + 1) * size]
