"""Use case: account for every reminder that was owed in a period, with its proof."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row

from worker.core.cards import Audience, told_by
from worker.core.lifecycle import OPEN
from worker.core.masking import tail
from worker.core.promise import BROKEN, Account, Class, Owed, classify
from worker.core.reminders import ReminderState
from worker.core.rules import Rules
from worker.providers.registry import OPT_OUTS, STATUSES, is_providers_word
from worker.store import promise as store
from worker.store.engine import reading
from worker.store.verdicts import Judge

# Rows read at once: what the account needs of memory, however long the period.
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """One reminder in the account. ``card`` is the masked end of its number; ``provider``,
    ``provider_id`` and ``receipt`` (status, with ``receipt_at``) are the proof; ``holder`` is the
    number of whom the card has now."""

    reminder: int
    book: str
    card_id: int
    card: str
    operator: str
    deadline: str
    deadline_on: date
    window: str
    channel: str
    owed_at: datetime
    due_at: datetime
    useful_until: datetime
    state: str
    verdict: str
    reason: str | None
    accepted_at: datetime | None
    late_seconds: float | None
    provider: str | None
    provider_id: str | None
    receipt: str | None
    receipt_at: datetime | None
    message: int | None
    holder: int


@dataclass(frozen=True, slots=True)
class Promise:
    """The account; ``unchecked``: how long a check may be owed before that needs explaining."""

    engine: Engine
    rules: Rules
    unchecked: timedelta

    def lines(
        self, since: datetime, until: datetime, book_id: int | None, now: datetime
    ) -> Iterator[tuple[Line, Owed]]:
        """Every reminder due in [since, until), in order, a page in memory at a time.

        No transaction stays open between two pages, so whoever reads slowly holds up nobody.
        """
        after: tuple[datetime, int] | None = None
        while True:
            with reading(self.engine) as conn:
                rows = store.page(conn, since, until, _only(book_id), after, _PAGE)
                found = self._lines(conn, rows, now)
            yield from found
            if len(rows) < _PAGE:
                return
            after = (rows[-1].due_at, rows[-1].id)

    def judge(self, now: datetime) -> Judge:
        """What the database needs to give the same verdicts."""
        windows = {one.name for own in self.rules.policies.values() for one in own.windows}
        return Judge(now, self.rules.tolerance, self.unchecked, windows, sorted(STATUSES), OPT_OUTS)

    def account(
        self, since: datetime, until: datetime, book_id: int | None, now: datetime
    ) -> Account:
        """The sums of all ``lines``, worked out by the database."""
        account = Account()
        with reading(self.engine) as conn:
            for row in store.sums(conn, self.judge(now), since, until, _only(book_id)):
                account.count(Class(row.verdict), row.state, row.reason, row.notices)
        return account

    def broken(
        self, since: datetime, until: datetime, book_id: int | None, now: datetime, most: int
    ) -> list[Line]:
        """The first ``most`` lines of what breaks the promise."""
        with reading(self.engine) as conn:
            which = [self.judge(now).verdict().in_(BROKEN)]
            rows = store.page(conn, since, until, _only(book_id), None, most, which=which)
            return [line for line, _ in self._lines(conn, rows, now)]

    def checks_overdue(self, book_id: int | None, now: datetime) -> int:
        """Cards nobody has looked at although it was time: what they owe is in no row yet."""
        with reading(self.engine) as conn:
            return store.checks_overdue(conn, now - self.unchecked, book_id)

    def _lines(
        self, conn: Connection, rows: Sequence[Row[Any]], now: datetime
    ) -> list[tuple[Line, Owed]]:
        taken = store.accepted(conn, sorted({r.message_id for r in rows if r.sent_at is not None}))
        proofs = store.last_receipts(conn, list(taken.values()))
        late = {r.message_id for r in rows if self._ends_by(r) and now >= r.useful_until}
        tries = store.last_tries(conn, sorted(late)) if late else {}
        refused = [row for row in rows if _is_refused(row)]
        reached = store.reached(conn, refused)
        lost = {
            row.id
            for row in refused
            if (row.card_id, row.deadline, row.deadline_on, row.window) not in reached
        }
        found = []
        for row in rows:
            attempt = taken.get(row.message_id)
            proof = proofs.get(attempt.id) or proofs.get(attempt.provider_id) if attempt else None
            since = tries.get(row.message_id, row.message_since)
            found.append(self._line(row, attempt, proof, since, now, reached=row.id not in lost))
        return found

    def _ends_by(self, row: Row[Any]) -> datetime | None:
        """When a waiting reminder ends at the latest: with a look at its message, which may carry
        others that are useful for longer. ``None`` if nobody is going to look."""
        if row.state != ReminderState.PENDING or row.wake_at is None:
            return None
        if row.message_state not in OPEN:
            return None
        last: datetime = min(row.wake_at, row.message_until) + self.unchecked
        until: datetime = row.useful_until
        return max(until, last)

    def _line(
        self,
        row: Row[Any],
        attempt: Row[Any] | None,
        proof: Row[Any] | None,
        since: datetime | None,
        now: datetime,
        *,
        reached: bool,
    ) -> tuple[Line, Owed]:
        told = row.state in (ReminderState.SENT, ReminderState.DELIVERED)
        accepted_at = row.sent_at if told else None
        owed = Owed(
            state=ReminderState(row.state),
            reason=row.reason,
            owed_at=row.owed_at or row.due_at,
            useful_until=row.useful_until,
            accepted_at=accepted_at,
            tolerance=self.rules.tolerance.of(row.window),
            ends_by=self._ends_by(row),
            reached=reached,
        )
        line = Line(
            reminder=row.id,
            book=row.book,
            card_id=row.card_id,
            card=tail(row.msisdn, row.iccid),
            operator=row.operator,
            deadline=row.deadline,
            deadline_on=row.deadline_on,
            window=row.window,
            channel=told_by(row.channel, row.audience),
            owed_at=owed.owed_at,
            due_at=row.due_at,
            useful_until=row.useful_until,
            state=row.state,
            verdict=classify(owed, now).value,
            reason=row.reason or _why_open(row, since if _is_over(owed, now) else None),
            accepted_at=accepted_at,
            late_seconds=owed.late_seconds,
            provider=(attempt.provider if attempt else None) or (proof.provider if proof else None),
            provider_id=row.provider_id if attempt or told else None,
            receipt=proof.status if proof else None,
            receipt_at=proof.at if proof else None,
            message=row.message_id,
            holder=row.holder_id,
        )
        return line, owed


def _only(book_id: int | None) -> tuple[int, ...] | None:
    return None if book_id is None else (book_id,)


def cause_of(line: Line) -> str:
    """Why a reminder is missed, unreached or unexplained, in words of the ledger."""
    if line.verdict in (Class.MISSED, Class.UNREACHED) and line.reason:
        return line.reason
    if line.state == ReminderState.PENDING:
        return f"still waiting, no longer useful ({line.reason or 'no message'})"
    if line.state in (ReminderState.SENT, ReminderState.DELIVERED):
        return f"{line.state}, but no provider is known to have taken it"
    return f"{line.state} without a reason"


def _is_refused(row: Row[Any]) -> bool:
    """Was it held back from the holder by a provider's word?"""
    suppressed = row.state == ReminderState.SUPPRESSED and row.audience == Audience.HOLDER
    return suppressed and is_providers_word(row.reason)


def _is_over(owed: Owed, now: datetime) -> bool:
    """Is it no longer useful by itself, and ends with its message?"""
    return owed.ends_by is not None and owed.useful_until <= now < owed.ends_by


def _why_open(row: Row[Any], since: datetime | None) -> str | None:
    """What a waiting reminder waits for: its message's state, and that one's reason; ``since``:
    where it is too late for the reminder itself."""
    if row.state != ReminderState.PENDING or row.message_state is None:
        return None
    state, reason = row.message_state, row.message_reason
    waits = f"{state}: {reason}" if reason else str(state)
    if since is None:
        return waits
    return f"{waits}, since {_minute(since)}; too late by itself, looked at {_minute(row.wake_at)}"


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
