"""What SMTP_URL and SMTP_FROM say: which mail server, as whom, and how well protected."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from worker.core.hosts import is_here
from worker.providers.declaration import Remark
from worker.providers.given import Configured, Given
from worker.providers.mime import usable

_SUBMISSION, _TLS, _LOCAL = 587, 465, 25
_HOST: Final = re.compile(r"[A-Za-z0-9.:-]+")
_STARTTLS: Final = {"": None, "starttls": True, "starttls=yes": True, "starttls=no": False}
_CONNECTIONS: Final = 8


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """Where mail goes in and as whom. ``tls``: from the first byte; ``starttls``: without it
    nothing is sent. ``sender`` is the address that emails come from."""

    host: str
    port: int
    sender: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    starttls: bool = True
    connections: int = _CONNECTIONS

    @property
    def address(self) -> str:
        """Host and port, for people."""
        return f"{self.host}:{self.port}"


def configure(given: Given, errors: list[str]) -> Configured | None:
    """See ``Declaration``. Adds what is wrong to ``errors`` without the address, which holds a
    password. A mail server on this machine is what the other providers are: nothing tells a relay
    from a stub."""
    if not given.is_complete((("url",), ("from",)), errors):
        return None
    sender = given.text("from")
    if not usable(sender):
        errors.append("SMTP_FROM is not an email address alone, such as reminders@example.com")
        return None
    try:
        account = _read(urlsplit(given.text("url")), sender, given.number("connections", 0))
    except _WrongError as error:
        errors.append(f"SMTP_URL {error}")
    except ValueError:  # brackets that do not close, a port that is no number
        errors.append("SMTP_URL is not an address like smtp://user:password@mail.example.com:587")
    else:
        return Configured(account, None if is_here(account.host) else True)
    return None


class _WrongError(Exception):
    """What is wrong, without the address."""


def _read(parts: SplitResult, sender: str, connections: int) -> SmtpSettings:
    host = parts.hostname or ""
    if parts.scheme not in ("smtp", "smtps") or not _HOST.fullmatch(host):
        raise _WrongError("is not an smtp:// or smtps:// address")
    if parts.path.strip("/") or parts.fragment or parts.query not in _STARTTLS:
        raise _WrongError("takes nothing after the port but ?starttls or ?starttls=no")
    user, password = _plain(parts.username), _plain(parts.password)
    if (user is None) is not (password is None):
        raise _WrongError("has a user or a password, but not both")
    tls, here, asked = parts.scheme == "smtps", is_here(host), _STARTTLS[parts.query]
    if tls and asked is not None:
        raise _WrongError("asks for STARTTLS, but smtps:// is protected from the first byte")
    starttls = not tls and (not here if asked is None else asked)
    if user is not None and not (tls or starttls or here):
        raise _WrongError("must not give up STARTTLS: the password would travel in the open")
    usual = _TLS if tls else _LOCAL if here else _SUBMISSION
    port = usual if parts.port is None else parts.port
    most = connections or _CONNECTIONS
    return SmtpSettings(host, port, sender, user, password, tls, starttls, most)


def _plain(value: str | None) -> str | None:
    return unquote(value) if value else None


def question(_: SmtpSettings) -> Remark:
    """Asking a mail server would be half of a dialogue."""
    return Remark("ok", "the mail server is not asked: it is met with the first message")
