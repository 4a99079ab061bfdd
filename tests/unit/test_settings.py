"""One file, the environment over it, every error at once, and no secret in any of them."""

import os
from pathlib import Path

import pytest

from tests.unit.core_helpers import CONFIG
from worker.core.cards import Language
from worker.errors import ConfigError
from worker.setup.sections import BookDefaults
from worker.setup.settings import Settings, load

SECRET = "s3cret-s3cret"


@pytest.fixture(autouse=True)
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty settings file, and an environment that says nothing else."""
    for name in os.environ:
        if name.startswith(
            ("TWILIO_", "VONAGE_", "SENDGRID_", "SMTP_", "VIGENCIA_", "DATABASE_", "REDIS_URL")
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VIGENCIA_CONFIG_DIR", str(tmp_path))
    (tmp_path / "vigencia.toml").write_text("", encoding="utf-8")
    return tmp_path


def write(config: Path, text: str) -> None:
    (config / "vigencia.toml").write_text(text, encoding="utf-8")


def problems() -> list[str]:
    """What is wrong, one line each, without the heading."""
    with pytest.raises(ConfigError) as raised:
        load()
    assert SECRET not in f"{raised.value} {raised.value.hint} {raised.value!r}"
    assert raised.value.__cause__ is None
    return [line.strip() for line in raised.value.message.splitlines()[1:]]


def test_with_nothing_set_everything_has_its_default() -> None:
    settings = load()
    assert settings.database_url.get_secret_value() == "sqlite:///var/vigencia.db"
    assert settings.redis_url is settings.twilio_auth_token is settings.sendgrid_api_key is None
    assert settings.book.language is Language.ES_PE
    assert settings.scheduler.check_batch == 250


def test_the_shipped_file_says_what_the_defaults_are(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = load()
    monkeypatch.setenv("VIGENCIA_CONFIG_DIR", str(CONFIG))
    assert load() == defaults


def test_the_file_counts_over_the_defaults_and_the_environment_over_the_file(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        config,
        'log_level = "DEBUG"\ntwilio_from = "+15550001"\nredis_url = "redis://file/0"\n'
        '[book]\nsignature = "File"\nlanguage = "en"\n[retry]\nattempts = 3\n',
    )
    monkeypatch.setenv("VIGENCIA_BOOK__SIGNATURE", "Environment")
    monkeypatch.setenv("VIGENCIA_LOG_LEVEL", "ERROR")
    monkeypatch.setenv("REDIS_URL", "redis://environment/0")
    settings = load()
    assert settings.log_level == "ERROR"
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "redis://environment/0"
    assert (settings.book.signature, settings.book.language) == ("Environment", Language.EN)
    assert settings.twilio_from == "+15550001"
    assert settings.retry.attempts == 3


def test_an_empty_variable_says_nothing(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compose file hands on what is unset as an empty text."""
    write(config, 'log_level = "DEBUG"\n')
    for name in ("DATABASE_URL", "REDIS_URL", "TWILIO_AUTH_TOKEN", "VIGENCIA_LOG_LEVEL"):
        monkeypatch.setenv(name, "")
    settings = load()
    assert settings.log_level == "DEBUG"
    assert settings.database_url.get_secret_value() == "sqlite:///var/vigencia.db"
    assert settings.redis_url is settings.twilio_auth_token is None


@pytest.mark.parametrize("odd", ["help", "a@localhost", "a@b.example, c@d.example", "é@b.example"])
def test_answers_go_to_an_address_that_every_provider_takes(config: Path, odd: str) -> None:
    write(config, f'[email]\nreply_to = "{odd}"\n')
    [problem] = problems()
    assert problem.startswith("email.reply_to: ")
    write(config, '[email]\nreply_to = "help@example.com"\n')
    assert load().email.reply_to == "help@example.com"


@pytest.mark.parametrize("name", ["TWILIO_AUTH_TOKEN", "SENDGRID_API_KEY", "DATABASE_URL"])
@pytest.mark.parametrize("direct", [None, "", "direct"])
def test_a_secret_may_come_from_a_file_and_the_variable_itself_counts_more(
    name: str, direct: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n", encoding="utf-8")
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    if direct is not None:
        monkeypatch.setenv(name, direct)
    secret = getattr(load(), name.lower())
    assert secret.get_secret_value() == (direct or SECRET)


def test_a_secret_file_counts_more_than_the_settings_file(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(config, 'database_url = "sqlite:///file.db"\n')
    (tmp_path / "secret").write_text("sqlite:///secret.db", encoding="utf-8")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "secret"))
    assert load().database_url.get_secret_value() == "sqlite:///secret.db"


