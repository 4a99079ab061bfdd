"""Twilio's settings: their forms, the account they come to, and what it may be asked.

Sources: www.twilio.com/docs/glossary/what-is-a-sid (a prefix and 32 hexadecimal digits),
www.twilio.com/docs/glossary/what-e164,
www.twilio.com/docs/glossary/what-alphanumeric-sender-id (up to 11 characters),
www.twilio.com/docs/iam/api/account (fetch an account: status and type).
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from worker.providers.declaration import Question, Remark
from worker.providers.given import Configured, Given
from worker.providers.twilio.webhook import STATUS_PATH

OWN_URL: Final = "https://api.twilio.com"

_SID: Final = r"{}[0-9a-fA-F]{{32}}"
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_SHORT_CODE: Final = re.compile(r"[0-9]{3,6}", re.ASCII)
# At least one letter, or a number without + would be one.
_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9 &_+-]{0,10}", re.ASCII)
_TOLL_FREE: Final = re.compile(r"\+18(00|33|44|55|66|77|88)\d{7}")
_LONG_CODE: Final = re.compile(r"\+\d{7,15}")
_NEEDED: Final = (("account_sid",), ("auth_token",), ("from", "messaging_service_sid"))


@dataclass(frozen=True, slots=True)
class TwilioSettings:
    """``sender`` is a number or, if it begins with ``MG``, a messaging service."""

    account_sid: str
    auth_token: str = field(repr=False)
    sender: str
    base_url: str | None = None
    status_callback: str | None = None

    @property
    def address(self) -> str:
        """See ``Credentials``."""
        return self.base_url or OWN_URL


def configure(given: Given, errors: list[str]) -> Configured | None:
    """See ``Declaration``. A messaging service counts more than a number."""
    if not given.is_complete(_NEEDED, errors):
        return None
    errors += _wrong(given)
    sid = given.text("account_sid")
    live = sid != given.sandbox.get("account_sid")
    callback = f"{given.public_url}{STATUS_PATH}" if given.public_url else None
    sender = given.text("messaging_service_sid") or given.text("from")
    url = given.base_url(live, errors)
    return Configured(TwilioSettings(sid, given.text("auth_token"), sender, url, callback), live)


def _wrong(given: Given) -> Iterator[str]:
    """What cannot work; nothing of what may."""
    if not _is_sid("AC", given.text("account_sid")):
        yield "TWILIO_ACCOUNT_SID is not AC and 32 hexadecimal digits, as Twilio's Console shows it"
    yield from given.strange("auth_token")
    service, number = given.text("messaging_service_sid"), given.text("from")
    if service and not _is_sid("MG", service):
        yield "TWILIO_MESSAGING_SERVICE_SID is not MG and 32 hexadecimal digits"
    if number and not _is_sender(number):
        yield (
            "TWILIO_FROM is no sender: write a number with + and without spaces, such as "
            "+15017122661, a short code, or a name of up to 11 letters and digits"
        )


def _is_sid(prefix: str, value: str) -> bool:
    return re.fullmatch(_SID.format(prefix), value, re.ASCII) is not None


def _is_sender(value: str) -> bool:
    forms = (_NUMBER, _SHORT_CODE, _NAME)
    # A messaging service works here too: it is told from a number by its form.
    return _is_sid("MG", value) or any(form.fullmatch(value) for form in forms)


def pace(sender: str) -> float | None:
    """Segments a second that Twilio takes from a sender (twilio.com, "Understanding Twilio rate
    limits and message queues"). Of a messaging service it knows the senders itself; short codes
    and names are faster than any book of cards."""
    if _TOLL_FREE.fullmatch(sender):
        return 3.0
    return 1.0 if _LONG_CODE.fullmatch(sender) else None


def question(account: TwilioSettings) -> Question:
    """Twilio is asked for the account."""
    pair = b64encode(f"{account.account_sid}:{account.auth_token}".encode()).decode()
    url = f"{account.address}/2010-04-01/Accounts/{account.account_sid}.json"
    return Question(url, f"Basic {pair}", "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN", _read)


def _read(found: Mapping[str, Any]) -> Remark:
    status, kind = str(found.get("status")), str(found.get("type"))
    if status != "active":
        message = f"Twilio knows the account, but it is {status}"
        return Remark("error", message, "see Twilio's Console")
    if kind == "Trial":
        message = "Twilio knows the account, a trial: only verified numbers are reached"
        hint = "verify the numbers you try it with, or upgrade the account"
        return Remark("warning", message, hint)
    return Remark("ok", "Twilio knows the account")
