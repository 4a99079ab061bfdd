"""Notices that were missed although a way was open: as good as lost, whatever reason they have."""

import itertools
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from benchmarks.storm.book import PREFIXES
from worker.core.cards import Audience, Channel
from worker.core.hours import Hours
from worker.core.outcomes import OutcomeKind
from worker.core.reminders import ReminderState
from worker.providers.twilio.outcomes import twilio_row
from worker.store.tables import cards, holders

# So many others, due later and less urgent, were taken on its way while it could have gone too,
# and over so many leases: a worker that was killed with it in hand explains one, or two.
_OTHERS = 5
_LEASES = 3
# What a try ends with that finds the way closed, or is not answered there.
_CLOSED = (
    *(OutcomeKind.NOT_SENT, OutcomeKind.TRANSIENT, OutcomeKind.AMBIGUOUS),
    *(OutcomeKind.CONFIG_FAULT, OutcomeKind.DOWN),
)
# The provider has said no to this one for good, or nobody can tell whether it arrived.
_SETTLED = (OutcomeKind.MESSAGE_DEAD, OutcomeKind.RECIPIENT_DEAD, OutcomeKind.AMBIGUOUS)
_Way = tuple[str, str]
_FOR_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Missed:
    """A reminder that was missed: where it would have gone, and when it could have."""

    address: str
    time_zone: str
    channel: str
    due_at: datetime
    useful_until: datetime
    message_id: int | None


@dataclass(frozen=True, slots=True)
class Passed:
    """A message that a provider took: when its attempt began, and the reminder in it."""

    address: str
    channel: str
    at: datetime
    due_at: datetime
    useful_until: datetime


@dataclass(frozen=True, slots=True)
class World:
    """What stood in nobody's way: who was ``closed`` to at which instant, the ``hours`` of holders,
    and the ``lease`` of a call."""

    closed: Callable[[str, str, datetime], bool]
    hours: Hours
    lease: timedelta


def kept_back(
    missed: Collection[Missed],
    passed: Collection[Passed],
    tried: Mapping[int, Sequence[Row[Any]]],
    world: World,
) -> list[Missed]:
    """Those of ``missed`` that others overtook while their recipient was fine and the way open.

    A way was open at an instant if somebody else's message was taken on it then, by the same
    channel to the same country, while it was day where the holder lives and nothing was closed to
    the address; and between two such instants, unless for more than a lease nothing was taken and
    what was tried failed: a line that is out from breakfast to supper was not open in between.
    Others only count if they fell due later and had more time: what is urgent goes first. What
    counts is the time after the last try, if that was less than half of what there was: a notice
    that is tried until its end is not kept back. ``tried``: the attempts of each message.
    All is measured by what happened to others, so that a slow machine is judged as a fast one.
    """
    spells = _spells(passed, tried, world.lease)

    def is_kept_back(one: Missed) -> bool:
        own = tried.get(one.message_id, ()) if one.message_id is not None else ()
        if any(_explains(attempt) for attempt in own):
            return False
        last = max((attempt.ended_at or _FOR_EVER for attempt in own), default=one.due_at)
        if last > one.due_at + (one.useful_until - one.due_at) / 2:
            return False
        overtook, lasted = 0, timedelta(0)
        for spell in spells[_way(one.channel, one.address)]:
            open_at = [other.at for other in spell if _overtook(other, one, last, world)]
            overtook += len(open_at)
            lasted += open_at[-1] - open_at[0] if open_at else timedelta(0)
        return overtook >= _OTHERS and lasted >= _LEASES * world.lease

    return [one for one in missed if is_kept_back(one)]


def _spells(
    passed: Collection[Passed], tried: Mapping[int, Sequence[Row[Any]]], lease: timedelta
) -> Mapping[_Way, list[list[Passed]]]:
    """By way: what was taken on it, in order and apart where the way was closed between two."""
    failed: dict[_Way, list[datetime]] = defaultdict(list)
    for attempt in itertools.chain.from_iterable(tried.values()):
        if attempt.outcome in _CLOSED:
            channel = Channel.EMAIL if "@" in attempt.address else Channel.SMS
            failed[_way(channel, attempt.address)].append(attempt.started_at)
    for instants in failed.values():
        instants.sort()
    spells: dict[_Way, list[list[Passed]]] = defaultdict(list)
    for other in sorted(passed, key=lambda other: other.at):
        way = _way(other.channel, other.address)
        former = spells[way][-1][-1].at if spells[way] else None
        if former is None or (
            other.at - former > lease
            and bisect_right(failed[way], former) < bisect_right(failed[way], other.at)
        ):
            spells[way].append([])
        spells[way][-1].append(other)
    return spells


def _explains(attempt: Row[Any]) -> bool:
    """Has the provider said no for good, asked for hours of patience, or left us in the dark?"""
    _, _, code = str(attempt.code).partition("twilio:")
    waits = code.isdecimal() and twilio_row(int(code)).wait is not None
    return attempt.outcome in (None, *_SETTLED) or waits


def _overtook(other: Passed, one: Missed, since: datetime, world: World) -> bool:
    later = other.due_at >= one.due_at and other.useful_until > one.useful_until
    in_time = since <= other.at < one.useful_until
    day = world.hours.next_open(other.at, one.time_zone) <= other.at
    return later and in_time and day and not world.closed(one.channel, one.address, other.at)


def missed_of(conn: Connection, due: Sequence[Row[Any]]) -> list[Missed]:
    """The missed ones of the reminders ``due`` that had an address of their holder's."""
    known = {row.id: row for row in conn.execute(_who())}
    found = []
    for row in due:
        who = known[row.card_id]
        address = who.contact_phone if row.channel == Channel.SMS else who.email
        own = row.audience == Audience.HOLDER
        if row.state == ReminderState.MISSED and own and address:
            found.append(
                Missed(
                    *(address, who.time_zone, row.channel),
                    *(row.due_at, row.useful_until, row.message_id),
                )
            )
    return found


def _who() -> Any:
    return select(cards.c.id, holders.c.contact_phone, holders.c.email, holders.c.time_zone).join(
        holders, holders.c.id == cards.c.holder_id
    )


def _way(channel: str, address: str) -> _Way:
    country = next((one for one in PREFIXES if address.startswith(one)), "")
    return channel, country if channel == Channel.SMS else ""
