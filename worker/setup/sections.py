"""The sections of the settings: names, bounds and what holds where nothing is said."""

import re
from datetime import date, timedelta
from decimal import Decimal
from ipaddress import ip_network
from typing import Final, Literal, Self
from zoneinfo import available_timezones

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from worker.core.cards import Channel, Language
from worker.core.holdout import HoldOut
from worker.core.hosts import leads_here, web_parts
from worker.core.signing_off import signature as one_line
from worker.core.tokens import LIFETIMES
from worker.providers.mime import answerable


class Section(BaseModel):
    """Some settings that belong together; a name that is none is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BookDefaults(Section):
    """What holds for a book that does not say otherwise."""

    signature: str = Field("Vigencia", min_length=1, max_length=30)
    language: Language = Language.ES_PE
    time_zone: str = "America/Lima"

    @field_validator("signature")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return one_line(value)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is not a time zone; write one like America/Lima")
        return value


class SchedulerSettings(Section):
    """Seconds and batch sizes of the clock loop."""

    tick_seconds: float = Field(10, gt=0, le=3600)
    check_batch: int = Field(250, ge=1, le=1000)
    send_batch: int = Field(250, ge=1, le=1000)
    check_lease_seconds: int = Field(120, ge=10)
    hint_seconds: int = Field(60, ge=5)


class DatabaseSettings(Section):
    """How long PostgreSQL may keep a process that serves waiting, in seconds."""

    statement_seconds: int = Field(60, ge=1, le=3600)
    lock_seconds: int = Field(30, ge=1, le=3600)
    idle_seconds: int = Field(600, ge=10, le=86_400)


class DeliverySettings(Section):
    """How calls are made. Seconds."""

    in_flight: int = Field(128, ge=1, le=2000)
    lease_seconds: int = Field(120, ge=30)
    connect_timeout: float = Field(3.0, gt=0, le=60)
    read_timeout: float = Field(10.0, gt=0, le=60)


class RetrySettings(Section):
    """When to try again. Seconds."""

    base_seconds: int = Field(30, ge=1)
    longest_seconds: int = Field(3600, ge=1)
    attempts: int = Field(12, ge=1, le=100)
    park_seconds: int = Field(150, ge=1)
    hold_seconds: int = Field(900, ge=1)


class UnknownSettings(Section):
    """What to do with a message that may have been sent if nobody can tell."""

    sms: Literal["resend_once", "hold"] = "resend_once"
    email: Literal["resend_once", "hold"] = "resend_once"

    @property
    def resend(self) -> frozenset[Channel]:
        """The channels on which it is sent once more."""
        wanted = {Channel.SMS: self.sms, Channel.EMAIL: self.email}
        return frozenset(channel for channel, way in wanted.items() if way == "resend_once")


class ReceiptSettings(Section):
    """What is done where no receipt comes, and no message of a holder."""

    fetch_after_seconds: int = Field(3600, ge=0, le=86_400)
    inbound_seconds: int = Field(900, ge=0, le=86_400)

    @property
    def fetch_after(self) -> timedelta | None:
        """How long after its acceptance a text is asked about; ``None`` for never."""
        return timedelta(seconds=self.fetch_after_seconds) if self.fetch_after_seconds else None


class LifeSettings(Section):
    """What is recorded of cards in a page. ``undo_seconds``: so long it can be taken back, and
    nobody is told of it."""

    undo_seconds: int = Field(60, ge=0, le=600)


class GuardianSettings(Section):
    """When the keeper of a book is told of a holder."""

    silent: bool = True


class HoldOutSettings(Section):
    """Whether early notices help, tried in one book whose keeper has agreed in writing: a share of
    its holders gets none a week before their plan ends."""

    book: str | None = None
    share: float = Field(0, ge=0, le=0.5)
    agreed_by: str | None = Field(None, min_length=3, max_length=200)
    agreed_on: date | None = None

    @model_validator(mode="after")
    def _agreed(self) -> Self:
        if self.share and not (self.book and self.agreed_by and self.agreed_on):
            raise ValueError(
                "holders are held out only with the written yes of the keeper of their book: name "
                "the book, agreed_by (who) and agreed_on (the day)"
            )
        return self

    @property
    def own(self) -> HoldOut | None:
        """Who is held out, if anybody."""
        return HoldOut(self.book, self.share) if self.book and self.share else None


class WorkerSettings(Section):
    """The worker processes."""

    processes: int = Field(2, ge=1, le=64)
    threads: int = Field(8, ge=1, le=64)
    shutdown_seconds: int = Field(30, ge=1)


class BreakerSettings(Section):
    """How long nothing is sent after a fault of our own configuration, in seconds; and how much
    of the last texts carriers may filter."""

    probe_seconds: int = Field(300, ge=1, le=86_400)
    longest_seconds: int = Field(3600, ge=1, le=86_400)
    filtered_of: int = Field(20, ge=5, le=1000)
    filtered_share: float = Field(0.2, gt=0, le=1)


class SmsSettings(Section):
    """How text messages are shared between two providers, where a weight of 0 is a spare."""

    twilio_weight: int = Field(100, ge=0, le=1000)
    vonage_weight: int = Field(0, ge=0, le=1000)


class EmailSettings(Section):
    """Where answers to emails go; and how emails are shared between two providers, where a weight
    of 0 is a spare."""

    reply_to: str | None = None

    sendgrid_weight: int = Field(100, ge=0, le=1000)
    smtp_weight: int = Field(0, ge=0, le=1000)
    smtp_connections: int = Field(8, ge=1, le=100)

    @field_validator("reply_to")
    @classmethod
    def _answerable(cls, value: str | None) -> str | None:
        if value and not answerable(value):
            raise ValueError("write one plain email address, such as help@example.com")
        return value or None


class PaceSettings(Section):
    """How fast senders send; unset: what the sender's kind bears, 0: no bound."""

    sms_segments_per_second: float | None = Field(None, ge=0, le=10_000)
    email_per_second: float | None = Field(None, ge=0, le=10_000)


