"""Several providers of one channel as one: who is called is chosen for each message, before."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from worker.core.cards import Channel
from worker.core.outcomes import Outcome
from worker.core.senders import ELSEWHERE
from worker.providers.base import Hearing, Provider, Searchable


@dataclass(slots=True)
class Weighted:
    """``providers`` with their ``weights``, in the order of preference; 0 is a spare. Its name and
    sender are the first one's."""

    providers: Sequence[Provider[Any]]
    weights: tuple[int, ...]
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.providers[0].name

    @property
    def sender(self) -> str:
        """See ``Provider``."""
        return self.providers[0].sender

    async def send(self, out: Any) -> Outcome:
        """For what is no message of the ledger: the next one where one certainly did not send."""
        for provider in self.providers:
            outcome = await provider.send(out)
            if outcome.kind not in ELSEWHERE:
                break
        return outcome


def members(provider: Provider[Any]) -> tuple[tuple[Provider[Any], int], ...]:
    """The providers behind ``provider``, each with its weight."""
    if isinstance(provider, Weighted):
        return tuple(zip(provider.providers, provider.weights, strict=True))
    return ((provider, 1),)


def named(provider: Provider[Any], name: str) -> Provider[Any]:
    """The one behind ``provider`` with this name; ``provider`` itself if there is none."""
    return next((one for one, _ in members(provider) if one.name == name), provider)


def searchable(providers: Mapping[Channel, Provider[Any]]) -> dict[str, Searchable]:
    """Those behind ``providers`` that can be asked what they took, by name."""
    return {one.name: one for one in _all(providers) if isinstance(one, Searchable)}


def hearing(providers: Mapping[Channel, Provider[Any]]) -> dict[str, Hearing]:
    """Those behind ``providers`` that can be asked what people wrote to us, by name."""
    return {one.name: one for one in _all(providers) if isinstance(one, Hearing)}


def _all(providers: Mapping[Channel, Provider[Any]]) -> Iterable[Provider[Any]]:
    return (one for provider in providers.values() for one, _ in members(provider))
