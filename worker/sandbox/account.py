"""What an account at Twilio may be set to: it changes the texts, the list, and what time it is.

Sources: a trial account's prefix (support.twilio.com, "Remove 'Sent from your Twilio trial
account'"); Smart Encoding (www.twilio.com/docs/messaging/services#smart-encoding) and its
characters; Message Redaction, after which the API shows ``__REDACTED__``.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Final

_PREFIX: Final = "Sent from your Twilio trial account - "
_REDACTED: Final = "__REDACTED__"
_SMART: Final = str.maketrans(
    {
        **dict.fromkeys("\u00ab\u00bb\u201c\u201d\u02ba\u02ee\u201f\u275d\u275e", '"'),
        **dict.fromkeys("\u2018\u2019\u02bb\u02c8\u02bc\u02bd\u02b9\u201b\u02ca\u00b4", "'"),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u00ad", "-"),
        **dict.fromkeys("\u00a0\u2000\u2002\u2003\u2009\u202f\u3000", " "),
        "\u2026": "...",
        "\u2022": ".",
    }
)
_MOST_OFFSET_S: Final = 864_000


@dataclass(frozen=True, slots=True)
class TwilioAccount:
    """``trial``: a prefix before every text. ``smart_encoding``: characters of GSM 03.38 in place
    of some others. ``redact``: no text in the list. ``clock_offset_s``: how far its clock is ahead
    of the sandbox's, in what it answers and in its Date header."""

    trial: bool = False
    smart_encoding: bool = False
    redact: bool = False
    clock_offset_s: float = 0

    def text(self, body: str) -> str:
        """What a handset gets for ``body``."""
        plain = body.translate(_SMART) if self.smart_encoding else body
        return _PREFIX + plain if self.trial else plain

    def shown(self, text: str) -> str:
        """What the list shows of a ``text``."""
        return _REDACTED if self.redact and text else text

    def told(self, at: datetime) -> datetime:
        """``at`` by its own clock."""
        return at + timedelta(seconds=self.clock_offset_s)

    def as_json(self) -> dict[str, object]:
        """As it can be given again."""
        return asdict(self)


class AccountError(ValueError):
    """Settings that make no sense; the text says which."""


def changed(account: TwilioAccount, given: object) -> TwilioAccount:
    """``account`` with the values of a JSON object; raises ``AccountError``."""
    if not isinstance(given, dict):
        raise AccountError("the body must be an object")
    for name, value in given.items():
        if name not in _CHECKS:
            raise AccountError(f'"{name}" is not one of {list(_CHECKS)}')
        if not _CHECKS[name](value):
            raise AccountError(f'"{name}" cannot be {value!r}')
    return replace(account, **given)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _seconds(value: object) -> bool:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return real and abs(float(str(value))) <= _MOST_OFFSET_S


_CHECKS: Final[Mapping[str, Callable[[object], bool]]] = {
    **dict.fromkeys(("trial", "smart_encoding", "redact"), _flag),
    "clock_offset_s": _seconds,
}
