"""Settings: one file, the environment over it, all errors at once. Secrets only from outside."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from worker.core.hosts import leads_here, web_parts
from worker.core.tokens import SHORTEST_KEY
from worker.errors import ConfigError
from worker.paths import config_dir, read_toml
from worker.setup.sections import (
    AlarmSettings,
    BookDefaults,
    BreakerSettings,
    CapSettings,
    DatabaseSettings,
    DeliverySettings,
    EmailSettings,
    GuardianSettings,
    HoldOutSettings,
    LifeSettings,
    MetricsSettings,
    PaceSettings,
    ReceiptSettings,
    RetentionSettings,
    RetrySettings,
    SandboxSettings,
    SchedulerSettings,
    Section,
    SmsSettings,
    UnknownSettings,
    WebSettings,
    WorkerSettings,
)

_PREFIX = "VIGENCIA_"
# Addresses that hold a password in some places only.
_MAY_STAND_IN_FILE: Final = ("database_url", "redis_url")

_HINT = "Correct config/vigencia.toml or the environment; `vigencia doctor` shows what is in force."


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
    database_password: SecretStr | None = Field(None, validation_alias="database_password")
    redis_url: SecretStr | None = Field(None, validation_alias="redis_url")
    twilio_account_sid: str | None = Field(None, validation_alias="twilio_account_sid")
    twilio_auth_token: SecretStr | None = Field(None, validation_alias="twilio_auth_token")
    twilio_from: str | None = Field(None, validation_alias="twilio_from")
    twilio_messaging_service_sid: str | None = Field(
        None, validation_alias="twilio_messaging_service_sid"
    )
    twilio_base_url: str | None = Field(None, validation_alias="twilio_base_url")
    vonage_api_key: str | None = Field(None, validation_alias="vonage_api_key")
    vonage_api_secret: SecretStr | None = Field(None, validation_alias="vonage_api_secret")
    vonage_signature_secret: SecretStr | None = Field(
        None, validation_alias="vonage_signature_secret"
    )
    vonage_signature_method: Literal["md5hash", "md5", "sha1", "sha256", "sha512"] = Field(
        "md5hash", validation_alias="vonage_signature_method"
    )
    vonage_from: str | None = Field(None, validation_alias="vonage_from")
    vonage_base_url: str | None = Field(None, validation_alias="vonage_base_url")
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
    database: DatabaseSettings = DatabaseSettings()  # type: ignore[call-arg]
    delivery: DeliverySettings = DeliverySettings()  # type: ignore[call-arg]
    retry: RetrySettings = RetrySettings()  # type: ignore[call-arg]
    unknown: UnknownSettings = UnknownSettings()
    receipts: ReceiptSettings = ReceiptSettings()  # type: ignore[call-arg]
    guardian: GuardianSettings = GuardianSettings()
    holdout: HoldOutSettings = HoldOutSettings()  # type: ignore[call-arg]
    life: LifeSettings = LifeSettings()  # type: ignore[call-arg]
    breaker: BreakerSettings = BreakerSettings()  # type: ignore[call-arg]
    sms: SmsSettings = SmsSettings()  # type: ignore[call-arg]
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
        url = value.get_secret_value()
        parts = web_parts(url)
        if parts is None or (parts.scheme == "http" and not leads_here(url)):
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

    def of_provider(self, name: str) -> dict[str, str | int | None]:
        """What is set for the provider ``name``, by the settings' names without it: variables such
        as TWILIO_FROM, and what sections say, such as ``email.smtp_weight``."""
        sections = [one for _, one in self if isinstance(one, Section)]
        return {
            setting.removeprefix(f"{name}_"): _plain(value)
            for settings in (self, *sections)
            for setting, value in settings
            if setting.startswith(f"{name}_")
        }


def _plain(value: Any) -> str | int | None:
    found: str | int | None = value.get_secret_value() if isinstance(value, SecretStr) else value
    return found


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
    """``NAME_FILE`` holds the path of a file with the value, as container secrets do it. An empty
    file counts as unset: a container is given one for every secret, wanted or not."""
    found: dict[str, str] = {}
    for name in _plain_names():
        variable = f"{name.upper()}_FILE"
        path = os.environ.get(variable)
        if path and not os.environ.get(name.upper()):
            try:
                value = Path(path).read_text(encoding="utf-8-sig").strip()
            except (OSError, UnicodeDecodeError) as error:
                errors.append(f"{variable}: {path} cannot be read ({type(error).__name__})")
            else:
                found |= {name: value} if value else {}
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
        if isinstance(section, type) and issubclass(section, Section):
            known |= {f"{_PREFIX}{name}__{field}".upper() for field in section.model_fields}
        known.add(f"{_PREFIX}{name}".upper())
    for name in sorted(os.environ):
        if name.startswith(_PREFIX) and name not in known:
            yield f"{name}: no such setting"


def _secrets_in_file(path: Path, values: Mapping[str, Any]) -> Iterator[str]:
    for name, info in Settings.model_fields.items():
        secret = SecretStr in get_args(info.annotation) and name not in _MAY_STAND_IN_FILE
        if secret and name in values:
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
