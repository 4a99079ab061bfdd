"""Credentials that cannot work are told at start, by their setting's name and never by value."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.errors import ConfigError, VigenciaError
from worker.paths import shipped
from worker.setup.build import build
from worker.setup.gateways import choose
from worker.setup.settings import Settings, load
from worker.store.engine import open_engine

SID, SERVICE = "AC0123456789abcdef0123456789abcdef", "MG0123456789abcdef0123456789ABCDEF"
GOOD = {
    "TWILIO_ACCOUNT_SID": SID,
    "TWILIO_AUTH_TOKEN": "0123456789abcdef0123456789abcdef",
    "TWILIO_FROM": "+15017122661",
    "SENDGRID_API_KEY": "SG.abc_DEF-123.xyz",
    "SENDGRID_FROM": "avisos@example.com",
}
BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


@pytest.fixture(autouse=True)
def _nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(shipped("config"), tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("VIGENCIA_CONFIG_DIR", str(tmp_path))


def start(monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    for name, value in {**GOOD, **changes}.items():
        monkeypatch.setenv(name, value)
    choose(load())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TWILIO_FROM", "+1 501 712 2661"),
        ("TWILIO_FROM", "15017122662"),
        ("TWILIO_FROM", "0051987654321"),
        ("TWILIO_FROM", "987654321"),
        ("TWILIO_FROM", "+1501712266x"),
        ("TWILIO_FROM", "+٥٠١٧١٢٢٦٦١٢"),
        ("TWILIO_FROM", "A name of twelve letters"),
        ("TWILIO_FROM", f"{BOM}+15017122661"),
        ("TWILIO_ACCOUNT_SID", "SK" + SID[2:]),
        ("TWILIO_ACCOUNT_SID", SID[:-1]),
        ("TWILIO_ACCOUNT_SID", BOM + SID),
        ("TWILIO_MESSAGING_SERVICE_SID", SID),
        ("TWILIO_MESSAGING_SERVICE_SID", "+15017122661"),
        ("TWILIO_AUTH_TOKEN", "0123 4567"),
        ("TWILIO_AUTH_TOKEN", f"{BOM}0123"),
        ("SENDGRID_API_KEY", "abc_DEF-123.xyz"),
        ("SENDGRID_API_KEY", f"{BOM}SG.abc.xyz"),
        ("SENDGRID_API_KEY", "SG.abc xyz"),
        ("SENDGRID_FROM", "avisos"),
        ("SENDGRID_FROM", "Avisos <avisos@example.com>"),
    ],
)
def test_a_credential_of_a_wrong_form_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        start(monkeypatch, **{name: value})
    assert name in refused.value.message
    assert value not in refused.value.message + refused.value.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TWILIO_FROM", "+51987654321"),
        ("TWILIO_FROM", "12345"),
        ("TWILIO_FROM", "KeepSIM"),
        ("TWILIO_FROM", "Mi SIM 24"),
        ("TWILIO_FROM", SERVICE),
        ("TWILIO_MESSAGING_SERVICE_SID", SERVICE),
    ],
)
def test_every_form_that_providers_know_is_taken(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    start(monkeypatch, **{name: value})


def test_a_secret_file_of_an_editor_that_marks_its_encoding_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in GOOD.items():
        file = tmp_path / name
        file.write_text(value + "\r\n", encoding="utf-8-sig")
        monkeypatch.setenv(f"{name}_FILE", str(file))
    assert load().twilio_account_sid == SID
    choose(load())


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://vigencia:s3@cret@db/vigencia",
        "postgresql://vigencia:s3@cr/et@db/vigencia",
        "postgresql://vigencia:cr/s3cret@db/vigencia",
        "postgresql://vigencia:cr#s3cret@db/vigencia",
        "postgresql://vigencia:cr?s3cret@db/vigencia",
        "postgresql://vigencia:x@db:s3cret/vigencia",
        "s3cret@db/vigencia",
        "s3cret",
    ],
)
def test_nothing_of_a_password_that_splits_the_address_is_told(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        open_engine(url)
    assert "s3" not in refused.value.message + refused.value.hint
    assert "DATABASE_URL" in refused.value.message


@pytest.mark.parametrize(
    "url", ["127.0.0.1:16399", "localhost", "http://x", "redis://host:s3cret", "redis://[x", "//h"]
)
def test_a_queue_address_that_is_none_is_told_at_start(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(ConfigError) as refused:
        build(make_folder=False)
    assert "redis://host:6379/1" in refused.value.hint
    assert "s3cret" not in refused.value.message + refused.value.hint


_NAMES = [
    (info.validation_alias or f"VIGENCIA_{name}").upper()
    for name, info in Settings.model_fields.items()
    if isinstance(info.validation_alias, str | None)
]
_SECTIONED = [
    f"VIGENCIA_{name}__{field}".upper()
    for name, info in Settings.model_fields.items()
    for field in getattr(info.annotation, "model_fields", ())
]
_ODD = st.one_of(
    st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=40),
    st.sampled_from(
        ["[]", "{}", "null", "NaN", "Infinity", "-1", "1e400", "9" * 400, "²", "true", "redis://[",
         "postgresql://", "postgresql://u:p@h:x/d", "postgresql+psycopg2://h", "sqlite://",
         "sqlite:",
         "smtp://[", "https://[", "//", "http://h:99999", "../..", "\n", BOM]
    ),
    st.from_regex(r"\A(redis|https?|smtps?|postgresql)://[a-z:@/\[\]?#%0-9]{0,20}\Z"),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(_NAMES + _SECTIONED), _ODD, min_size=1, max_size=3))
@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_setting_whatever_it_holds_ends_in_a_traceback(variables: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as given_now:
        for name, value in variables.items():
            given_now.setenv(name, value)
        assert all(os.environ[name] == value for name, value in variables.items())
        with suppress(VigenciaError):  # what is wrong is told; anything else is a traceback
            build(load(), make_folder=False).engine.dispose()
