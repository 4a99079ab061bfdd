"""An email as a mail server takes it: MIME, 7 bit, nothing in a header that is not ours.

Text and HTML are alternatives of one another; what is attached stands beside both (RFC 2046, 5.1).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from worker.providers.base import AUTOMATIC, Attached, EmailOut

# 7 bit: every server takes it, and none has to convert it on the way.
_POLICY: Final = SMTP.clone(cte_type="7bit")
_ADDRESS: Final = re.compile(r"[!-~]{1,64}@[A-Za-z0-9.-]{1,255}")
_NOT_IN_ADDRESS: Final = re.compile(r"[<>()\[\],;:\\\"]|@.*@|\.\.|^\.|\.@|@[.-]")
# What an address must be that no provider refuses: one turns down the whole email for a Reply-To
# that it cannot read.
_PLAIN: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"(?:[A-Za-z]{2,63}|[Xx][Nn]--[A-Za-z0-9-]{1,58}[A-Za-z0-9])"
)
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# RFC 5322: a line has at most 998 characters.
_LONGEST: Final = 998


def usable(address: str) -> bool:
    """Can ``address`` stand in an envelope as it is? Others would need SMTPUTF8 or quoting."""
    return bool(_ADDRESS.fullmatch(address)) and not _NOT_IN_ADDRESS.search(address)


def answerable(address: str) -> bool:
    """Can ``address`` stand in Reply-To, whoever carries the email?"""
    return len(address) <= 254 and usable(address) and bool(_PLAIN.fullmatch(address))


def on_the_wire(address: str) -> str:
    """``address`` with its domain as name servers know it (RFC 5890: ``xn--…``); as it is where
    that cannot be."""
    if address.isascii():
        return address
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return address
    return found.ascii_email or address


def compose(out: EmailOut, sender: str, at: datetime) -> bytes:
    """The whole message from ``sender`` with CRLF line ends, text and HTML as alternatives.

    Raises ``ValueError`` for an address that cannot be written.
    """
    to = on_the_wire(out.to)
    if not usable(to):
        raise ValueError("the address cannot be written in an envelope")
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(_line(out.sender_name), addr_spec=sender)
    message["To"] = Address(addr_spec=to)
    if out.reply_to:
        message["Reply-To"] = Address(addr_spec=out.reply_to)
    message["Subject"] = _line(out.subject)
    message.set_content(out.text)
    message.add_alternative(out.html, subtype="html")
    for one in out.attached:
        _attach(message, one)
    domain = sender.rpartition("@")[2]
    ours = {
        "Message-ID": f"<{out.attempt}@{domain}>",
        "Date": format_datetime(at),
        **AUTOMATIC,
        **out.headers,
    }
    return _verbatim(ours) + message.as_bytes()


def _attach(message: EmailMessage, one: Attached) -> None:
    main, sub = one.media_type.split("/")
    charset = {"charset": "utf-8"} if main == "text" else {}
    params = {**charset, **one.parameters}
    message.add_attachment(one.content, main, sub, filename=one.filename, params=params)


def _verbatim(headers: Mapping[str, str]) -> bytes:
    """Header lines as they are: the library would encode a long link, and no reader finds it."""
    lines = [f"{name}: {_line(value)}" for name, value in headers.items()]
    fits = all(len(line) <= _LONGEST and line.isascii() for line in lines)
    if not fits or not all(map(_HEADER.fullmatch, headers)):
        raise TypeError("a header of ours is no header line")
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def _line(text: str) -> str:
    """``text`` on one line: a line end in a name or subject would begin a header of its own."""
    return _CONTROL.sub(" ", text).strip()
