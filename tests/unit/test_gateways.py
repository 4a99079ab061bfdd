"""The real providers, the sandbox, or nobody: never a mixture, and never by accident."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from worker.core.cards import Channel
from worker.errors import ConfigError
from worker.gateways import SANDBOX_EMAIL_SENDER, Gateways, Mode, choose
from worker.providers.sendgrid import SendGridProvider
from worker.providers.transport import Transport
from worker.providers.twilio import TwilioProvider
from worker.sandbox import credentials as sandbox
from worker.settings import load

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
LIVE, SANDBOX, OFF = Mode.LIVE, Mode.SANDBOX, Mode.OFF

Chosen = Callable[[dict[str, str]], Gateways]


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Chosen:
    """The choice with nothing but the given variables set."""
    for name in os.environ:
        if name.startswith(("TWILIO_", "SENDGRID_", "VIGENCIA_", "DATABASE_URL", "REDIS_URL")):
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


def refused(chosen: Chosen, variables: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as raised:
        chosen(variables)
    assert raised.value.hint
    text = f"{raised.value.message} {raised.value.hint}"
    assert TOKEN not in text
    assert KEY not in text
    return raised.value.message


def test_with_nothing_set_everything_goes_to_the_sandbox(chosen: Chosen) -> None:
    gateways = chosen({})
    assert modes(gateways) == (SANDBOX, SANDBOX)
    assert gateways.sandboxed
    assert gateways.twilio is not None
    assert gateways.sendgrid is not None
    assert gateways.twilio.account_sid == sandbox.ACCOUNT_SID
    assert gateways.sendgrid.api_key == sandbox.API_KEY
    assert gateways.sendgrid.sender == SANDBOX_EMAIL_SENDER
    assert gateways.twilio.base_url == gateways.sendgrid.base_url == "http://127.0.0.1:8825"


def test_the_sandbox_may_stand_elsewhere_on_this_machine(chosen: Chosen) -> None:
    gateways = chosen({"VIGENCIA_SANDBOX__URL": "http://localhost:9000"})
    assert gateways.twilio is not None
    assert gateways.twilio.base_url == "http://localhost:9000"


def test_with_both_set_both_are_live_at_the_providers_own_addresses(chosen: Chosen) -> None:
    gateways = chosen(TWILIO | SENDGRID)
    assert modes(gateways) == (LIVE, LIVE)
    assert not gateways.sandboxed
    assert gateways.twilio is not None
    assert gateways.sendgrid is not None
    assert gateways.twilio.base_url is None
    assert gateways.sendgrid.base_url == "https://api.sendgrid.com"
    assert (gateways.twilio.auth_token, gateways.sendgrid.api_key) == (TOKEN, KEY)
    assert gateways.twilio.sender == TWILIO["TWILIO_FROM"]


def test_a_messaging_service_counts_more_than_a_number(chosen: Chosen) -> None:
    gateways = chosen(TWILIO | {"TWILIO_MESSAGING_SERVICE_SID": "MG1"})
    assert gateways.twilio is not None
    assert gateways.twilio.sender == "MG1"


@pytest.mark.parametrize(
    ("variables", "expected"), [(TWILIO, (LIVE, OFF)), (SENDGRID, (OFF, LIVE))]
)
def test_with_one_provider_set_the_other_channel_is_off_and_not_the_sandbox(
    chosen: Chosen, variables: dict[str, str], expected: tuple[Mode, Mode]
) -> None:
    gateways = chosen(variables)
    assert modes(gateways) == expected
    assert not gateways.sandboxed
    assert (gateways.twilio is None) is (expected[0] is OFF)
    assert (gateways.sendgrid is None) is (expected[1] is OFF)


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
    assert gateways.sendgrid is not None
    assert gateways.sendgrid.base_url == eu


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
