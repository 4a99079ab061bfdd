"""The form of credentials and senders: what cannot work is told at start, not by the first message.

Nothing here asks a provider. A message names the setting and the form, never the value.
Sources: https://www.twilio.com/docs/glossary/what-is-a-sid (a prefix and 32 hexadecimal digits),
https://www.twilio.com/docs/glossary/what-e164,
https://www.twilio.com/docs/glossary/what-alphanumeric-sender-id (up to 11 characters),
https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys (a key begins with "SG.").
"""

import re
from collections.abc import Iterator
from typing import Final

from worker.providers.mime import usable

_SID: Final = r"{}[0-9a-fA-F]{{32}}"
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_SHORT_CODE: Final = re.compile(r"[0-9]{3,6}", re.ASCII)
# At least one letter, or a number without + would be one.
_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9 &_+-]{0,10}", re.ASCII)
_KEY: Final = re.compile(r"SG\.[\w.-]+", re.ASCII)
_SECRET: Final = re.compile(r"[!-~]+", re.ASCII)


def twilio(sid: str, token: str, number: str | None, service: str | None) -> Iterator[str]:
    """What is wrong with Twilio's credentials and sender; nothing for those that may work."""
    if not _is_sid("AC", sid):
        yield "TWILIO_ACCOUNT_SID is not AC and 32 hexadecimal digits, as Twilio's Console shows it"
    if not _SECRET.fullmatch(token):
        yield f"TWILIO_AUTH_TOKEN {_STRANGE}"
    if service and not _is_sid("MG", service):
        yield "TWILIO_MESSAGING_SERVICE_SID is not MG and 32 hexadecimal digits"
    if number and not _is_sender(number):
        yield (
            "TWILIO_FROM is no sender: write a number with + and without spaces, such as "
            "+15017122661, a short code, or a name of up to 11 letters and digits"
        )


def sendgrid(key: str, sender: str) -> Iterator[str]:
    """The same of SendGrid."""
    if not _SECRET.fullmatch(key):
        yield f"SENDGRID_API_KEY {_STRANGE}"
    elif not _KEY.fullmatch(key):
        yield "SENDGRID_API_KEY does not begin with SG. as SendGrid's API keys do"
    if not usable(sender):
        yield "SENDGRID_FROM is not an email address alone, such as reminders@example.com"


_STRANGE: Final = "holds a space or a character that cannot be seen: copy it anew"


def _is_sid(prefix: str, value: str) -> bool:
    return re.fullmatch(_SID.format(prefix), value, re.ASCII) is not None


def _is_sender(value: str) -> bool:
    forms = (_NUMBER, _SHORT_CODE, _NAME)
    # A messaging service works here too: it is told from a number by its form.
    return _is_sid("MG", value) or any(form.fullmatch(value) for form in forms)
