"""Who could not be reached in the storm, and when: what the account needs to know to tell a notice
that was kept back from one that had no way."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from worker.sandbox.fault_rules import Rule, parse_rules


@dataclass(slots=True)
class Weather:
    """The refusals and outages that lasted: each is a fault rule with ``since`` and ``until``."""

    rules: list[Rule] = field(default_factory=list)

    def note(self, rules: list[dict[str, Any]]) -> None:
        """Remember ``rules``, as the sandbox was given them."""
        self.rules += parse_rules(rules)

    def closed(self, channel: str, address: str, at: datetime) -> bool:
        """Was there no way to ``address`` at this instant?"""
        return any(
            rule.channel == channel and rule.names(address) and rule.holds(at)
            for rule in self.rules
        )
