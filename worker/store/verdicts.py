"""The verdict of the account on reminders, worked out by the database: for sums and for filters.

The rule itself is ``core.promise.RULE``; here are the facts it asks for, as conditions.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    String,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from worker.core.cards import Audience, Destination
from worker.core.lifecycle import OPEN
from worker.core.promise import RULE, Class, VerdictFact
from worker.core.reminders import ReminderState
from worker.core.tolerance import Tolerance
from worker.store.tables import messages, reminders
from worker.store.types import Instant

_SECOND: Final = 1_000_000
# Of windows that no policy has any more, by the end of their names: see ``Tolerance.of``.
_FAR: Final = ("%-7d", "%-8d", "%-9d", "%-__d", "%-___d")
_NEAR: Final = ("%-_d", "%+_d", "%+__d", "%+___d")


@dataclass(frozen=True, slots=True)
class Judge:
    """What verdicts depend on beside the ledger: ``tolerance`` of the ``windows`` there are;
    ``unchecked``: how long a look at a message may be owed; ``providers``: whose words begin a
    reason, but for those in ``opt_outs``, by which a person wants silence."""

    now: datetime
    tolerance: Tolerance
    unchecked: timedelta
    windows: Collection[str] = ()
    providers: Collection[str] = ()
    opt_outs: Collection[str] = field(default=frozenset())

    def verdict(self) -> ColumnElement[str]:
        """The class of each reminder, in a query that joins its message, if it has one."""
        facts = self._facts()
        rows = [
            (and_(of_states(states), *([facts[fact]] if fact else [])), written_out(found))
            for states, fact, found in RULE
        ]
        return case(*rows, else_=written_out(Class.UNEXPLAINED))

    def _facts(self) -> Mapping[VerdictFact, ColumnElement[bool]]:
        allowed = self._allowed()
        at = literal(self.now, Instant)
        lost = or_(
            messages.c.wake_at.is_(None),
            messages.c.state.not_in(OPEN),
            messages.c.wake_at <= self.now - self.unchecked,
            messages.c.useful_until <= self.now - self.unchecked,
        )
        return {
            VerdictFact.NOT_TAKEN: messages.c.sent_at.is_(None),
            VerdictFact.LATE: late() > allowed,
            VerdictFact.OVER: and_(reminders.c.useful_until <= self.now, lost),
            VerdictFact.OVERDUE: elapsed(at, owed_at()) > allowed,
            VerdictFact.UNREACHED: and_(
                reminders.c.audience == Audience.HOLDER, self._refused(), ~_reached()
            ),
            VerdictFact.UNREASONED: func.coalesce(reminders.c.reason, "") == "",
        }

    def _allowed(self) -> ColumnElement[int]:
        """The tolerance of the reminder's window, in microseconds."""
        known = {w: _micros(self.tolerance.of(w)) for w in {*self.windows, *self.tolerance.own}}
        window = reminders.c.window
        own = [(window == name, literal(span)) for name, span in sorted(known.items())]
        far, near = (or_(*(window.like(one) for one in ends)) for ends in (_FAR, _NEAR))
        return case(
            *own,
            (far, literal(_micros(self.tolerance.far))),
            (near, literal(_micros(self.tolerance.near))),
            else_=literal(_micros(self.tolerance.event)),
        )

    def _refused(self) -> ColumnElement[bool]:
        """Was it held back by a provider's word?"""
        reason = func.coalesce(reminders.c.reason, "")
        said = [
            or_(reason == name, func.substr(reason, 1, len(name) + 1) == f"{name}:")
            for name in sorted(self.providers)
        ]
        return and_(or_(literal(False), *said), reason.not_in(sorted(self.opt_outs)))


class elapsed(GenericFunction[int]):  # noqa: N801 - it is the name of a function
    """Microseconds from its second argument to its first."""

    type = BigInteger()
    inherit_cache = True


@compiles(elapsed, "postgresql")
def _in_postgresql(element: elapsed, compiler: Any, **given: Any) -> str:
    later, earlier = (compiler.process(one, **given) for one in element.clauses)
    return f"CAST(extract(epoch FROM ({later}) - ({earlier})) * {_SECOND} AS bigint)"


@compiles(elapsed, "sqlite")
def _in_sqlite(element: elapsed, compiler: Any, **given: Any) -> str:
    """Of texts such as ``2026-06-05 09:00:00.000000``: its own functions round to thousandths."""
    later, earlier = (_micros_of(compiler.process(one, **given)) for one in element.clauses)
    return f"({later} - {earlier})"


def _micros_of(text: str) -> str:
    seconds = f"CAST(strftime('%s', substr({text}, 1, 19)) AS INTEGER)"
    return f"({seconds} * {_SECOND} + CAST(substr({text}, 21, 6) AS INTEGER))"


def owed_at() -> ColumnElement[datetime]:
    """Since when a reminder was owed."""
    return func.coalesce(reminders.c.owed_at, reminders.c.due_at, type_=Instant)


def late() -> ColumnElement[int]:
    """Microseconds from being owed to being taken by a provider; NULL if it was not."""
    return elapsed(messages.c.sent_at, owed_at())


def within(seconds: int) -> ColumnElement[bool]:
    """Was it taken at most so many seconds after it was owed?"""
    return late() <= seconds * _SECOND


def destination() -> ColumnElement[str]:
    """Where a reminder goes, in the one word for it (see ``core.cards.told_by``)."""
    guardian = reminders.c.audience == Audience.GUARDIAN
    return case((guardian, written_out(Destination.GUARDIAN)), else_=reminders.c.channel)


def cause() -> ColumnElement[str]:
    """Why it stands where it stands: its reason, or where its message is while it waits."""
    waits = reminders.c.state == ReminderState.PENDING
    return case(
        (waits, func.coalesce(messages.c.state, "")), else_=func.coalesce(reminders.c.reason, "")
    )


def of_states(states: Collection[str]) -> ColumnElement[bool]:
    """Is a reminder in one of these states? Written out, so that partial indexes are seen."""
    values = [ReminderState(one).value for one in states]
    return reminders.c.state.in_(
        bindparam(None, values, String, expanding=True, literal_execute=True)
    )


def states_of(found: Class) -> tuple[ReminderState, ...]:
    """The states that a reminder of this class can be in."""
    return tuple(
        state
        for state in ReminderState
        if any(state in states for states, _, one in RULE if one is found)
    )


def _reached() -> ColumnElement[bool]:
    """Was the holder told of the same window over any channel, or may still be?"""
    other = reminders.alias("other")
    same = ("card_id", "deadline", "deadline_on", "window")
    return (
        select(other.c.id)
        .where(
            *(other.c[name] == reminders.c[name] for name in same),
            other.c.state.not_in((ReminderState.SUPPRESSED, ReminderState.MISSED)),
            other.c.audience == Audience.HOLDER,
        )
        .correlate(reminders)
        .exists()
    )


def written_out(value: str) -> ColumnElement[str]:
    """``value`` in the text of the statement: so that a partial index is seen to apply."""
    return literal(str(value), String, literal_execute=True)


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
