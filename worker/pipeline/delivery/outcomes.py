"""After the call: a group of outcomes in one transaction, with the breakers and caps they move."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from worker import metrics
from worker.core.breaker import BreakerPolicy
from worker.core.retry import RetryPolicy
from worker.pipeline.delivery.breaking import refused, release, settle
from worker.pipeline.delivery.elsewhere import Elsewhere
from worker.pipeline.delivery.following import storable
from worker.pipeline.delivery.record import record
from worker.pipeline.delivery.stages import Ended
from worker.store import usage
from worker.store.committed import after_commit
from worker.store.engine import writing
from worker.store.planner_hints import by_index


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Writes how attempts ended. ``elsewhere``: whether another channel can tell a notice."""

    engine: Engine
    retry: RetryPolicy
    breaker: BreakerPolicy
    elsewhere: Elsewhere

    def write(self, group: Sequence[Ended]) -> list[str]:
        """Returns the state of each message, in order. Raises ``UnreachableError``."""
        group = [storable(one) for one in group]
        with writing(self.engine) as conn:
            by_index(conn)
            faults = settle(conn, group, self.breaker, self.elsewhere.hours)
            nexts = record(conn, group, self.retry, faults, self.elsewhere)
            usage.add(conn, [one.ready.use.back() for one in refused(group)])
            for one, following in zip(group, nexts, strict=True):
                after_commit(metrics.settled)(one.outgoing.destination, following.state)
        if faults.closed:
            release(self.engine, faults.closed, group[-1].at)
        return [following.state.value for following in nexts]
