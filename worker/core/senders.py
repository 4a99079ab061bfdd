"""Which of several providers carries a message: by weights, away from one that failed it."""

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

from worker.core.breaker import Sender
from worker.core.cards import Channel
from worker.core.outcomes import Outcome, OutcomeKind

# Ends after which another provider may do better. After any other the message is over, or nobody
# knows whether it was sent: that is settled first.
ELSEWHERE = frozenset(
    {OutcomeKind.NOT_SENT, OutcomeKind.TRANSIENT, OutcomeKind.CONFIG_FAULT, OutcomeKind.DOWN}
)


@dataclass(frozen=True, slots=True)
class SenderPool:
    """The senders of one channel. A sender of ``weights`` 0 is a spare; all 0 are all equal."""

    senders: tuple[Sender, ...]
    weights: tuple[int, ...] = (1,)

    @property
    def channel(self) -> Channel:
        """The channel of all of them."""
        return self.senders[0].channel

    @property
    def name(self) -> str:
        """What stands for them all where one name is needed: the first one's."""
        return self.senders[0].name

    def order(
        self, message: int, attempts: int, failed: str | None = None, away: Collection[str] = ()
    ) -> tuple[Sender, ...]:
        """All senders in the order in which to consider them for the next attempt of ``message``:
        the one its share falls on, then by weight; last the provider that ``failed`` it and those
        that are ``away``."""
        if len(self.senders) == 1:
            return self.senders
        drawn = self._drawn(message, attempts)

        def place(index: int) -> tuple[bool, bool, bool, int]:
            provider = self.senders[index].provider
            return provider == failed, provider in away, index != drawn, -self.weights[index]

        return tuple(self.senders[index] for index in sorted(range(len(self.senders)), key=place))

    def _drawn(self, message: int, attempts: int) -> int:
        """The same for the same attempt, and spread like the weights."""
        weights = self.weights if any(self.weights) else (1,) * len(self.senders)
        number = int.from_bytes(sha256(f"{message}:{attempts}".encode()).digest()[:8])
        left = number % sum(weights)
        for index, weight in enumerate(weights):
            if left < weight:
                return index
            left -= weight
        raise AssertionError("a remainder is smaller than its divisor")


def fails(outcome: Outcome) -> bool:
    """Does this end speak against the provider, and not against the message or its address?"""
    return outcome.kind in ELSEWHERE or outcome.kind is OutcomeKind.AMBIGUOUS
