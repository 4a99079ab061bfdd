"""A provider that errs too often is given a minute's rest, where there is another."""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from worker.core.outcomes import Outcome
from worker.core.ways import fails

_SPAN: Final = timedelta(minutes=1)
_MOST: Final = 10


@dataclass(slots=True)
class Erring:
    """What this process has met in the last minute; nothing of it is kept elsewhere, and each
    process finds out for itself."""

    _errors: dict[str, deque[datetime]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=_MOST + 1))
    )
    _until: dict[str, datetime] = field(default_factory=dict)

    def note(self, provider: str, outcome: Outcome, at: datetime) -> bool:
        """An attempt ended at ``at``; whether the provider's rest begins with it."""
        if not fails(outcome):
            return False
        errors = self._errors[provider]
        errors.append(at)
        if len(errors) <= _MOST or not timedelta() <= at - errors[0] <= _SPAN:
            return False
        errors.clear()
        self._until[provider] = at + _SPAN
        return True

    def away(self, now: datetime) -> set[str]:
        """The providers that rest. After a clock that was set back none does for longer."""
        return {name for name, until in self._until.items() if now < until <= now + _SPAN}
