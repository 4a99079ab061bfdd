"""The delivery receipts of a message: each of its parts has its own.

Source: developer.vonage.com/en/messaging/sms/guides/delivery-receipts.
"""

from datetime import datetime
from functools import partial
from typing import Final

from worker.sandbox.callbacks import Reported
from worker.sandbox.fault_rules import Rule
from worker.sandbox.lifecycle import DELIVERED, Ending
from worker.sandbox.messages import Sms
from worker.sandbox.posting import Post
from worker.sandbox.state import Sandbox
from worker.sandbox.twilio_message import DELIVERED_AFTER
from worker.sandbox.vonage_account import account_of

# Codes of faults that are not told to be Vonage's.
_OTHERS: Final = 1000
_ABSENT: Final = 2


def part_ids(sms: Sms) -> list[str]:
    """The ids of the parts of ``sms``, whose own is the first one's."""
    return [f"{sms.id[:-2]}{number:02X}" for number in range(sms.segments)]


def ending(rule: Rule | None) -> Ending:
    """How a message ends that a fault has struck: the last part of it, if it has several."""
    if rule is None:
        return DELIVERED
    code = rule.code if 0 < rule.code < _OTHERS else _ABSENT
    status = {"failed": "rejected"}.get(rule.kind, "failed")
    return Ending(status, code, rule.kind == "delivered_late")


def reports(sms: Sms, sandbox: Sandbox) -> list[Reported]:
    """Every receipt of ``sms``, if it has a callback."""
    if sms.status_callback is None:
        return []
    found = []
    for number, part in enumerate(part_ids(sms)):
        for status in ("accepted", *_ends(sms, number)):
            make = partial(_receipt, sms, part, status, sandbox)
            found.append(Reported(f"{part}:{status}", make))
    return found


def _ends(sms: Sms, number: int) -> tuple[str, ...]:
    if number < sms.segments - 1 or sms.ending is DELIVERED:
        return ("delivered",)
    return (sms.ending.status, "delivered") if sms.ending.late else (sms.ending.status,)


def status_of(sms: Sms, number: int, now: datetime) -> str:
    """What the records say of a part: what was told of it, or what the time that has passed makes
    of it."""
    part = part_ids(sms)[number]
    ends = _ends(sms, number)
    for status in reversed(ends):
        if f"{part}:{status}" in sms.reached:
            return status
    return ends[0] if now >= sms.created + DELIVERED_AFTER else "accepted"


def error_of(sms: Sms, status: str) -> str:
    """The ``err-code`` of a part in this status."""
    failed = sms.ending is not DELIVERED and status == sms.ending.status
    return str(sms.ending.code or 0) if failed else "0"


def _receipt(sms: Sms, part: str, status: str, sandbox: Sandbox) -> Post:
    fields = {
        "msisdn": sms.to.removeprefix("+"),
        "to": str(sms.sender),
        "network-code": "71610",
        "messageId": part,
        "price": "0.03330000",
        "status": status,
        "scts": f"{sandbox.clock.now():%y%m%d%H%M}",
        "err-code": error_of(sms, status),
        "client-ref": sms.reference,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    return account_of(sandbox).post(str(sms.status_callback), given, sandbox.clock)
