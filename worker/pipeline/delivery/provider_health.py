"""A provider that errs too often is given a minute's rest, where there is another; one that answers
nobody is down."""

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from worker.core.outcomes import Outcome, OutcomeKind
from worker.core.senders import fails

_SPAN: Final = timedelta(minutes=1)
_MOST: Final = 10
# So many calls in a row without an answer, and the provider is down: where every second call fails,
# that happens once in a million.
_ROW: Final = 20
_KNOWN: Final = timedelta(seconds=5)
_SILENT: Final = (OutcomeKind.NOT_SENT, OutcomeKind.AMBIGUOUS)


@dataclass(slots=True)
class ProviderHealth:
    """What this process has met in the last minute; nothing of it is kept elsewhere, and each
    process finds out for itself."""

    _errors: dict[str, deque[datetime]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=_MOST + 1))
    )
    _until: dict[str, datetime] = field(default_factory=dict)
    _silent: Counter[str] = field(default_factory=Counter)
    _down_until: dict[str, datetime] = field(default_factory=dict)

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

    def down(self, provider: str, outcome: Outcome, at: datetime) -> bool:
        """Is this the last of many calls in a row without an answer? A refusal is an answer too;
        being told to come later is neither."""
        if outcome.kind not in _SILENT:
            if outcome.kind is not OutcomeKind.TRANSIENT:
                self._silent[provider] = 0
                self._down_until.pop(provider, None)
            return False
        self._silent[provider] += 1
        if self._silent[provider] % _ROW:
            return False
        self._down_until[provider] = at + _KNOWN
        return True

    def knows_down(self, provider: str, now: datetime) -> bool:
        """Was this found out a moment ago? What is ready to go need not find it out again; what
        comes later finds the breaker."""
        until = self._down_until.get(provider, now)
        return now < until <= now + _KNOWN

    def away(self, now: datetime) -> set[str]:
        """The providers that rest. After a clock that was set back none does for longer."""
        return {name for name, until in self._until.items() if now < until <= now + _SPAN}
