"""The real providers, the sandbox, or nobody: never a mixture, and never by accident."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from worker.core.cards import Channel
from worker.errors import ConfigError
from worker.providers.choice import members
from worker.providers.sendgrid.client import SendGridProvider
from worker.providers.smtp.client import SmtpProvider
from worker.providers.smtp.settings import SmtpSettings
from worker.providers.transport import Transport
from worker.providers.twilio.client import TwilioProvider
from worker.sandbox import credentials as sandbox
from worker.setup.gateways import Gateways, Mode, choose
from worker.setup.settings import load

TOKEN, KEY = "t0ken-t0ken", "SG.k3y-k3y"
TWILIO = {
    "TWILIO_ACCOUNT_SID": "AC0123456789abcdef0123456789abcdef",
    "TWILIO_AUTH_TOKEN": TOKEN,
    "TWILIO_FROM": "+15017122661",
}
SENDGRID = {"SENDGRID_API_KEY": KEY, "SENDGRID_FROM": "avisos@example.com"}
TWILIO_SANDBOX = {
    "TWILIO_ACCOUNT_SID": sandbox.ACCOUNT_SID,
    "TWILIO_AUTH_TOKEN": sandbox.AUTH_TOKEN,
    "TWILIO_FROM": sandbox.SENDER,
}
SENDGRID_SANDBOX = {"SENDGRID_API_KEY": sandbox.API_KEY, "SENDGRID_FROM": "avisos@example.com"}
PASSWORD = "p4ss/w:rd@1"
SMTP = {
    "SMTP_URL": "smtp://us%40example.com:p4ss%2Fw%3Ard%401@mail.example.com:2525",
    "SMTP_FROM": "avisos@example.com",
}
LOCAL = SMTP | {"SMTP_URL": "smtp://127.0.0.1:1025"}
LIVE, SANDBOX, OFF = Mode.LIVE, Mode.SANDBOX, Mode.OFF

Chosen = Callable[[dict[str, str]], Gateways]


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Chosen:
    """The choice with nothing but the given variables set."""
    for name in os.environ:
        if name.startswith(
            ("TWILIO_", "VONAGE_", "SENDGRID_", "SMTP_", "VIGENCIA_", "DATABASE_", "REDIS_URL")
        ):
            monkeypatch.delenv(name)
    (tmp_path / "vigencia.toml").write_text("", encoding="utf-8")
    monkeypatch.setenv("VIGENCIA_CONFIG_DIR", str(tmp_path))

    def choice(variables: dict[str, str]) -> Gateways:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return choose(load())

    return choice


def modes(gateways: Gateways) -> tuple[Mode, Mode]:
    return gateways.modes[Channel.SMS], gateways.modes[Channel.EMAIL]


def account(gateways: Gateways, name: str) -> Any:
    """What the provider is called with."""
    return gateways.own[name].account


def refused(chosen: Chosen, variables: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as raised:
        chosen(variables)
    assert raised.value.hint
    text = f"{raised.value.message} {raised.value.hint}"
    assert TOKEN not in text
    assert KEY not in text
    assert PASSWORD not in text
    assert "p4ss" not in text
    return raised.value.message


def test_with_nothing_set_everything_goes_to_the_sandbox(chosen: Chosen) -> None:
    gateways = chosen({})
    assert modes(gateways) == (SANDBOX, SANDBOX)
    assert gateways.sandboxed
    assert account(gateways, "twilio").account_sid == sandbox.ACCOUNT_SID
    assert account(gateways, "sendgrid").api_key == sandbox.API_KEY
    assert account(gateways, "sendgrid").sender == sandbox.EMAIL_SENDER
    assert (
        account(gateways, "twilio").base_url
        == account(gateways, "sendgrid").base_url
        == "http://127.0.0.1:8825"
    )


def test_the_sandbox_may_stand_elsewhere_on_this_machine(chosen: Chosen) -> None:
    gateways = chosen({"VIGENCIA_SANDBOX__URL": "http://localhost:9000"})
    assert account(gateways, "twilio").base_url == "http://localhost:9000"


def test_with_both_set_both_are_live_at_the_providers_own_addresses(chosen: Chosen) -> None:
    gateways = chosen(TWILIO | SENDGRID)
    assert modes(gateways) == (LIVE, LIVE)
    assert not gateways.sandboxed
    assert account(gateways, "twilio").base_url is None
    assert account(gateways, "sendgrid").base_url == "https://api.sendgrid.com"
    assert (account(gateways, "twilio").auth_token, account(gateways, "sendgrid").api_key) == (
        TOKEN,
        KEY,
    )
    assert account(gateways, "twilio").sender == TWILIO["TWILIO_FROM"]


def test_a_messaging_service_counts_more_than_a_number(chosen: Chosen) -> None:
    service = "MG" + "1" * 32
    gateways = chosen(TWILIO | {"TWILIO_MESSAGING_SERVICE_SID": service})
    assert account(gateways, "twilio").sender == service


@pytest.mark.parametrize(
    ("variables", "expected"), [(TWILIO, (LIVE, OFF)), (SENDGRID, (OFF, LIVE))]
)
def test_with_one_provider_set_the_other_channel_is_off_and_not_the_sandbox(
    chosen: Chosen, variables: dict[str, str], expected: tuple[Mode, Mode]
) -> None:
    gateways = chosen(variables)
    assert modes(gateways) == expected
    assert not gateways.sandboxed
    assert ("twilio" in gateways.own) is (expected[0] is not OFF)
    assert ("sendgrid" in gateways.own) is (expected[1] is not OFF)


@pytest.mark.parametrize("present", list(TWILIO))
def test_a_half_configured_twilio_is_refused_with_what_is_missing(
    chosen: Chosen, present: str
) -> None:
    message = refused(chosen, {present: TWILIO[present]})
    assert "Twilio is half configured" in message
    for name in TWILIO:
        assert (name in message) is (name != present)


@pytest.mark.parametrize("present", list(SENDGRID))
def test_a_half_configured_sendgrid_is_refused_with_what_is_missing(
    chosen: Chosen, present: str
) -> None:
    [missing] = set(SENDGRID) - {present}
    message = refused(chosen, {present: SENDGRID[present]})
    assert "SendGrid is half configured" in message
    assert missing in message
    assert present not in message


def test_all_contradictions_come_at_once(chosen: Chosen) -> None:
    message = refused(chosen, {"TWILIO_FROM": "+15017122661", "SENDGRID_API_KEY": KEY})
    assert "Twilio is half configured" in message
    assert "SendGrid is half configured" in message


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "127.0.0.2", "0.0.0.0"],  # noqa: S104
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_real_credentials_do_not_go_to_this_machine(chosen: Chosen, scheme: str, host: str) -> None:
    url = f"{scheme}://{host}:8825"
    for name, variables in (("TWILIO", TWILIO), ("SENDGRID", SENDGRID)):
        message = refused(chosen, variables | {f"{name}_BASE_URL": url})
        assert f"{name}_BASE_URL points to this machine" in message


@pytest.mark.parametrize(("name", "variables"), [("TWILIO", TWILIO), ("SENDGRID", SENDGRID)])
def test_real_credentials_do_not_travel_in_the_open(
    chosen: Chosen, name: str, variables: dict[str, str]
) -> None:
    message = refused(chosen, variables | {f"{name}_BASE_URL": "http://api.example.com"})
    assert f"{name}_BASE_URL must be https" in message


def test_real_credentials_may_go_to_another_https_address(chosen: Chosen) -> None:
    eu = "https://api.eu.sendgrid.com"
    gateways = chosen(SENDGRID | {"SENDGRID_BASE_URL": eu})
    assert account(gateways, "sendgrid").base_url == eu


@pytest.mark.parametrize(
    "variables", [{}, TWILIO_SANDBOX | SENDGRID_SANDBOX], ids=["nothing", "sandbox"]
)
@pytest.mark.parametrize("name", ["TWILIO_BASE_URL", "SENDGRID_BASE_URL"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_sandboxs_credentials_do_not_leave_this_machine(
    chosen: Chosen, variables: dict[str, str], name: str, scheme: str
) -> None:
    message = refused(chosen, variables | {name: f"{scheme}://api.example.com"})
    assert f"{name} points to another machine" in message


@pytest.mark.parametrize(
    "variables", [{}, TWILIO_SANDBOX | SENDGRID_SANDBOX], ids=["nothing", "sandbox"]
)
def test_a_sandbox_on_another_machine_is_refused(chosen: Chosen, variables: dict[str, str]) -> None:
    foreign = {"VIGENCIA_SANDBOX__URL": "http://api.example.com:8825"}
    assert "another machine" in refused(chosen, variables | foreign)


def test_the_sandboxs_credentials_may_be_written_down(chosen: Chosen) -> None:
    assert modes(chosen(TWILIO_SANDBOX | SENDGRID_SANDBOX)) == (SANDBOX, SANDBOX)


@pytest.mark.parametrize(
    "variables", [TWILIO | SENDGRID_SANDBOX, TWILIO_SANDBOX | SENDGRID], ids=["sms", "email"]
)
def test_one_real_and_one_sandboxed_is_refused(chosen: Chosen, variables: dict[str, str]) -> None:
    assert "One provider is real and the other is the sandbox" in refused(chosen, variables)


@pytest.mark.parametrize(
    "url", ["api.example.com", "ftp://api.example.com", "https://", "http://["]
)
def test_what_is_no_web_address_is_refused(chosen: Chosen, url: str) -> None:
    for variables in ({}, TWILIO):
        message = refused(chosen, variables | {"TWILIO_BASE_URL": url})
        assert "TWILIO_BASE_URL is not an http or https address" in message


def test_only_channels_that_are_on_have_a_provider(chosen: Chosen) -> None:
    providers = chosen(TWILIO).open(Transport(), lambda: datetime(2026, 1, 1, tzinfo=UTC))
    assert list(providers) == [Channel.SMS]
    assert isinstance(providers[Channel.SMS], TwilioProvider)


def test_both_providers_open_for_the_sandbox(chosen: Chosen) -> None:
    providers = chosen({}).open(Transport(), lambda: datetime(2026, 1, 1, tzinfo=UTC))
    assert isinstance(providers[Channel.SMS], TwilioProvider)
    assert isinstance(providers[Channel.EMAIL], SendGridProvider)


def test_secrets_never_show(chosen: Chosen) -> None:
    text = repr(chosen(TWILIO | SENDGRID))
    assert TOKEN not in text
    assert KEY not in text
    assert "p4ss" not in repr(chosen(TWILIO | SENDGRID | SMTP))


def test_a_mail_server_alone_turns_email_on_and_nothing_goes_to_the_sandbox(
    chosen: Chosen,
) -> None:
    gateways = chosen(SMTP)
    assert modes(gateways) == (OFF, LIVE)
    assert account(gateways, "smtp") == SmtpSettings(
        *("mail.example.com", 2525, "avisos@example.com", "us@example.com", PASSWORD)
    )
    assert account(gateways, "smtp").starttls
    providers = gateways.open(Transport(), lambda: datetime(2026, 1, 1, tzinfo=UTC))
    assert isinstance(providers[Channel.EMAIL], SmtpProvider)


@pytest.mark.parametrize(
    ("weights", "names"),
    [
        ({}, ["sendgrid", "smtp"]),
        ({"VIGENCIA_EMAIL__SMTP_WEIGHT": "200"}, ["smtp", "sendgrid"]),
    ],
)
def test_with_two_providers_of_email_the_heavier_one_comes_first(
    chosen: Chosen, weights: dict[str, str], names: list[str]
) -> None:
    gateways = chosen(TWILIO | SENDGRID | SMTP | weights)
    assert modes(gateways) == (LIVE, LIVE)
    email = gateways.open(Transport(), lambda: datetime(2026, 1, 1, tzinfo=UTC))[Channel.EMAIL]
    assert [provider.name for provider, _ in members(email)] == names


@pytest.mark.parametrize("others", [TWILIO_SANDBOX, SENDGRID_SANDBOX], ids=["sms", "email"])
def test_a_mail_server_elsewhere_never_mixes_with_the_sandbox(
    chosen: Chosen, others: dict[str, str]
) -> None:
    assert "One provider is real" in refused(chosen, SMTP | others)


@pytest.mark.parametrize(
    ("others", "mode"),
    [({}, LIVE), (TWILIO, LIVE), (SENDGRID, LIVE), (SENDGRID_SANDBOX, SANDBOX)],
    ids=["alone", "twilio", "sendgrid", "sandbox"],
)
def test_a_mail_server_on_this_machine_is_what_the_others_are(
    chosen: Chosen, others: dict[str, str], mode: Mode
) -> None:
    gateways = chosen(LOCAL | others)
    assert gateways.modes[Channel.EMAIL] is mode
    assert not account(gateways, "smtp").starttls


@pytest.mark.parametrize("present", list(SMTP))
def test_a_half_configured_mail_server_is_refused_with_what_is_missing(
    chosen: Chosen, present: str
) -> None:
    [missing] = set(SMTP) - {present}
    message = refused(chosen, {present: SMTP[present]})
    assert f"SMTP is half configured; missing: {missing}" in message


@pytest.mark.parametrize(
    ("url", "port", "tls", "starttls"),
    [
        ("smtp://mail.example.com", 587, False, True),
        ("smtp://mail.example.com:25?starttls", 25, False, True),
        ("smtp://mail.example.com?starttls=no", 587, False, False),
        ("smtps://mail.example.com", 465, True, False),
        ("smtp://localhost", 25, False, False),
        ("smtp://localhost?starttls", 25, False, True),
        ("smtp://[::1]:2525", 2525, False, False),
    ],
)
def test_how_a_mail_server_is_spoken_to(
    chosen: Chosen, url: str, port: int, tls: bool, starttls: bool
) -> None:
    found = account(chosen(SMTP | {"SMTP_URL": url}), "smtp")
    assert (found.port, found.tls, found.starttls) == (port, tls, starttls)
    assert found.username is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://mail.example.com", "is not an smtp:// or smtps://"),
        ("smtp://", "is not an smtp:// or smtps://"),
        ("smtp://mail example.com", "is not an smtp:// or smtps://"),
        ("smtp://[", "is not an address like"),
        ("smtp://us:p4ss@mail.example.com:many", "is not an address like"),
        ("smtp://us:p4ss@mail.example.com/inbox", "takes nothing after the port"),
        ("smtp://us:p4ss@mail.example.com?tls=1", "takes nothing after the port"),
        ("smtp://us@mail.example.com", "has a user or a password, but not both"),
        ("smtp://us:p4ss@mail.example.com?starttls=no", "travel in the open"),
        ("smtps://us:p4ss@mail.example.com?starttls", "protected from the first byte"),
    ],
)
def test_what_is_no_mail_server_is_refused_without_telling_the_password(
    chosen: Chosen, url: str, problem: str
) -> None:
    message = refused(chosen, SMTP | {"SMTP_URL": url})
    assert "SMTP_URL" in message
    assert problem in message


@pytest.mark.parametrize("sender", ["avisos", "Avisos <a@example.com>", "a@example.com, b@c.com"])
def test_a_sender_is_one_address(chosen: Chosen, sender: str) -> None:
    assert "SMTP_FROM is not an email address" in refused(chosen, SMTP | {"SMTP_FROM": sender})
