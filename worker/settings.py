"""Settings: one file, the environment over it, all errors at once. Secrets only from outside."""

import os
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from worker.core.cards import Channel, Language
from worker.core.tokens import LIFETIMES, SHORTEST_KEY
from worker.errors import ConfigError
from worker.paths import config_dir, read_toml

_PREFIX = "VIGENCIA_"
_HINT = "Correct config/vigencia.toml or the environment; `vigencia doctor` shows what is in force."


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BookDefaults(_Section):
    """What holds for a book that does not say otherwise."""

    signature: str = Field("Vigencia", min_length=1, max_length=30)
    language: Language = Language.ES_PE
    time_zone: str = "America/Lima"

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is not a time zone; write one like America/Lima")
        return value


class SchedulerSettings(_Section):
    """Seconds and batch sizes of the clock loop."""

    tick_seconds: float = Field(10, gt=0, le=3600)
    check_batch: int = Field(250, ge=1, le=1000)
    send_batch: int = Field(250, ge=1, le=1000)
    check_lease_seconds: int = Field(120, ge=10)
    hint_seconds: int = Field(60, ge=5)


class DeliverySettings(_Section):
    """How calls are made. Seconds."""

    in_flight: int = Field(128, ge=1, le=2000)
    lease_seconds: int = Field(120, ge=30)
    connect_timeout: float = Field(3.0, gt=0, le=60)
    read_timeout: float = Field(10.0, gt=0, le=60)


class RetrySettings(_Section):
    """When to try again. Seconds."""

    base_seconds: int = Field(30, ge=1)
    longest_seconds: int = Field(3600, ge=1)
    attempts: int = Field(12, ge=1, le=100)
    park_seconds: int = Field(150, ge=1)
    hold_seconds: int = Field(900, ge=1)


class UnknownSettings(_Section):
    """What to do with a message that may have been sent if nobody can tell."""

    sms: Literal["resend_once", "hold"] = "resend_once"
    email: Literal["resend_once", "hold"] = "resend_once"

    @property
    def resend(self) -> frozenset[Channel]:
        """The channels on which it is sent once more."""
        by_email = (Channel.EMAIL, Channel.GUARDIAN)
        wanted = {Channel.SMS: self.sms, **dict.fromkeys(by_email, self.email)}
        return frozenset(channel for channel, way in wanted.items() if way == "resend_once")


class ReceiptSettings(_Section):
    """What is done where no receipt comes."""

    fetch_after_seconds: int = Field(3600, ge=0, le=86_400)

    @property
    def fetch_after(self) -> timedelta | None:
        """How long after its acceptance a text is asked about; ``None`` for never."""
        return timedelta(seconds=self.fetch_after_seconds) if self.fetch_after_seconds else None


class GuardianSettings(_Section):
    """When the keeper of a book is told of a holder."""

    silent: bool = True


class WorkerSettings(_Section):
    """The worker processes."""

    processes: int = Field(2, ge=1, le=64)
    threads: int = Field(8, ge=1, le=64)
    shutdown_seconds: int = Field(30, ge=1)


class BreakerSettings(_Section):
    """How long nothing is sent after a fault of our own configuration, in seconds; and how much
    of the last texts carriers may filter."""

    probe_seconds: int = Field(300, ge=1, le=86_400)
    longest_seconds: int = Field(3600, ge=1, le=86_400)
    filtered_of: int = Field(20, ge=5, le=1000)
    filtered_share: float = Field(0.2, gt=0, le=1)


class EmailSettings(_Section):
    """How emails are shared between two providers; a weight of 0 is a spare."""

    sendgrid_weight: int = Field(100, ge=0, le=1000)
    smtp_weight: int = Field(0, ge=0, le=1000)
    smtp_connections: int = Field(8, ge=1, le=100)


class PaceSettings(_Section):
    """How fast senders send; unset: what the sender's kind bears, 0: no bound."""

    sms_segments_per_second: float | None = Field(None, ge=0, le=10_000)
    email_per_second: float | None = Field(None, ge=0, le=10_000)


class CapSettings(_Section):
    """How much may go out in a day."""

    per_address_per_day: int | None = Field(50, ge=1)
    per_book_per_day: int | None = Field(None, ge=1)
    spend_per_day: Decimal | None = Field(None, gt=0)


# A link to stop messages finds its address in the attempt it came with, so that one must last as
# long. It is more than the ledger is asked for (core.windows.REMEMBERED): deleted sooner, a notice
# could be owed a second time.
_LONGEST_LINK: Final = max(LIFETIMES.values()).days + 1
_CENTURY: Final = 36_500


