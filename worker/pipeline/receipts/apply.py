"""Use case: store what a provider reports, once, and apply it to the message it belongs to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine

from worker import metrics
from worker.core.breaker import BreakerPolicy
from worker.core.reports import News, Phase, Report
from worker.core.retry import RetryPolicy
from worker.errors import UnreachableError
from worker.pipeline.receipts.effects import apply
from worker.pipeline.receipts.faults import proven
from worker.providers import registry
from worker.store import attempts as attempt_store
from worker.store import message_states, suppressions
from worker.store import receipts as receipt_store
from worker.store.engine import writing

log = structlog.get_logger(__name__)

# Reports in one transaction.
_GROUP = 100
# How long a report waits for its attempt: as long as a provider tries to deliver an email.
_PARKED_FOR = timedelta(days=3)
_LOOK = 500


@dataclass(frozen=True, slots=True)
class Receipts:
    """Takes reports in any order, late and more than once."""

    engine: Engine
    retry: RetryPolicy
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)

    def take(self, reports: Sequence[Report], now: datetime) -> Counter[str]:
        """Store and apply ``reports``; those whose attempt is not known yet are parked. Returns
        how many were ``applied``, ``duplicate``, ``parked`` and ``ignored``.

        Raises ``UnreachableError`` if the database is away; what was not stored may come again.
        """
        ours = [report for report in reports if _is_ours(report)]
        counts: Counter[str] = Counter()
        if ignored := len(reports) - len(ours):
            counts["ignored"] = ignored
        for start in range(0, len(ours), _GROUP):
            counts += self._take(ours[start : start + _GROUP], now)
        return counts

    def _take(self, group: Sequence[Report], now: datetime) -> Counter[str]:
        try:
            return self._take_once(group, now)
        except UnreachableError:
            # Of two that waited for each other the database ends one, and that one may go again.
            return self._take_once(group, now)
        except Exception:  # one of them is odd: its neighbours are applied all the same
            if len(group) == 1:
                log.exception("alarm", cause="report_not_applied", provider=group[0].provider)
                return Counter(ignored=1)
            return sum((self._take([one], now) for one in group), Counter())

    def _take_once(self, group: Sequence[Report], now: datetime) -> Counter[str]:
        with writing(self.engine, durable=True) as conn:
            kept = receipt_store.keep(conn, group, now)
            applied = self._apply(conn, kept, now)
        for report in kept.values():
            metrics.receipt(report.provider, report.status)
        counts = {
            "applied": applied,
            "parked": len(kept) - applied,
            "duplicate": len(group) - len(kept),
        }
        return Counter({what: count for what, count in counts.items() if count})

    def apply_parked(self, now: datetime) -> int:
        """Apply parked reports whose attempt has appeared; returns how many. Addresses that a
        provider called dead long ago may be tried again from now on.

        What nobody claimed for three days is given up, with an alarm.
        """
        with writing(self.engine) as conn:
            suppressions.lift_expired(conn, now)
            applied = self._apply(conn, receipt_store.claimable(conn, _LOOK), now)
            lost = receipt_store.unclaimed(conn, now - _PARKED_FOR, _LOOK)
            receipt_store.mark_applied(conn, lost, now)
        if lost:
            log.error("alarm", cause="receipt_unclaimed", receipts=len(lost))
        return applied

    def _apply(self, conn: Connection, kept: Mapping[int, Report], now: datetime) -> int:
        """Apply those that belong to an attempt that is there; returns how many."""
        found = _belonging(conn, kept)
        message_states.hold(conn, {message for _, message in found.values()})
        delivered: set[int] = set()
        for receipt_id in sorted(found, key=lambda one: (found[one][1], one)):
            report, message = kept[receipt_id], found[receipt_id][1]
            one = attempt_store.tried(conn, found[receipt_id][0])
            told = registry.news_of(report)
            if one is not None and told is not None:
                told = _of_all_parts(conn, one.id, told)
                apply(conn, one, report, told, self.retry, self.breaker, now)
                if told.phase is Phase.DELIVERED:
                    delivered.add(message)
        proven(conn, delivered, now)
        receipt_store.mark_applied(conn, list(found), now)
        return len(found)


def _is_ours(report: Report) -> bool:
    """Reports of an account that others use too name no attempt of ours."""
    provider = registry.find(report.provider)
    ours = provider is not None and provider.reports_ours_only and report.provider_id is not None
    return registry.news_of(report) is not None and (report.attempt is not None or ours)


def _of_all_parts(conn: Connection, attempt: UUID, told: News) -> News:
    """What ``told`` says of the whole message: some parts alone tell a reader nothing. The message
    is locked, so of two parts that come at once one sees the other."""
    whole = told.parts == 1 or told.phase is not Phase.DELIVERED
    if whole or receipt_store.confirmed_parts(conn, attempt) >= told.parts:
        return told
    return News(Phase.TAKEN)


def _belonging(conn: Connection, kept: Mapping[int, Report]) -> dict[int, tuple[UUID, int]]:
    """Attempt and message of each report, by its receipt id. Who has the provider's id comes first:
    of two equal texts one may have been found in the provider's list under the other's name."""
    ids = {report.attempt for report in kept.values() if report.attempt}
    names = {report.provider_id for report in kept.values() if report.provider_id}
    by_id, by_name = attempt_store.find(conn, ids, names)
    found: dict[int, tuple[UUID, int]] = {}
    for receipt_id, report in kept.items():
        if report.provider_id in by_name:
            found[receipt_id] = by_name[report.provider_id]
        elif report.attempt in by_id:
            found[receipt_id] = (report.attempt, by_id[report.attempt])
    return found
