"""Where the web process is reached: only what providers can reach, and nothing in the open."""

from typing import Any

import pytest
from pydantic import ValidationError

from worker.errors import ConfigError
from worker.providers.sendgrid.webhook import encoded_key
from worker.providers.twilio.settings import TwilioSettings
from worker.sandbox.credentials import EVENTS_PUBLIC_KEY
from worker.setup.gateways import Gateways, choose
from worker.setup.settings import Settings

LIVE: dict[str, Any] = {
    "twilio_account_sid": "AC0123456789abcdef0123456789abcdef",
    "twilio_auth_token": "t0ken-t0ken",
    "twilio_from": "+15017122661",
}


def settings(public_url: str | None, **values: Any) -> Settings:
    return Settings(**{**values, "web": {"public_url": public_url}})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://avisos.example.com", "https://avisos.example.com"),
        ("https://avisos.example.com/", "https://avisos.example.com"),
        ("https://avisos.example.com:8443/sim/", "https://avisos.example.com:8443/sim"),
        ("http://127.0.0.1:8800", "http://127.0.0.1:8800"),
        ("http://localhost:8800/", "http://localhost:8800"),
        ("http://[::1]:8800", "http://[::1]:8800"),
        ("", None),
        (None, None),
    ],
)
def test_a_public_address_is_kept_without_its_last_slash(given: str, kept: str | None) -> None:
    assert settings(given).web.public_url == kept


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("http://avisos.example.com", "must be https"),
        ("http://10.0.0.1", "must be https"),
        ("avisos.example.com", "write an address like"),
        ("ftp://avisos.example.com", "write an address like"),
        ("https://", "write an address like"),
        ("https://[", "write an address like"),
        ("https://avisos.example.com:many", "write an address like"),
        ("https://avisos.example.com/?a=1", "without user, query and fragment"),
        ("https://avisos.example.com/#a", "without user, query and fragment"),
        ("https://me:secret@avisos.example.com", "without user, query and fragment"),
    ],
)
def test_what_is_no_public_address_is_refused(given: str, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        settings(given)


def status_callback(gateways: Gateways) -> str | None:
    account = gateways.own["twilio"].account
    assert isinstance(account, TwilioSettings)
    return account.status_callback


def test_each_text_says_where_to_report() -> None:
    live = choose(settings("https://avisos.example.com/", **LIVE))
    here = choose(settings("http://127.0.0.1:8800"))
    nowhere = choose(settings(None, **LIVE))
    assert status_callback(live) == "https://avisos.example.com/webhooks/twilio/status"
    assert status_callback(here) == "http://127.0.0.1:8800/webhooks/twilio/status"
    assert status_callback(nowhere) is None


@pytest.mark.parametrize(
    ("public_url", "values", "told"),
    [
        ("http://127.0.0.1:8800", LIVE, "where no provider can reach it"),
        ("https://localhost", LIVE, "where no provider can reach it"),
        ("https://avisos.example.com", {}, "the credentials are the sandbox's"),
    ],
)
def test_real_and_sandbox_do_not_mix_here_either(
    public_url: str, values: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        choose(settings(public_url, **values))


def events_key(settings: Settings) -> str:
    return encoded_key(choose(settings).given["sendgrid"])


def test_the_sandboxs_key_is_believed_in_the_sandbox_only() -> None:
    mail = {"sendgrid_api_key": "SG.real", "sendgrid_from": "avisos@example.com"}
    assert events_key(Settings()) == EVENTS_PUBLIC_KEY  # type: ignore[call-arg]
    assert events_key(Settings(**LIVE)) == ""
    assert events_key(Settings(**mail, sendgrid_webhook_key="MFk")) == "MFk"  # type: ignore[arg-type]
    assert events_key(Settings(sendgrid_webhook_key="MFk")) == EVENTS_PUBLIC_KEY  # type: ignore[call-arg]
