"""What providers declare, and several of one channel beside each other."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from worker.core.cards import Channel
from worker.providers.base import Hearing, Provider, Searchable
from worker.providers.choice import hearing, members, searchable
from worker.providers.declaration import Declaration
from worker.providers.given import Given
from worker.providers.registry import PROVIDERS, can_be_asked
from worker.providers.smtp.settings import SmtpSettings
from worker.providers.transport import Transport
from worker.providers.twilio.client import TwilioProvider
from worker.providers.twilio.provider import TWILIO
from worker.providers.twilio.settings import TwilioSettings
from worker.providers.vonage.settings import VonageSettings
from worker.sandbox.webhooks import EVENTS_PATH, INBOUND_PATH
from worker.setup.gateways import Gateway, Gateways, Mode, choose
from worker.setup.pace import rates
from worker.setup.settings import Settings

LONG_CODE, TOLL_FREE, NAME = "+15005550006", "+18335550006", "Vigencia"


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    for one in PROVIDERS:
        for name in ("FROM", "ACCOUNT_SID", "AUTH_TOKEN", "API_KEY", "URL", "BASE_URL"):
            monkeypatch.delenv(one.prefix + name, raising=False)
    return Settings()  # type: ignore[call-arg]


def test_what_a_provider_declares_is_what_its_client_can(settings: Settings) -> None:
    accounts: dict[str, Any] = {name: one.account for name, one in choose(settings).own.items()}
    accounts["smtp"] = SmtpSettings("127.0.0.1", 25, "reminders@example.com")
    accounts["vonage"] = VonageSettings("abcd1234", "secret", "Vigencia")
    for one in PROVIDERS:
        client = one.open(accounts[one.name], Transport(), lambda: datetime.now(UTC))
        assert client.name == one.name
        assert client.sender == accounts[one.name].sender
        assert isinstance(client, Searchable) is one.searchable
        assert isinstance(client, Hearing) is one.hears


def test_each_address_belongs_to_one_provider() -> None:
    paths = [hook.path for one in PROVIDERS for hook in one.webhooks]
    assert len(set(paths)) == len(paths)
    for one in PROVIDERS:
        assert all(hook.path.startswith(f"/webhooks/{one.name}/") for hook in one.webhooks)
    assert {EVENTS_PATH, INBOUND_PATH} < set(paths), "where the sandbox calls"


def test_who_reports_has_words_and_who_does_not_has_none() -> None:
    for one in PROVIDERS:
        assert bool(one.statuses) is bool(one.webhooks) is one.confirms_delivery


@pytest.mark.parametrize(
    ("channel", "name", "found"),
    [
        (Channel.SMS, "twilio", True),
        (Channel.SMS, "vonage", True),
        (Channel.EMAIL, "sendgrid", False),
        (Channel.EMAIL, "smtp", False),
        (Channel.SMS, "one of another version", True),
        (Channel.EMAIL, "one of another version", False),
    ],
)
def test_who_can_be_asked_what_became_of_a_message(
    channel: Channel, name: str, found: bool
) -> None:
    assert can_be_asked(channel, name) is found


# Two providers of one channel


def another() -> Declaration:
    """A second provider of SMS: Twilio's API under another name."""

    class Other(TwilioProvider):
        name = "other"

    def opened(account: TwilioSettings, transport: Transport, now: Any) -> Provider[Any]:
        return Other(account, transport, now)

    return replace(TWILIO, name="other", title="Other", open=opened)


def two(weights: tuple[int, int], *senders: str) -> Gateways:
    """Both of them, with their senders."""
    own = {
        one.name: Gateway(one, TwilioSettings("AC", "token", sender), weight)
        for one, sender, weight in zip((TWILIO, another()), senders, weights, strict=True)
    }
    given: dict[str, Given] = {}
    return Gateways({Channel.SMS: Mode.LIVE, Channel.EMAIL: Mode.OFF}, own, given)


def opened(gateways: Gateways) -> dict[Channel, Provider[Any]]:
    return gateways.open(Transport(), lambda: datetime.now(UTC))


@pytest.mark.parametrize(
    ("weights", "names"), [((100, 0), ["twilio", "other"]), ((10, 90), ["other", "twilio"])]
)
def test_sms_is_shared_by_weights_as_email_is(weights: tuple[int, int], names: list[str]) -> None:
    gateways = two(weights, LONG_CODE, TOLL_FREE)
    providers = opened(gateways)
    assert providers.keys() == {Channel.SMS}
    assert [one.name for one, _ in members(providers[Channel.SMS])] == names
    assert gateways.sender(Channel.SMS) == (LONG_CODE if names[0] == "twilio" else TOLL_FREE)
    told = "through Twilio, weight {} and Other, weight {}"
    assert gateways.through(Channel.SMS) == told.format(*weights)


def test_each_of_them_is_asked_and_heard() -> None:
    providers = opened(two((50, 50), LONG_CODE, TOLL_FREE))
    assert searchable(providers).keys() == hearing(providers).keys() == {"twilio", "other"}


@pytest.mark.parametrize(
    ("weights", "senders", "rate"),
    [
        ((100, 0), (LONG_CODE, TOLL_FREE), 1.0),  # all through the first
        ((0, 100), (LONG_CODE, TOLL_FREE), 3.0),
        ((25, 75), (LONG_CODE, TOLL_FREE), 4.0),  # a quarter of four is one
        ((50, 50), (LONG_CODE, TOLL_FREE), 2.0),
        ((0, 0), (LONG_CODE, TOLL_FREE), 2.0),
        ((50, 50), (LONG_CODE, NAME), 2.0),  # the other half has no bound
        ((50, 50), (NAME, NAME), None),
    ],
)
def test_no_sender_gets_more_than_its_provider_takes(
    settings: Settings, weights: tuple[int, int], senders: tuple[str, str], rate: float | None
) -> None:
    assert rates(settings, two(weights, *senders)).get(Channel.SMS) == rate