def test_an_empty_secret_file_says_nothing(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container is given a file for every secret, also for those that are not wanted."""
    write(config, 'redis_url = "redis://file/0"\n')
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    for name in ("DATABASE_URL", "REDIS_URL", "SMTP_URL", "SECRET_KEY", "HEARTBEAT_URL"):
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "empty"))
    settings = load()
    assert settings.database_url.get_secret_value() == "sqlite:///var/vigencia.db"
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "redis://file/0"
    assert settings.smtp_url is settings.secret_key is settings.heartbeat_url is None


def test_only_what_has_a_plain_name_is_read_from_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_FILE", "somebody else's")
    monkeypatch.setenv("LOG_LEVEL_FILE", "somebody else's")
    assert load().log_level == "INFO"


@pytest.mark.parametrize("content", [None, b"\xff\xfe" + SECRET.encode()])
def test_a_secret_file_that_cannot_be_read_is_named(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN_FILE", str(path))
    with pytest.raises(ConfigError, match="TWILIO_AUTH_TOKEN_FILE") as raised:
        load()
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    "name",
    [
        "VIGENCIA_LOGLEVEL",
        "VIGENCIA_BOOK__SIGNATUR",
        "VIGENCIA_BOOKS__SIGNATURE",
        "VIGENCIA_DATABASE_URL",  # the plain name is DATABASE_URL
        "VIGENCIA_TWILIO_FROM",
        "VIGENCIA_WEB_PORT",  # Kubernetes sets it for a Service vigencia-web, unless told not to
    ],
)
def test_a_mistyped_variable_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, SECRET)
    assert f"{name}: no such setting" in problems()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("loglevel = 1\n", "loglevel: no such setting"),
        ("[book]\nsignatur = 'x'\n", "book.signatur: no such setting"),
        ("[worker]\nthreads = 0\n", "worker.threads: "),
        ("[worker]\nthreads = 'many'\n", "worker.threads: "),
        ("log_level = 'loud'\n", "log_level: "),
        ("[book]\nlanguage = 'qu'\n", "book.language: "),
        ("[book]\nsignature = ''\n", "book.signature: "),
        ("book = 1\n", "book: "),
        (
            "[book]\ntime_zone = 'Peru/Lima'\n",
            "book.time_zone: 'Peru/Lima' is not a time zone; write one like America/Lima",
        ),
    ],
)
def test_a_wrong_value_is_named(config: Path, text: str, problem: str) -> None:
    write(config, text)
    [found] = problems()
    assert found.startswith(problem)


@pytest.mark.parametrize("name", ["twilio_auth_token", "sendgrid_api_key", "database_password"])
def test_a_secret_in_the_settings_file_is_refused(config: Path, name: str) -> None:
    write(config, f'{name} = "{SECRET}"\n')
    assert problems() == [
        f"{name}: a secret does not belong in vigencia.toml; set {name.upper()} instead"
    ]


def test_a_section_that_is_no_json_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGENCIA_BOOK", f"{{{SECRET}")
    [found] = problems()
    assert '"book"' in found


def test_all_errors_come_at_once(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        config,
        f'surprise = 1\ntwilio_auth_token = "{SECRET}"\n'
        "[worker]\nthreads = 0\n[book]\ntime_zone = 'Lima'\n",
    )
    monkeypatch.setenv("VIGENCIA_TYPO", "1")
    monkeypatch.setenv("VIGENCIA_RETRY__ATTEMPTS", "often")
    assert {problem.partition(": ")[0] for problem in problems()} == {
        *("surprise", "twilio_auth_token", "worker.threads", "book.time_zone"),
        *("VIGENCIA_TYPO", "retry.attempts"),
    }


def test_the_heading_names_the_file(config: Path) -> None:
    write(config, "surprise = 1\n")
    with pytest.raises(ConfigError) as raised:
        load()
    assert str(config / "vigencia.toml") in raised.value.message.splitlines()[0]
    assert raised.value.hint


def test_a_missing_file_is_named(config: Path) -> None:
    (config / "vigencia.toml").unlink()
    with pytest.raises(ConfigError, match=r"There is no configuration file .*vigencia\.toml"):
        load()


def test_an_unreadable_file_is_named(config: Path) -> None:
    path = config / "vigencia.toml"
    path.write_bytes(b'log_level = "\xff"')
    with pytest.raises(ConfigError, match=r"vigencia\.toml cannot be read: "):
        load()
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match=r"vigencia\.toml cannot be read: "):
        load()


def test_a_broken_file_is_named_with_its_line(config: Path) -> None:
    write(config, "log_level = 'INFO'\nlog_format = \n")
    with pytest.raises(ConfigError, match=r"vigencia\.toml is not valid TOML: .*line 2"):
        load()


def test_a_file_beside_the_work_counts_before_the_shipped_one(
    config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("VIGENCIA_CONFIG_DIR")
    here = tmp_path / "here"
    (here / "config").mkdir(parents=True)
    monkeypatch.chdir(here)
    assert load().log_level == "INFO"  # the shipped file
    (here / "config" / "vigencia.toml").write_text("log_level = 'DEBUG'\n", encoding="utf-8")
    assert load().log_level == "DEBUG"


def test_secrets_never_show(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "TWILIO_AUTH_TOKEN", "SENDGRID_API_KEY"):
        monkeypatch.setenv(name, f"scheme://user:{SECRET}@host/")
    settings = load()
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_settings_cannot_be_changed() -> None:
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.log_level = "DEBUG"
    assert isinstance(settings, Settings)


@pytest.mark.parametrize("name", ["SECRET_KEY", "SECRET_KEY_PREVIOUS"])
@pytest.mark.parametrize("key", ["short", "k" * 31, f"{'k' * 32} short"])
def test_a_key_that_could_be_guessed_is_refused_and_not_shown(
    name: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, key)
    with pytest.raises(ConfigError) as raised:
        load()
    assert f"{name.lower()}: a key has at least 32 characters" in str(raised.value)
    assert key not in str(raised.value)


def test_a_key_does_not_belong_into_the_file(config: Path) -> None:
    write(config, f'secret_key = "{"k" * 32}"')
    with pytest.raises(
        ConfigError, match=r"secret_key: a secret does not belong in vigencia\.toml"
    ):
        load()


@pytest.mark.parametrize(
    "signature", ["Chips\r\nRosa", "Chips\u202eRosa", "\u200bRosa", " ", "A\x00"]
)
def test_a_signature_is_one_line_of_characters_that_are_seen(signature: str) -> None:
    with pytest.raises(ValueError, match="signature"):
        BookDefaults(signature=signature)


def test_a_signature_of_any_script_is_welcome() -> None:
    for text in ("手机卡", "Chips Ñandú", "Rosa 👩\u200d💻", " Rosa "):
        assert BookDefaults(signature=text).signature == text.strip()