class RetentionSettings(_Section):
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


class WebSettings(_Section):
    """The web process: where it listens, where providers reach it, what it bears."""

    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(8800, ge=0, le=65535)
    public_url: str | None = None
    most_bytes: int = Field(1_048_576, ge=1024, le=33_554_432)
    concurrency: int = Field(512, ge=8, le=20_000)
    request_seconds: float = Field(10.0, gt=0, le=60)
    replay_seconds: int = Field(259_200, ge=90_000)

    @field_validator("public_url")
    @classmethod
    def _no_more_than_an_address(cls, value: str | None) -> str | None:
        return web_address(value) if value else None


class AlarmSettings(_Section):
    """Whom alarms are written to, beside the log. ``every_minutes``: at most one email in these."""

    email: str | None = None
    every_minutes: int = Field(60, ge=5, le=1440)

    @field_validator("email")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
            raise ValueError("write one email address")
        return value


class MetricsSettings(_Section):
    """Where scheduler and workers show their metrics; port 0 shows none."""

    host: str = Field("127.0.0.1", min_length=1)
    worker_port: int = Field(9191, ge=0, le=65535)
    scheduler_port: int = Field(9192, ge=0, le=65535)


class SandboxSettings(_Section):
    """Where the stand-in for the providers answers."""

    url: str = "http://127.0.0.1:8825"