class CapSettings(Section):
    """How much may go out in a day."""

    per_address_per_day: int | None = Field(50, ge=1)
    per_book_per_day: int | None = Field(None, ge=1)
    spend_per_day: Decimal | None = Field(None, gt=0)


# A link to stop messages finds its address in the attempt it came with, so that one must last as
# long. It is more than the ledger is asked for (core.windows.REMEMBERED): deleted sooner, a notice
# could be owed a second time.
_LONGEST_LINK: Final = max(LIFETIMES.values()).days + 1

_CENTURY: Final = 36_500


class RetentionSettings(Section):
    """How long what was sent is kept. Days."""

    automatic: bool = True
    content_days: int = Field(30, ge=1, le=_CENTURY)
    address_days: int = Field(400, le=_CENTURY)
    proof_days: int = Field(730, le=_CENTURY)

    @field_validator("address_days", "proof_days")
    @classmethod
    def _outlasts_links(cls, value: int) -> int:
        if value < _LONGEST_LINK:
            raise ValueError(
                f"at least {_LONGEST_LINK} are needed: a link to stop messages works for "
                f"{_LONGEST_LINK - 1} days and needs what it came with"
            )
        return value

    @model_validator(mode="after")
    def _proof_goes_last(self) -> Self:
        if max(self.content_days, self.address_days) > self.proof_days:
            raise ValueError("content_days and address_days cannot exceed proof_days")
        return self


class WebSettings(Section):
    """The web process: where it listens, where providers reach it, what it bears."""

    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(8800, ge=0, le=65535)
    public_url: str | None = None
    most_bytes: int = Field(1_048_576, ge=1024, le=33_554_432)
    concurrency: int = Field(512, ge=8, le=20_000)
    request_seconds: float = Field(10.0, gt=0, le=60)
    replay_seconds: int = Field(259_200, ge=90_000)
    # Servers in front of us, as addresses or networks: whom they name is who asks.
    trusted_proxies: tuple[str, ...] = ()

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                ip_network(one)
            except ValueError:
                raise ValueError(f"{one!r} is neither an address nor a network") from None
        return value

    @field_validator("public_url")
    @classmethod
    def _no_more_than_an_address(cls, value: str | None) -> str | None:
        return web_address(value) if value else None


class AlarmSettings(Section):
    """Whom alarms are written to, beside the log. ``every_minutes``: at most one email in these."""

    email: str | None = None
    every_minutes: int = Field(60, ge=5, le=1440)

    @field_validator("email")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
            raise ValueError("write one email address")
        return value


class MetricsSettings(Section):
    """Where scheduler and workers show their metrics; port 0 shows none."""

    host: str = Field("127.0.0.1", min_length=1)
    worker_port: int = Field(9191, ge=0, le=65535)
    scheduler_port: int = Field(9192, ge=0, le=65535)


class SandboxSettings(Section):
    """Where the stand-in for the providers answers."""

    url: str = "http://127.0.0.1:8825"


def web_address(value: str) -> str:
    """``value`` without a slash at its end; raises ``ValueError`` if it is not https, except on
    this machine, or is more than an address."""
    parts = web_parts(value)
    if parts is None:
        raise ValueError("write an address like https://reminders.example.com")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("an address without user, query and fragment is needed")
    if parts.scheme != "https" and not leads_here(value):
        raise ValueError("it must be https: what is reported would travel in the open")
    return value.rstrip("/")
