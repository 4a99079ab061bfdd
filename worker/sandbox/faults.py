"""The fault plan: which calls go wrong, in an order that repeats."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from worker.sandbox.fault_rules import Channel, Operation, Phase, Rule

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """What a rule is held against: an email may name several addresses; ``at`` is when it comes
    by the sandbox's clock; ``provider``: whose API is called."""

    channel: Channel
    on: Operation
    addresses: tuple[str, ...]
    at: datetime = _NEVER
    provider: str = ""


class FaultPlan:
    """Chooses the fault of a call: the first rule that strikes.

    Every draw comes from a ``random.Random`` seeded with the plan's seed, the rule, the address
    and how often the rule met that address: the same calls meet the same faults again, in
    whatever order they arrive when many are under way at once.
    """

    def __init__(self, rules: Sequence[Rule] = (), seed: int = 0) -> None:
        self.rules = tuple(rules)
        self.seed = seed
        self.fired: Counter[int] = Counter()
        self._met: Counter[tuple[int, str]] = Counter()

    def pick(self, call: ProviderCall, phase: Phase) -> Rule | None:
        """The first rule of ``phase`` that strikes ``call``, or ``None``."""
        for number, rule in enumerate(self.rules):
            if rule.phase == phase and self._strikes(number, rule, call):
                self.fired[number] += 1
                return rule
        return None

    def _strikes(self, number: int, rule: Rule, call: ProviderCall) -> bool:
        if (rule.channel, rule.on) != (call.channel, call.on):
            return False
        if rule.provider not in (None, call.provider):
            return False
        if rule.to is not None and not any(map(rule.names, call.addresses)):
            return False
        if not rule.holds(call.at):
            return False
        if rule.times is not None and self.fired[number] >= rule.times:
            return False
        return rule.rate is None or self._draw(number, call) < rule.rate

    def _draw(self, number: int, call: ProviderCall) -> float:
        address = call.addresses[0] if call.addresses else ""
        self._met[number, address] += 1
        seed = f"{self.seed}:{number}:{address}:{self._met[number, address]}"
        return random.Random(seed).random()  # noqa: S311  repeatable on purpose
