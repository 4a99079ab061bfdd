"""Who carries messages: the real providers, the sandbox, or nobody. The three never mix."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from worker.core.cards import Channel
from worker.core.hosts import leads_here
from worker.errors import ConfigError
from worker.providers.base import Provider
from worker.providers.choice import Weighted
from worker.providers.declaration import Declaration
from worker.providers.given import Configured, Credentials, Given, wrong_url
from worker.providers.registry import PROVIDERS
from worker.providers.transport import Transport
from worker.sandbox import credentials as sandbox
from worker.setup.settings import Settings

_NEVER_MIX = (
    "Real credentials go to the provider only. For the sandbox leave all "
    f"{', '.join(one.prefix for one in PROVIDERS[:-1])} and {PROVIDERS[-1].prefix} variables unset."
)


class Mode(StrEnum):
    """What happens to messages on a channel."""

    LIVE = "live"
    SANDBOX = "sandbox"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Gateway:
    """One provider as it is set: ``weight`` is its share of the messages of its channel."""

    provider: Declaration
    account: Credentials = field(repr=False)
    weight: int

    @property
    def title(self) -> str:
        """Who it is, for people; what has no address of its own is told by where it is."""
        own = self.provider
        return own.title if own.own_url else f"{own.title} ({self.account.address})"

    @property
    def elsewhere(self) -> str | None:
        """Where messages are handed over, if that is not the provider's own address."""
        own = self.provider.own_url
        return None if own in (None, self.account.address) else self.account.address


@dataclass(frozen=True, slots=True)
class Gateways:
    """How each channel goes out. ``own``: the providers that are set, by name, in the order of the
    registry; ``given``: what is set for each provider there is. They hold secrets."""

    modes: Mapping[Channel, Mode]
    own: Mapping[str, Gateway] = field(repr=False)
    given: Mapping[str, Given] = field(repr=False)

    @property
    def sandboxed(self) -> bool:
        """Does anything go to the sandbox?"""
        return Mode.SANDBOX in self.modes.values()

    @property
    def live(self) -> bool:
        """Does anything reach real people?"""
        return Mode.LIVE in self.modes.values()

    def on(self, channel: Channel) -> list[Gateway]:
        """Who carries messages on a channel, the preferred one first."""
        found = (one for one in self.own.values() if channel in one.provider.channels)
        return sorted(found, key=lambda one: -one.weight)

    def through(self, channel: Channel) -> str:
        """The same for people."""
        found = [one for one in self.own.values() if channel in one.provider.channels]
        if len(found) > 1:
            return f"through {' and '.join(f'{one.title}, weight {one.weight}' for one in found)}"
        return f"through {found[0].title if found else 'nobody'}"

    def sender(self, channel: Channel) -> str | None:
        """What messages on a channel come from: the preferred provider's."""
        found = self.on(channel)
        return found[0].account.sender if found else None

    def open(
        self, transport: Transport, now: Callable[[], datetime]
    ) -> dict[Channel, Provider[Any]]:
        """The providers of the channels that are not off, on one transport."""
        found: dict[Channel, Provider[Any]] = {}
        for channel in (Channel.SMS, Channel.EMAIL):
            several = [
                (one.weight, one.provider.open(one.account, transport, now))
                for one in self.on(channel)
            ]
            if len(several) == 1:
                [(_, found[channel])] = several
            elif several:
                weights, providers = zip(*several, strict=True)
                found[channel] = Weighted(providers, weights)
        return found


def choose(settings: Settings) -> Gateways:
    """Decide from the settings. Raises ``ConfigError`` that lists every contradiction.

    Without any credentials everything goes to the sandbox. With one provider's only, the other
    channel is off: half real and half sandbox would lose notices in silence.
    """
    url = settings.sandbox.url
    errors = [f"sandbox.url {why}" for why in wrong_url(url, False)]
    given = {one.name: _given(one, settings) for one in PROVIDERS}
    found = _configured(given, errors)
    if errors:
        raise ConfigError("\n  ".join(["The providers' settings are wrong:", *errors]), _NEVER_MIX)
    if not found:
        given |= {one.name: _sandboxed(given[one.name]) for one in _stand_ins()}
        found = _configured(given, errors)
    live = _is_live(found.values())
    _check_public_url(settings.web.public_url, live)
    own = {
        one.name: Gateway(one, found[one.name].account, given[one.name].weight)
        for one in PROVIDERS
        if one.name in found
    }
    carried = {channel for one in own.values() for channel in one.provider.channels}
    mode = Mode.LIVE if live else Mode.SANDBOX
    return Gateways(
        {one: mode if one in carried else Mode.OFF for one in (Channel.SMS, Channel.EMAIL)},
        own,
        {name: replace(one, live=live) for name, one in given.items()},
    )


def _given(provider: Declaration, settings: Settings) -> Given:
    return Given(
        provider.name,
        provider.title,
        settings.of_provider(provider.name),
        sandbox.SETTINGS.get(provider.name, {}),
        settings.sandbox.url,
        settings.web.public_url,
    )


def _configured(given: Mapping[str, Given], errors: list[str]) -> dict[str, Configured]:
    """The providers that are set, by name."""
    found = {one.name: one.configure(given[one.name], errors) for one in PROVIDERS}
    return {name: one for name, one in found.items() if one is not None}


def _stand_ins() -> list[Declaration]:
    """Whom the sandbox stands for where nothing is set: the first on each channel."""
    played = [one for one in PROVIDERS if one.name in sandbox.SETTINGS]
    return [
        next(one for one in played if channel in one.channels)
        for channel in (Channel.SMS, Channel.EMAIL)
    ]


def _sandboxed(given: Given) -> Given:
    return replace(given, values={**given.values, **given.sandbox})


def _is_live(found: Collection[Configured]) -> bool:
    """Are they real? Raises ``ConfigError`` where one is, and another is the sandbox."""
    kinds = {one.live for one in found} - {None}
    if len(kinds) > 1:
        raise ConfigError("One provider is real and the other is the sandbox.", _NEVER_MIX)
    return kinds != {False}


def _check_public_url(public_url: str | None, live: bool) -> None:
    """Reports are asked for only where providers can reach us."""
    if public_url is None or live != leads_here(public_url):
        return
    problem = (
        "web.public_url points to this machine, where no provider can reach it"
        if live
        else "web.public_url points to another machine, but the credentials are the sandbox's"
    )
    raise ConfigError(problem, "Correct web.public_url, or leave it unset.")
