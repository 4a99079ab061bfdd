"""Settings: one file, the environment over it, all errors at once. Secrets only from outside."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from worker.core.cards import Language
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


class WorkerSettings(_Section):
    """The worker processes."""

    processes: int = Field(2, ge=1, le=64)
    threads: int = Field(4, ge=1, le=64)
    shutdown_seconds: int = Field(30, ge=1)


class SandboxSettings(_Section):
    """Where the stand-in for the providers answers."""

    url: str = "http://127.0.0.1:8825"


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

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    log_format: Literal["auto", "console", "json"] = "auto"
    clock_file: Path | None = None
    book: BookDefaults = BookDefaults()  # type: ignore[call-arg]
    scheduler: SchedulerSettings = SchedulerSettings()  # type: ignore[call-arg]
    delivery: DeliverySettings = DeliverySettings()  # type: ignore[call-arg]
    retry: RetrySettings = RetrySettings()  # type: ignore[call-arg]
    worker: WorkerSettings = WorkerSettings()  # type: ignore[call-arg]
    sandbox: SandboxSettings = SandboxSettings()

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
    """The settings whose variables have no prefix: DATABASE_URL, REDIS_URL, TWILIO_…, SENDGRID_…"""
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
    for name in ("twilio_auth_token", "sendgrid_api_key"):
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
