"""SendGrid's settings: their forms, the account they come to, and what it may be asked.

Sources: www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys (a key begins with "SG."),
www.twilio.com/docs/sendgrid/api-reference/api-key-permissions (the scopes of a key).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from worker.providers.declaration import Question, Remark
from worker.providers.given import Configured, Given
from worker.providers.mime import usable

OWN_URL: Final = "https://api.sendgrid.com"

_KEY: Final = re.compile(r"SG\.[\w.-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class SendGridSettings:
    """``sender`` is a verified sender address."""

    api_key: str = field(repr=False)
    sender: str
    base_url: str = OWN_URL

    @property
    def address(self) -> str:
        """See ``Credentials``."""
        return self.base_url


def configure(given: Given, errors: list[str]) -> Configured | None:
    """See ``Declaration``."""
    if not given.is_complete((("api_key",), ("from",)), errors):
        return None
    errors += _wrong(given)
    key = given.text("api_key")
    live = key != given.sandbox.get("api_key")
    url = given.base_url(live, errors) or OWN_URL
    return Configured(SendGridSettings(key, given.text("from"), url), live)


def _wrong(given: Given) -> Iterator[str]:
    """What cannot work; nothing of what may."""
    strange = given.strange("api_key")
    yield from strange
    if not strange and not _KEY.fullmatch(given.text("api_key")):
        yield "SENDGRID_API_KEY does not begin with SG. as SendGrid's API keys do"
    if not usable(given.text("from")):
        yield "SENDGRID_FROM is not an email address alone, such as reminders@example.com"


def question(account: SendGridSettings) -> Question:
    """SendGrid is asked what the key may do."""
    url = f"{account.address}/v3/scopes"
    return Question(url, f"Bearer {account.api_key}", "SENDGRID_API_KEY", _read)


def _read(found: Mapping[str, Any]) -> Remark:
    if "mail.send" not in (found.get("scopes") or ()):
        message = "SendGrid knows the key, but it may not send"
        return Remark("error", message, "give the key the permission Mail Send")
    return Remark("ok", "SendGrid knows the key, and it may send")
