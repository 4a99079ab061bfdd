"""Vonage's settings: their forms, the account they come to, and what it may be asked.

Sources: developer.vonage.com/en/api/sms (an API key has 8 characters, a callback at most 100),
developer.vonage.com/en/messaging/sms/guides/custom-sender-id (a number, or a name of up to 11
letters and digits without spaces), developer.vonage.com/en/api/account (the balance, in EUR).
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from worker.providers.declaration import Question, Remark
from worker.providers.given import Configured, Given
from worker.providers.vonage.webhook import RECEIPT_PATH

OWN_URL: Final = "https://rest.nexmo.com"
# Records of what was sent stand at another address.
_REPORTS_URL: Final = "https://api.nexmo.com"

_KEY: Final = re.compile(r"[0-9A-Za-z]{8}", re.ASCII)
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_SHORT_CODE: Final = re.compile(r"[0-9]{3,6}", re.ASCII)
# At least one letter, or a number without + would be one.
_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]{1,11}", re.ASCII)
_TOLL_FREE: Final = re.compile(r"\+18(00|33|44|55|66|77|88)\d{7}")
_LONGEST_CALLBACK: Final = 100
_NEEDED: Final = (("api_key",), ("api_secret",), ("from",))


@dataclass(frozen=True, slots=True)
class VonageSettings:
    """``sender`` is a number with +, a short code or a name; ``callback``: where receipts go."""

    api_key: str
    api_secret: str = field(repr=False)
    sender: str
    base_url: str | None = None
    callback: str | None = None

    @property
    def address(self) -> str:
        """See ``Credentials``."""
        return self.base_url or OWN_URL

    @property
    def reports_address(self) -> str:
        """Where Vonage is asked what it took."""
        return self.base_url or _REPORTS_URL

    @property
    def authorization(self) -> str:
        """HTTP Basic credentials (RFC 7617)."""
        return "Basic " + b64encode(f"{self.api_key}:{self.api_secret}".encode()).decode()


def configure(given: Given, errors: list[str]) -> Configured | None:
    """See ``Declaration``. Receipts are asked for only where they can be believed."""
    if not given.is_complete(_NEEDED, errors):
        return None
    errors += _wrong(given)
    key = given.text("api_key")
    live = key != given.sandbox.get("api_key")
    known = given.text("signature_secret") if live else given.sandbox.get("signature_secret")
    callback = f"{given.public_url}{RECEIPT_PATH}" if given.public_url and known else None
    if callback and len(callback) > _LONGEST_CALLBACK:
        most = _LONGEST_CALLBACK - len(RECEIPT_PATH)
        errors.append(f"web.public_url is too long for Vonage, which takes {most} characters of it")
    url = given.base_url(live, errors)
    account = VonageSettings(key, given.text("api_secret"), given.text("from"), url, callback)
    return Configured(account, live)


def _wrong(given: Given) -> Iterator[str]:
    """What cannot work; nothing of what may."""
    if not _KEY.fullmatch(given.text("api_key")):
        yield "VONAGE_API_KEY is not 8 letters and digits, as Vonage's dashboard shows it"
    yield from given.strange("api_secret")
    if given.text("signature_secret"):
        yield from given.strange("signature_secret")
    sender = given.text("from")
    if not any(form.fullmatch(sender) for form in (_NUMBER, _SHORT_CODE, _NAME)):
        yield (
            "VONAGE_FROM is no sender: write a number with + and without spaces, such as "
            "+15017122661, a short code, or a name of up to 11 letters and digits without spaces"
        )


def pace(sender: str) -> float | None:
    """Segments a second that Vonage takes from a sender (api.support.vonage.com, "What is the
    throughput limit for outbound SMS?"): 1 from a long number of North America, else as many as
    an account may make calls."""
    if sender.startswith("+1") and not _TOLL_FREE.fullmatch(sender):
        return 1.0
    return 30.0


def question(account: VonageSettings) -> Question:
    """Vonage is asked for the balance."""
    url = f"{account.address}/account/get-balance"
    return Question(url, account.authorization, "VONAGE_API_KEY and VONAGE_API_SECRET", _read)


def _read(found: Mapping[str, Any]) -> Remark:
    value = found.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Remark("warning", "Vonage answered without a balance", "see Vonage's status page")
    if value <= 0 and found.get("autoReload") is not True:
        message = "Vonage knows the account, but it has no credit"
        return Remark("error", message, "top it up, or switch on auto reload")
    return Remark("ok", f"Vonage knows the account; its balance is {value:.2f} EUR")
