"""What SMTP_URL and SMTP_FROM say: which mail server, as whom, and how well protected."""

import re
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from worker.providers.mime import usable
from worker.providers.smtp.pool import SmtpSettings
from worker.setup.sections import is_here
from worker.setup.settings import Settings

_SUBMISSION, _TLS, _LOCAL = 587, 465, 25
_HOST: Final = re.compile(r"[A-Za-z0-9.:-]+")
_STARTTLS: Final = {"": None, "starttls": True, "starttls=yes": True, "starttls=no": False}


def smtp_from(settings: Settings, errors: list[str]) -> SmtpSettings | None:
    """The mail server that ``settings`` name, if any. Adds what is wrong to ``errors``, without the
    address, which holds a password."""
    url = settings.smtp_url.get_secret_value() if settings.smtp_url else ""
    sender = settings.smtp_from or ""
    if not url and not sender:
        return None
    if not url or not sender:
        errors.append(f"SMTP is half configured; missing: {'SMTP_FROM' if url else 'SMTP_URL'}")
        return None
    if not usable(sender):
        errors.append("SMTP_FROM is not an email address alone, such as reminders@example.com")
        return None
    try:
        return _read(urlsplit(url), sender, settings.email.smtp_connections)
    except _WrongError as error:
        errors.append(f"SMTP_URL {error}")
    except ValueError:  # brackets that do not close, a port that is no number
        errors.append("SMTP_URL is not an address like smtp://user:password@mail.example.com:587")
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
    return SmtpSettings(host, port, sender, user, password, tls, starttls, connections)


def _plain(value: str | None) -> str | None:
    return unquote(value) if value else None
