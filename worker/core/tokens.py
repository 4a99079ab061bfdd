"""Signed links: whoever holds one may do one thing, for a time, without an account.

A token is an id and a day in base 62, then a truncated HMAC-SHA256 over both and the purpose. It
holds no address and no name, and is short enough for an SMS.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_EPOCH: Final = date(2025, 1, 1)
_DAY_BITS: Final = 14  # until 2069
_MAC: Final = 10  # characters: 59 bits, to be guessed over the network only
_TOKEN: Final = re.compile(rf"[0-9A-Za-z]{{3,14}}[0-9A-Za-z]{{{_MAC}}}")
SHORTEST_KEY: Final = 32


class Purpose(StrEnum):
    """What a link is for; also the first part of its path."""

    STOP_SMS = "o"
    STOP_EMAIL = "u"
    RESUME = "b"
    RENEWED = "r"
    TOMORROW = "t"
    WORKS = "w"
    FAILS = "f"


# A link in a text: whoever has its token can act for the holder.
_LINK: Final = re.compile(rf"(/[{''.join(Purpose)}]/)[0-9A-Za-z]{{13,}}")

# To stop must be possible from an old message too; the other answers are about one deadline.
_STOP: Final = timedelta(days=365)
_ANSWER: Final = timedelta(days=60)
LIFETIMES: Final = {
    Purpose.STOP_SMS: _STOP,
    Purpose.STOP_EMAIL: _STOP,
    Purpose.RESUME: _STOP,
    Purpose.RENEWED: _ANSWER,
    Purpose.TOMORROW: _ANSWER,
    Purpose.WORKS: _ANSWER,
    Purpose.FAILS: _ANSWER,
}


class BadTokenError(Exception):
    """It was not made by us for this purpose; why is nobody's business."""


class ExpiredTokenError(Exception):
    """It was made by us for this purpose, and its last day is over."""


@dataclass(frozen=True, slots=True)
class Signer:
    """``keys``: the first signs, all are accepted, so that a key can be changed."""

    keys: Sequence[bytes] = field(repr=False)
    # To begin with a key takes most of the time of a signature: it is done once.
    _begun: tuple[hmac.HMAC, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        begun = tuple(hmac.new(key, digestmod=hashlib.sha256) for key in self.keys)
        object.__setattr__(self, "_begun", begun)

    def sign(self, purpose: Purpose, row: int, now: datetime) -> str:
        """A token for the row with this id (of messages or reminders, as the purpose has it)."""
        last = (now + LIFETIMES[purpose]).astimezone(UTC).date()
        payload = _base62(row << _DAY_BITS | (last - _EPOCH).days)
        return payload + _mac(self._begun[0], purpose, payload)

    def read(self, purpose: Purpose, token: str, now: datetime) -> int:
        """The id in ``token``. Raises ``BadTokenError`` or ``ExpiredTokenError``."""
        if not _TOKEN.fullmatch(token):
            raise BadTokenError
        payload, mac = token[:-_MAC], token[-_MAC:]
        # All keys are tried, each in constant time, so that the time tells nothing.
        matches = [hmac.compare_digest(_mac(key, purpose, payload), mac) for key in self._begun]
        if not any(matches):
            raise BadTokenError
        number = _number(payload)
        last = _EPOCH + timedelta(days=number & ((1 << _DAY_BITS) - 1))
        if now.astimezone(UTC).date() > last:
            raise ExpiredTokenError
        return number >> _DAY_BITS


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of what a holder may answer; ``base`` is the public address without a slash."""

    base: str
    signer: Signer

    def to(self, purpose: Purpose, row: int, now: datetime) -> str:
        """The link for one row, as it stands in a message of ``now``."""
        return f"{self.base}/{purpose}/{self.signer.sign(purpose, row, now)}"


def sample_link(base: str) -> str:
    """As long as a link in an SMS becomes: ids up to 200 million."""
    return f"{base}/{Purpose.STOP_SMS}/{'0' * (7 + _MAC)}"


def _mac(begun: hmac.HMAC, purpose: Purpose, payload: str) -> str:
    signed = begun.copy()
    signed.update(f"vigencia link {purpose} {payload}".encode())
    number = int.from_bytes(signed.digest()[:16], "big")
    return _base62(number % 62**_MAC).rjust(_MAC, "0")


def _base62(number: int) -> str:
    text = ""
    while number or not text:
        number, digit = divmod(number, 62)
        text = _DIGITS[digit] + text
    return text


def _number(text: str) -> int:
    number = 0
    for character in text:
        number = number * 62 + _DIGITS.index(character)
    return number


def without_tokens(text: str) -> str:
    """``text`` for others to read: of each link in it the signed part is hidden."""
    return _LINK.sub(r"\1***", text)
