"""Who carries messages: the real providers, the sandbox, or nobody. The three never mix."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from worker.core.cards import Channel
from worker.errors import ConfigError
from worker.providers import forms
from worker.providers.base import Provider
from worker.providers.choice import Weighted
from worker.providers.sendgrid.client import SendGridProvider, SendGridSettings
from worker.providers.smtp.client import SmtpProvider
from worker.providers.smtp.pool import SmtpSettings
from worker.providers.transport import Transport
from worker.providers.twilio.client import TwilioProvider, TwilioSettings
from worker.sandbox import credentials as sandbox
from worker.setup.sections import is_here
from worker.setup.settings import Settings
from worker.setup.smtp_url import smtp_from

_NEVER_MIX = (
    "Real credentials go to the provider only. For the sandbox leave all TWILIO_, SENDGRID_ and "
    "SMTP_ variables unset."
)
SANDBOX_EMAIL_SENDER = "reminders@example.com"
# Where the web process takes what Twilio reports of a message; the attempt's id follows as ?a=.
STATUS_PATH = "/webhooks/twilio/status"


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
    # The key that SendGrid's events are signed with, as base64.
    events_key: str | None = None
    smtp: SmtpSettings | None = field(default=None, repr=False)
    # How emails are shared between SendGrid and SMTP.
    weights: tuple[int, int] = (100, 0)

    @property
    def sandboxed(self) -> bool:
        """Does anything go to the sandbox?"""
        return Mode.SANDBOX in self.modes.values()

    @property
    def live(self) -> bool:
        """Does anything reach real people?"""
        return Mode.LIVE in self.modes.values()

    def through(self, channel: Channel) -> str:
        """Who carries messages on a channel, for people."""
        if channel is Channel.SMS:
            return "through Twilio" if self.twilio else "through nobody"
        names = {
            "SendGrid": self.weights[0] if self.sendgrid else None,
            f"SMTP ({self.smtp.where})" if self.smtp else "": self.weights[1],
        }
        found = {name: weight for name, weight in names.items() if name and weight is not None}
        if len(found) > 1:
            several = (f"{name}, weight {weight}" for name, weight in found.items())
            return f"through {' and '.join(several)}"
        return f"through {' and '.join(found) or 'nobody'}"

    @property
    def email_sender(self) -> str | None:
        """The address that emails come from: the preferred provider's, where there are two."""
        both = zip(self.weights, (self.sendgrid, self.smtp), strict=True)
        senders = [(weight, own.sender) for weight, own in both if own]
        return max(senders, key=lambda one: one[0])[1] if senders else None

    def open(
        self, transport: Transport, now: Callable[[], datetime]
    ) -> dict[Channel, Provider[Any]]:
        """The providers of the channels that are not off, on one transport."""
        found: dict[Channel, Provider[Any]] = {}
        if self.twilio:
            found[Channel.SMS] = TwilioProvider(self.twilio, transport, now)
        if email := self._email(transport, now):
            found |= {Channel.EMAIL: email, Channel.GUARDIAN: email}
        return found

    def _email(self, transport: Transport, now: Callable[[], datetime]) -> Provider[Any] | None:
        several: list[tuple[int, Provider[Any]]] = []
        if self.sendgrid:
            several.append((self.weights[0], SendGridProvider(self.sendgrid, transport, now)))
        if self.smtp:
            several.append((self.weights[1], SmtpProvider(self.smtp, transport, now)))
        if len(several) < 2:
            return several[0][1] if several else None
        several.sort(key=lambda one: -one[0])  # the preferred one first
        weights, providers = zip(*several, strict=True)
        return Weighted(providers, weights)


def choose(settings: Settings) -> Gateways:
    """Decide from the settings. Raises ``ConfigError`` that lists every contradiction.

    Without any credentials everything goes to the sandbox. With one provider's only, the other
    channel is off: half real and half sandbox would lose notices in silence.
    """
    errors: list[str] = []
    _base_url("sandbox.url", settings.sandbox.url, False, errors)
    twilio = _twilio(settings, errors)
    sendgrid = _sendgrid(settings, errors)
    smtp = smtp_from(settings, errors)
    if errors:
        raise ConfigError("\n  ".join(["The providers' settings are wrong:", *errors]), _NEVER_MIX)
    if twilio is None and sendgrid is None and smtp is None:
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
    found: set[Mode] = set(modes.values()) - {Mode.OFF}
    if smtp is not None:
        # A mail server on this machine is what the others are: nothing tells a relay from a stub.
        own = found if found and is_here(smtp.host) else {Mode.LIVE}
        found |= own
        modes[Channel.EMAIL] = next(iter(own))
    if len(found) > 1:
        raise ConfigError("One provider is real and the other is the sandbox.", _NEVER_MIX)
    live = Mode.LIVE in modes.values()
    callback = _status_callback(settings.web.public_url, live)
    twilio = replace(twilio, status_callback=callback) if twilio else None
    events_key = settings.sendgrid_webhook_key if live else sandbox.EVENTS_PUBLIC_KEY
    weights = (settings.email.sendgrid_weight, settings.email.smtp_weight)
    return Gateways(modes, twilio, sendgrid, events_key, smtp, weights)


def _status_callback(public_url: str | None, live: bool) -> str | None:
    """Where reports are to go; nowhere unless it is known where providers reach us."""
    if public_url is None:
        return None
    if live == is_here(urlsplit(public_url).hostname or ""):
        problem = (
            "web.public_url points to this machine, where no provider can reach it"
            if live
            else "web.public_url points to another machine, but the credentials are the sandbox's"
        )
        raise ConfigError(problem, "Correct web.public_url, or leave it unset.")
    return public_url + STATUS_PATH


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
    service = settings.twilio_messaging_service_sid
    errors += forms.twilio(sid, token or "", settings.twilio_from, service)
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
    errors += forms.sendgrid(secret, settings.sendgrid_from or "")
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
    elif live and is_here(host):
        errors.append(f"{name} points to this machine, but the credentials are real")
    elif live and scheme != "https":
        errors.append(f"{name} must be https: the credentials would travel in the open")
    elif not live and not is_here(host):
        errors.append(f"{name} points to another machine, but the credentials are the sandbox's")
