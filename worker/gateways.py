"""Who carries messages: the real providers, the sandbox, or nobody. The three never mix."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from worker.core.cards import Channel
from worker.errors import ConfigError
from worker.providers.base import Provider
from worker.providers.sendgrid import SendGridProvider, SendGridSettings
from worker.providers.transport import Transport
from worker.providers.twilio import TwilioProvider, TwilioSettings
from worker.sandbox import credentials as sandbox
from worker.settings import Settings

_NEVER_MIX = (
    "Real credentials go to the provider only. For the sandbox leave all TWILIO_ and SENDGRID_ "
    "variables unset."
)
SANDBOX_EMAIL_SENDER = "reminders@example.com"


class Mode(StrEnum):
    """What happens to messages on a channel."""

    LIVE = "live"
    SANDBOX = "sandbox"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Gateways:
    """How each channel goes out; a channel that is off has no settings. They hold secrets."""

    modes: Mapping[Channel, Mode]
    twilio: TwilioSettings | None = field(repr=False)
    sendgrid: SendGridSettings | None = field(repr=False)

    @property
    def sandboxed(self) -> bool:
        """Does anything go to the sandbox?"""
        return Mode.SANDBOX in self.modes.values()

    def open(
        self, transport: Transport, now: Callable[[], datetime]
    ) -> dict[Channel, Provider[Any]]:
        """The providers of the channels that are not off, on one transport."""
        found: dict[Channel, Provider[Any]] = {}
        if self.twilio:
            found[Channel.SMS] = TwilioProvider(self.twilio, transport)
        if self.sendgrid:
            email = SendGridProvider(self.sendgrid, transport, now)
            found |= {Channel.EMAIL: email, Channel.GUARDIAN: email}
        return found


def choose(settings: Settings) -> Gateways:
    """Decide from the settings. Raises ``ConfigError`` that lists every contradiction.

    Without any credentials everything goes to the sandbox. With one provider's only, the other
    channel is off: half real and half sandbox would lose notices in silence.
    """
    errors: list[str] = []
    _base_url("sandbox.url", settings.sandbox.url, False, errors)
    twilio = _twilio(settings, errors)
    sendgrid = _sendgrid(settings, errors)
    if errors:
        raise ConfigError("\n  ".join(["The providers' settings are wrong:", *errors]), _NEVER_MIX)
    if twilio is None and sendgrid is None:
        url = settings.sandbox.url
        twilio = TwilioSettings(
            sandbox.ACCOUNT_SID,
            sandbox.AUTH_TOKEN,
            sandbox.SENDER,
            settings.twilio_base_url or url,
        )
        sendgrid = SendGridSettings(
            sandbox.API_KEY, SANDBOX_EMAIL_SENDER, settings.sendgrid_base_url or url
        )
    modes = {
        Channel.SMS: _mode(twilio.account_sid if twilio else None, sandbox.ACCOUNT_SID),
        Channel.EMAIL: _mode(sendgrid.api_key if sendgrid else None, sandbox.API_KEY),
    }
    if len({mode for mode in modes.values() if mode is not Mode.OFF}) > 1:
        raise ConfigError("One provider is real and the other is the sandbox.", _NEVER_MIX)
    return Gateways(modes, twilio, sendgrid)


def _mode(credential: str | None, of_sandbox: str) -> Mode:
    if not credential:
        return Mode.OFF
    return Mode.SANDBOX if credential == of_sandbox else Mode.LIVE


def _twilio(settings: Settings, errors: list[str]) -> TwilioSettings | None:
    token = _plain(settings.twilio_auth_token)
    sender = settings.twilio_messaging_service_sid or settings.twilio_from
    given = {
        "TWILIO_ACCOUNT_SID": settings.twilio_account_sid,
        "TWILIO_AUTH_TOKEN": token,
        "TWILIO_FROM or TWILIO_MESSAGING_SERVICE_SID": sender,
    }
    if not _complete("Twilio", given, errors):
        if not any(given.values()):
            _base_url("TWILIO_BASE_URL", settings.twilio_base_url, False, errors)
        return None
    sid = settings.twilio_account_sid or ""
    live = sid != sandbox.ACCOUNT_SID
    url = settings.twilio_base_url or (None if live else settings.sandbox.url)
    _base_url("TWILIO_BASE_URL", settings.twilio_base_url, live, errors)
    return TwilioSettings(sid, token or "", sender or "", url)


def _sendgrid(settings: Settings, errors: list[str]) -> SendGridSettings | None:
    key = _plain(settings.sendgrid_api_key)
    given = {
        "SENDGRID_API_KEY": key,
        "SENDGRID_FROM": settings.sendgrid_from,
    }
    if not _complete("SendGrid", given, errors):
        if not any(given.values()):
            _base_url("SENDGRID_BASE_URL", settings.sendgrid_base_url, False, errors)
        return None
    secret = key or ""
    live = secret != sandbox.API_KEY
    url = settings.sendgrid_base_url or (None if live else settings.sandbox.url)
    _base_url("SENDGRID_BASE_URL", settings.sendgrid_base_url, live, errors)
    default = SendGridSettings("", "").base_url
    return SendGridSettings(secret, settings.sendgrid_from or "", url or default)


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _complete(provider: str, given: Mapping[str, str | None], errors: list[str]) -> bool:
    missing = [name for name, value in given.items() if not value]
    if missing and len(missing) < len(given):
        errors.append(f"{provider} is half configured; missing: {', '.join(missing)}")
    return not missing


def _base_url(name: str, url: str | None, live: bool, errors: list[str]) -> None:
    if url is None:
        return
    try:
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname
    except ValueError:  # brackets that do not close
        scheme, host = "", None
    if scheme not in ("http", "https") or not host:
        errors.append(f"{name} is not an http or https address")
    elif live and _is_here(host):
        errors.append(f"{name} points to this machine, but the credentials are real")
    elif live and scheme != "https":
        errors.append(f"{name} must be https: the credentials would travel in the open")
    elif not live and not _is_here(host):
        errors.append(f"{name} points to another machine, but the credentials are the sandbox's")


def _is_here(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified
