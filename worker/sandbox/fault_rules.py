"""What a fault rule may say, and how it is read from JSON.

A rule is an object with ``channel``, ``kind``, at least one of ``rate`` (0..1), ``times`` (how
often it may fire), ``to`` and ``until``, and the options of its kind; all that it names must hold.
``to`` is an address, or the beginning of some and a star (``+51*``), or a star and their end
(``*@example.com``). ``since`` and ``until`` are instants on the sandbox's clock with their UTC
offset: an outage lasts from the one to the other, a refusal until it is mended. ``on`` is
``create`` (the default), ``fetch`` or ``list``. ``provider``, where several carry the channel, is
the one that it strikes; ``code`` is in its words (default: all of them, in Twilio's). The kinds of
``LATER`` strike a message that was accepted: they show in its status and its events.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal

Channel = Literal["sms", "email"]
Operation = Literal["create", "fetch", "list"]
Phase = Literal["before", "after", "later"]

# Each kind's options with their defaults.
KINDS: Final[Mapping[str, Mapping[str, float | str]]] = {
    "rate_limit": {"retry_after": 1},
    "error_before": {"status": 503},
    "error_after": {"status": 503},
    "timeout_before": {"hold_s": 30},
    "timeout_after": {"hold_s": 30},
    "reset_before": {},
    "reset_after": {},
    "truncated_after": {},
    "html_before": {"status": 502},
    "html_after": {"status": 502},
    "trickle_after": {"hold_s": 30},
    "renamed_after": {"id": ""},
    "code": {"code": 0, "status": 400, "message": "Refused by a fault rule"},
    "slow": {"extra_ms": 1000},
    "undelivered": {"code": 30003},
    "failed": {"code": 30008},
    "delivered_late": {"code": 30005},
    "bounce": {"why": ""},
    "blocked": {"why": ""},
    "dropped": {"why": ""},
    "deferred": {},
    "spamreport": {},
    "unsubscribe": {},
    "group_unsubscribe": {},
    "group_resubscribe": {},
}
# What can befall an accepted message, and on which channel.
LATER: Final[Mapping[str, Channel]] = {
    **dict.fromkeys(("undelivered", "failed", "delivered_late"), "sms"),
    **dict.fromkeys(("bounce", "blocked", "dropped", "deferred"), "email"),
    **dict.fromkeys(("spamreport", "unsubscribe"), "email"),
    **dict.fromkeys(("group_unsubscribe", "group_resubscribe"), "email"),
}
# What a box in between may answer beside errors: a captive portal or a login form looks like
# success, or sends elsewhere.
_PAGES: Final = (200, 301, 302, 303, 307, 308)
_COMMON: Final = ("channel", "kind", "on", "provider", "rate", "times", "to", "since", "until")


class FaultRuleError(ValueError):
    """A fault plan that makes no sense; the text says which rule and why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault. ``hold_s`` and ``retry_after`` are seconds, ``extra_ms`` milliseconds; ``id`` is
    what an accepted message is named in the answer, ``why`` the class or reason of an event."""

    channel: Channel
    kind: str
    on: Operation = "create"
    provider: str | None = None
    rate: float | None = None
    times: int | None = None
    to: str | None = None
    since: str | None = None
    until: str | None = None
    status: int = 503
    code: int = 0
    message: str = ""
    hold_s: float = 30
    retry_after: int = 1
    extra_ms: float = 1000
    id: str = ""
    why: str = ""

    @property
    def phase(self) -> Phase:
        """Whether it strikes before the call was processed, after the message was accepted, or
        the message itself, later."""
        if self.kind in LATER:
            return "later"
        return "after" if self.kind.endswith("_after") else "before"

    def names(self, address: str) -> bool:
        """Is ``address`` one of those that the rule is about?"""
        own, given = (self.to or "*").lower(), address.lower()
        if own.endswith("*"):
            return given.startswith(own[:-1])
        return given.endswith(own[1:]) if own.startswith("*") else given == own

    def holds(self, now: datetime) -> bool:
        """Is it the rule's time?"""
        begun = self.since is None or datetime.fromisoformat(self.since) <= now
        return begun and (self.until is None or now < datetime.fromisoformat(self.until))

    def as_json(self) -> dict[str, object]:
        """The rule as it can be given again, with every default spelled out."""
        words = {*_COMMON, *KINDS[self.kind]} - ({"code"} if self.channel == "email" else set())
        return {
            name: value
            for name, value in asdict(self).items()
            if name in words and value not in (None, "")
        }


