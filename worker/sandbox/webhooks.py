"""How the sandbox calls back, and how that is read from JSON."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final
from urllib.parse import urlsplit

# Where an account's own webhooks are, on the web process of Vigencia.
EVENTS_PATH: Final = "/webhooks/sendgrid/events"
INBOUND_PATH: Final = "/webhooks/twilio/inbound"
_LONGEST_MS: Final = 600_000


@dataclass(frozen=True, slots=True)
class Webhooks:
    """``status_delay_ms`` lies between two steps of a message (real time, whatever the clock
    says), ``retry_ms`` before the first repetition; rates are 0..1. ``shuffle`` sends what belongs
    to a message late and in any order. ``event_drop_rate`` is the ``drop_rate`` of email (default:
    the same): SendGrid repeats its events for 24 hours, Twilio's callbacks are best effort."""

    status_delay_ms: float = 200
    retry_ms: float = 500
    duplicate_rate: float = 0
    drop_rate: float = 0
    event_drop_rate: float | None = None
    shuffle: bool = False
    events_url: str | None = None
    inbound_url: str | None = None

    def as_json(self) -> dict[str, object]:
        """As it can be given again."""
        return asdict(self)


DEFAULT: Final = Webhooks()


class WebhooksError(ValueError):
    """Settings that make no sense; the text says which."""


def changed(webhooks: Webhooks, given: object) -> Webhooks:
    """``webhooks`` with the values of a JSON object; raises ``WebhooksError``."""
    if not isinstance(given, dict):
        raise WebhooksError("the body must be an object")
    for name, value in given.items():
        if name not in _CHECKS:
            raise WebhooksError(f'"{name}" is not one of {list(_CHECKS)}')
        test, words = _CHECKS[name]
        if not test(value):
            raise WebhooksError(f'"{name}" must be {words}')
    return replace(webhooks, **given)


def is_here(url: str) -> bool:
    """Does ``url`` lead to this machine? The sandbox calls no other."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    except ValueError:
        return False


def _number(most: float) -> Callable[[object], bool]:
    def test(value: object) -> bool:
        real = isinstance(value, int | float) and not isinstance(value, bool)
        return real and 0 <= float(str(value)) <= most

    return test


def _url(value: object) -> bool:
    return value is None or (isinstance(value, str) and is_here(value))


_CHECKS: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    "status_delay_ms": (_number(_LONGEST_MS), f"milliseconds, from 0 to {_LONGEST_MS}"),
    "retry_ms": (_number(_LONGEST_MS), f"milliseconds, from 0 to {_LONGEST_MS}"),
    "duplicate_rate": (_number(1), "a number from 0 to 1"),
    "drop_rate": (_number(1), "a number from 0 to 1"),
    "event_drop_rate": (
        lambda value: value is None or _number(1)(value),
        "a number from 0 to 1, or null",
    ),
    "shuffle": (lambda value: isinstance(value, bool), "true or false"),
    "events_url": (_url, "an http address on this machine, or null"),
    "inbound_url": (_url, "an http address on this machine, or null"),
}