def web_address(value: str) -> str:
    """``value`` without a slash at its end; raises ``ValueError`` if it is not https, except on
    this machine, or is more than an address."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:  # brackets that do not close, a port that is no number
        raise ValueError("write an address like https://reminders.example.com") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("write an address like https://reminders.example.com")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("an address without user, query and fragment is needed")
    if parts.scheme != "https" and not is_here(host):
        raise ValueError("it must be https: what is reported would travel in the open")
    return value.rstrip("/")


def is_here(host: str) -> bool:
    """Is ``host`` this machine?"""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified


class Settings(BaseSettings):
    """Everything that can be set. Field names are the names in the file and the environment."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,  # a compose file hands on what is unset as an empty text
        extra="forbid",
        frozen=True,
    )

    database_url: SecretStr = Field(
        SecretStr("sqlite:///var/vigencia.db"), validation_alias="database_url"
    )
    redis_url: SecretStr | None = Field(None, validation_alias="redis_url")
    twilio_account_sid: str | None = Field(None, validation_alias="twilio_account_sid")
    twilio_auth_token: SecretStr | None = Field(None, validation_alias="twilio_auth_token")
    twilio_from: str | None = Field(None, validation_alias="twilio_from")
    twilio_messaging_service_sid: str | None = Field(
        None, validation_alias="twilio_messaging_service_sid"
    )
    twilio_base_url: str | None = Field(None, validation_alias="twilio_base_url")
    sendgrid_api_key: SecretStr | None = Field(None, validation_alias="sendgrid_api_key")
    sendgrid_from: str | None = Field(None, validation_alias="sendgrid_from")
    sendgrid_base_url: str | None = Field(None, validation_alias="sendgrid_base_url")
    smtp_url: SecretStr | None = Field(None, validation_alias="smtp_url")
    smtp_from: str | None = Field(None, validation_alias="smtp_from")
    secret_key: SecretStr | None = Field(None, validation_alias="secret_key")
    secret_key_previous: SecretStr | None = Field(None, validation_alias="secret_key_previous")
    sendgrid_webhook_key: str | None = Field(None, validation_alias="sendgrid_webhook_key")
    port: int | None = Field(None, ge=0, le=65535, validation_alias="port")

    heartbeat_url: SecretStr | None = Field(None, validation_alias="heartbeat_url")
    metrics_token: SecretStr | None = Field(None, validation_alias="metrics_token")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    log_format: Literal["auto", "console", "json"] = "auto"
    clock_file: Path | None = None
    book: BookDefaults = BookDefaults()  # type: ignore[call-arg]
    scheduler: SchedulerSettings = SchedulerSettings()  # type: ignore[call-arg]
    delivery: DeliverySettings = DeliverySettings()  # type: ignore[call-arg]
    retry: RetrySettings = RetrySettings()  # type: ignore[call-arg]
    unknown: UnknownSettings = UnknownSettings()
    receipts: ReceiptSettings = ReceiptSettings()  # type: ignore[call-arg]
    guardian: GuardianSettings = GuardianSettings()
    breaker: BreakerSettings = BreakerSettings()  # type: ignore[call-arg]
    email: EmailSettings = EmailSettings()  # type: ignore[call-arg]
    pace: PaceSettings = PaceSettings()  # type: ignore[call-arg]
    caps: CapSettings = CapSettings()  # type: ignore[call-arg]
    worker: WorkerSettings = WorkerSettings()  # type: ignore[call-arg]
    retention: RetentionSettings = RetentionSettings()  # type: ignore[call-arg]
    web: WebSettings = WebSettings()  # type: ignore[call-arg]
    alarms: AlarmSettings = AlarmSettings()  # type: ignore[call-arg]
    metrics: MetricsSettings = MetricsSettings()  # type: ignore[call-arg]
    sandbox: SandboxSettings = SandboxSettings()

    @field_validator("heartbeat_url")
    @classmethod
    def _heartbeat(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value.get_secret_value())
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError("it is not an https address") from None
        if not host or (parts.scheme, is_here(host)) not in {
            ("https", True),
            ("https", False),
            ("http", True),
        }:
            raise ValueError("it must be an https address (http only on this machine)")
        return value

    @field_validator("secret_key", "secret_key_previous")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr | None) -> SecretStr | None:
        if any(len(key) < SHORTEST_KEY for key in keys_in(value)):
            raise ValueError(f"a key has at least {SHORTEST_KEY} characters, and no spaces")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then what ``load`` read from the file."""
        return env_settings, init_settings


def keys_in(value: SecretStr | None) -> list[str]:
    """The keys in a setting, which may hold several with spaces or line ends between them."""
    return value.get_secret_value().split() if value else []


def load() -> Settings:
    """Read the settings. Raises ``ConfigError`` that lists everything that is wrong."""
    path = config_dir() / "vigencia.toml"
    values = read_toml(path)
    errors = [*_unknown_names(), *_secrets_in_file(path, values)]
    secrets = _secret_files(errors)
    try:
        settings = Settings(**{**values, **secrets})
    except ValidationError as error:
        errors += list(_problems(error))
        raise _wrong(path, errors) from None
    except SettingsError as error:  # a section as a whole, and not as JSON
        raise _wrong(path, [*errors, str(error)]) from None
    if errors:
        raise _wrong(path, errors)
    return settings


def _secret_files(errors: list[str]) -> dict[str, str]:
    """``NAME_FILE`` holds the path of a file with the value, as container secrets do it."""
    found: dict[str, str] = {}
    for name in _plain_names():
        variable = f"{name.upper()}_FILE"
        path = os.environ.get(variable)
        if path and not os.environ.get(name.upper()):
            try:
                found[name] = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                errors.append(f"{variable}: {path} cannot be read ({type(error).__name__})")
    return found


def _plain_names() -> Iterator[str]:
    """The settings whose variables have no prefix: DATABASE_URL, REDIS_URL, TWILIO_…, SMTP_…"""
    for name, info in Settings.model_fields.items():
        if info.validation_alias is not None:
            yield name


def _unknown_names() -> Iterator[str]:
    """A mistyped VIGENCIA_ variable would otherwise be ignored without a word."""
    known = {"VIGENCIA_CONFIG_DIR", "VIGENCIA_TEMPLATES_DIR"}
    for name in Settings.model_fields.keys() - set(_plain_names()):
        section = Settings.model_fields[name].annotation
        if isinstance(section, type) and issubclass(section, _Section):
            known |= {f"{_PREFIX}{name}__{field}".upper() for field in section.model_fields}
        known.add(f"{_PREFIX}{name}".upper())
    for name in sorted(os.environ):
        if name.startswith(_PREFIX) and name not in known:
            yield f"{name}: no such setting"


def _secrets_in_file(path: Path, values: Mapping[str, Any]) -> Iterator[str]:
    for name in (
        *("twilio_auth_token", "sendgrid_api_key", "secret_key", "secret_key_previous"),
        *("smtp_url", "heartbeat_url", "metrics_token"),
    ):
        if name in values:
            yield f"{name}: a secret does not belong in {path.name}; set {name.upper()} instead"


def _problems(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_input=False, include_url=False):
        where = ".".join(str(part) for part in problem["loc"])
        what = "no such setting" if problem["type"] == "extra_forbidden" else problem["msg"]
        yield f"{where}: {what.removeprefix('Value error, ')}"


def _wrong(path: Path, errors: list[str]) -> ConfigError:
    return ConfigError(
        "\n  ".join([f"The settings ({path} and the environment) are wrong:", *errors]), _HINT
    )