def _whole(low: int, high: int) -> Callable[[object], bool]:
    return lambda value: type(value) is int and low <= value <= high


def _number(low: float, high: float) -> Callable[[object], bool]:
    def test(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return low <= value <= high

    return test


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _instant(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


# What each value must be: the test, and the words for a person.
_CHECKS: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    "channel": (lambda value: value in ("sms", "email"), '"sms" or "email"'),
    "kind": (lambda value: isinstance(value, str) and value in KINDS, f"one of {list(KINDS)}"),
    "on": (lambda value: value in ("create", "fetch", "list"), '"create", "fetch" or "list"'),
    "provider": (_text, "the name of a provider"),
    "rate": (_number(0, 1), "a number from 0 to 1"),
    "times": (_whole(1, 1_000_000), "a whole number from 1"),
    "to": (_text, "an address, or its beginning or end with a star"),
    "since": (_instant, "an instant with its UTC offset"),
    "until": (_instant, "an instant with its UTC offset"),
    "status": (_whole(400, 599), "an HTTP status from 400 to 599"),
    "id": (_text, "a text"),
    "why": (_text, "a text"),
    "message": (_text, "a text"),
    "hold_s": (_number(0, 600), "seconds, from 0 to 600"),
    "retry_after": (_whole(0, 86_400), "whole seconds, from 0 to 86400"),
    "extra_ms": (_number(0, 600_000), "milliseconds, from 0 to 600000"),
}
_TWILIO_CODE: Final = (_whole(10_000, 999_999), "a Twilio error code of five or six digits")
_OTHER_CODE: Final = (_whole(1, 999_999), "a number from 1 to 999999")


def parse_rules(data: object) -> tuple[Rule, ...]:
    """Read a JSON list of rules; raises ``FaultRuleError``."""
    if not isinstance(data, list):
        raise FaultRuleError("the rules must be a list")
    return tuple(_rule(number, item) for number, item in enumerate(data))


def _rule(number: int, item: object) -> Rule:
    if not isinstance(item, dict):
        raise FaultRuleError(f"rule {number} must be an object")
    for problem in _problems(item):
        raise FaultRuleError(f"rule {number}: {problem}")
    return Rule(**{**KINDS[item["kind"]], **item})


def _problems(item: dict[str, Any]) -> list[str]:
    """What is wrong with a rule: its channel and kind first, since the rest depends on them."""
    missing = [f'"{name}" is missing' for name in ("channel", "kind") if name not in item]
    if found := missing or _bad_values({k: item[k] for k in ("channel", "kind")}):
        return found
    kind, channel = str(item["kind"]), item["channel"]
    options = set(KINDS[kind]) - ({"code"} if channel == "email" else set())
    found = [
        f'"{name}" is not an option of {kind} on {channel}'
        for name in item
        if name not in _COMMON and name not in options
    ]
    if not item.keys() & {"rate", "times", "to", "until"}:
        found.append('one of "rate", "times", "to" and "until" must say when it strikes')
    if LATER.get(kind, channel) != channel:
        found.append(f"{kind} is not something that happens on {channel}")
    if kind in LATER and item.get("on", "create") != "create":
        found.append(f'"on" can only be "create" for {kind}')
    if kind == "code" and "code" in options and "code" not in item:
        found.append('"code" is missing: the error to answer with')
    if channel == "email" and item.get("on", "create") != "create":
        found.append('"on" can only be "create" for email')
    if kind == "renamed_after" and "id" not in item:
        found.append('"id" is missing: what the message is named in the answer')
    if kind.startswith("html") and item.get("status") in _PAGES:
        return found + _bad_values({k: v for k, v in item.items() if k != "status"})
    return found + _bad_values(item)


def _bad_values(item: Mapping[str, object]) -> list[str]:
    code = _TWILIO_CODE if item.get("provider") in (None, "twilio") else _OTHER_CODE
    return [
        f'"{name}" must be {words}'
        for name, (test, words) in {**_CHECKS, "code": code}.items()
        if name in item and not test(item[name])
    ]
