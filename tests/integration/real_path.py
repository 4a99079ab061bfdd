"""The real path as the tests of whole tables walk it: the app, its SDKs, HTTP, and what is left in
the ledger of each message."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.integration.helpers import NOW, TODAY, World, until
from tests.integration.sandbox_helpers import call, record
from tests.integration.web_helpers import serving
from worker.clock import set_file_clock
from worker.core.cards import Channel, Kind
from worker.core.outcomes import ALONE, OutcomeKind, Row, Scope, Wait
from worker.core.reminders import MessageState, ReminderState
from worker.providers.sendgrid.webhook import EVENTS_PATH
from worker.providers.twilio.webhook import INBOUND_PATH
from worker.setup.app import App
from worker.store import breakers as breaker_store
from worker.store.engine import reading
from worker.store.tables import attempts, cards, holders, messages, reminders, suppressions

SMS, MAIL = Channel.SMS, Channel.EMAIL
LATER = NOW + timedelta(minutes=3)
# The first instant after NOW at which a new day begins in California.
PACIFIC_MIDNIGHT = datetime.fromisoformat("2026-06-13T00:00:00-07:00")
# The longest first pause of any class, beyond what a code asks for: that of a fault of ours.
_LONGEST_PAUSE = timedelta(minutes=16)
PENDING, SUPPRESSED = ReminderState.PENDING, ReminderState.SUPPRESSED
MISSED = ReminderState.MISSED
# One notice is owed on the channel alone, and is useful for two days and more.
_CARDS: dict[Channel, dict[str, Any]] = {
    SMS: {
        "kind": Kind.RETENTION,
        "operator": "movistar",
        "plan": None,
        "plan_days": None,
        "plan_end": None,
        "last_topup": TODAY - timedelta(days=207),  # line_loss-3d
    },
    MAIL: {"plan_days": 90, "plan_end": TODAY + timedelta(days=20)},  # plan_end-30d
}


def breaker_of(row: Row, provider: str) -> str | None:
    """The breaker that a fault of ``provider`` opens on the way to Peru."""
    return {
        Scope.ACCOUNT: f"sms/{provider}/*/*",
        Scope.SENDER: f"sms/{provider}/*/+1…0006",
        Scope.COUNTRY: f"sms/{provider}/PE/*",
        Scope.ROUTE: f"sms/{provider}/PE/+1…0006",
    }.get(row.scope)


@dataclass(frozen=True)
class Case:
    """One row of a table: the ``code`` it leaves in the ledger, and what provokes it."""

    code: str
    row: Row
    rule: dict[str, Any]
    breaker: str | None = None

    def __str__(self) -> str:
        return self.code


@dataclass(frozen=True)
class Told:
    """Somebody who is owed one notice on one channel."""

    message: int
    card: int
    address: str


@dataclass(frozen=True)
class Ledger:
    """All that is left of one message. ``fallback``: what is owed on the other channel since."""

    state: str
    reason: str | None
    attempts: int
    tried: tuple[tuple[str | None, str | None], ...]
    reminder: tuple[str, str | None]
    fallback: tuple[tuple[str, str | None], ...] = ()
    suppressed: tuple[str, ...] = ()


def refused_in_the_call(case: Case) -> Ledger:
    """What a message must look like whose call was answered (or not) so."""
    kind, code = case.row.kind, case.code
    tried = ((str(kind), code),)
    match kind:
        case OutcomeKind.NOT_SENT | OutcomeKind.TRANSIENT:
            return Ledger(MessageState.RETRYABLE, code, 0, tried, (PENDING, None))
        case OutcomeKind.AMBIGUOUS:
            return Ledger(MessageState.UNKNOWN, code, 1, tried, (PENDING, None))
        case OutcomeKind.RECIPIENT_DEAD:
            dead = Ledger(MessageState.FAILED, code, 1, tried, (SUPPRESSED, code))
            return _over(dead, (f"{code} by provider",))
        case OutcomeKind.MESSAGE_DEAD:
            return _over(Ledger(MessageState.FAILED, code, 1, tried, (MISSED, code)))
        case OutcomeKind.CONFIG_FAULT:
            return Ledger(MessageState.HELD, waits_for(case), 0, tried, (PENDING, None))
        case _:
            raise AssertionError(f"{kind} has no consequence yet: write it here")


def waits_for(case: Case) -> str:
    """What a message waits for that met a fault: a breaker, or its own turn."""
    return case.code if case.row.scope in ALONE else f"breaker:{case.code}"


def failed_behind(case: Case) -> Ledger:
    """What a message must look like that was taken, and of which this was reported later."""
    kind, code = case.row.kind, case.code
    tried = ((str(kind), code),)
    match kind:
        case OutcomeKind.TRANSIENT | OutcomeKind.AMBIGUOUS:
            return Ledger(MessageState.RETRYABLE, code, 1, tried, (PENDING, None))
        case OutcomeKind.RECIPIENT_DEAD:
            dead = Ledger(MessageState.UNDELIVERED, code, 1, tried, (SUPPRESSED, code))
            source = "optout" if case.row.opt_out and "sendgrid" in code else "provider"
            return _over(dead, (f"{code} by {source}",))
        case OutcomeKind.MESSAGE_DEAD:
            return _over(Ledger(MessageState.UNDELIVERED, code, 1, tried, (MISSED, code)))
        case OutcomeKind.CONFIG_FAULT:
            return Ledger(MessageState.HELD, waits_for(case), 0, tried, (PENDING, None))
        case _:
            raise AssertionError(f"{kind} has no consequence yet: write it here")


def waits_well(row: Row, left: Ledger, since: datetime, again: datetime | None) -> bool:
    """Is a message looked at ``again`` as its row says, counted from ``since``? Never, once it has
    ended; else soon, but not before the pause that the provider's code asks for is over."""
    if again is None or left.state in (MessageState.FAILED, MessageState.UNDELIVERED):
        return again is None and left.state in (MessageState.FAILED, MessageState.UNDELIVERED)
    earliest = since
    if left.state == MessageState.RETRYABLE and row.wait is Wait.HOURS:
        earliest = since + timedelta(hours=4)
    if left.state == MessageState.RETRYABLE and row.wait is Wait.UNTIL_PACIFIC_MIDNIGHT:
        earliest = PACIFIC_MIDNIGHT
    return earliest < again < earliest + _LONGEST_PAUSE


def _over(one: Ledger, suppressed: tuple[str, ...] = ()) -> Ledger:
    """The other channel takes over."""
    owed: tuple[tuple[str, str | None], ...] = ((PENDING, None),)
    return Ledger(one.state, one.reason, one.attempts, one.tried, one.reminder, owed, suppressed)


@dataclass
class Walk:
    """A world whose messages go through the real app. ``settings``: sections for it."""

    world: World
    settings: dict[str, Any] = field(default_factory=dict)

    def people(self, channel: Channel, count: int) -> list[Told]:
        """``count`` holders who are owed one notice each, on ``channel`` alone."""
        before, have = {row.id for row in self.world.rows(messages)}, len(self._addresses())
        for n in range(have, have + count):
            phone, email = f"+5191100{n:04}", f"h{n}@example.com"
            holder = self.world.holder(contact_phone=phone, email=email)
            self.world.card(holder, **_CARDS[channel])
        self.world.check()
        rows = self.world.rows(reminders)
        found = [row for row in rows if row.message_id not in before and row.channel == channel]
        addresses = self._addresses()
        told = [Told(row.message_id, row.card_id, addresses[row.card_id][channel]) for row in found]
        assert len(told) == len({one.message for one in told}) == count
        return told

    def _addresses(self) -> dict[int, dict[Channel, str]]:
        """Of each card: its holder's."""
        people = {row.id: row for row in self.world.rows(holders)}
        return {
            row.id: {
                SMS: people[row.holder_id].contact_phone,
                MAIL: people[row.holder_id].email,
            }
            for row in self.world.rows(cards)
        }

    def app(self, now: datetime) -> App:
        """The real app."""
        return self.world.app(lambda: now, **self.settings)

    def deliver(
        self, channel: Channel, ids: Sequence[int] | None = None, now: datetime = NOW
    ) -> Counter[str]:
        """Send those of ``ids`` (or all) that are due, as a worker process does."""
        self.set_clock(now)
        app = self.app(now)
        due = [row.id for row in self.world.rows(messages)] if ids is None else ids

        async def run() -> Counter[str]:
            try:
                return await app.delivery.run(channel, due, now)
            finally:
                await app.transport.close()

        return asyncio.run(run())

    def set_clock(self, now: datetime) -> None:
        """What time it is for the sandbox."""
        assert self.world.clock is not None
        set_file_clock(self.world.clock, now)

    def ledger(self, one: Told) -> Ledger:
        """What is left of the message of ``one``."""
        return self.ledgers([one])[0]

    def ledgers(self, told: Sequence[Told]) -> list[Ledger]:
        """What is left of their messages."""
        by_id = {row.id: row for row in self.world.rows(messages)}
        owed, tried = self.world.rows(reminders), self.world.rows(attempts)
        dead = self.world.rows(suppressions)
        addresses = self._addresses()
        found = []
        for one in told:
            message = by_id[one.message]
            [own] = [r for r in owed if r.message_id == one.message]
            other = [r for r in owed if r.card_id == one.card and r.id != own.id]
            both = addresses[one.card].values()
            found.append(
                Ledger(
                    message.state,
                    message.reason,
                    message.attempts,
                    tuple((a.outcome, a.code) for a in tried if a.message_id == one.message),
                    (own.state, own.reason),
                    tuple((r.state, r.reason) for r in other),
                    tuple(f"{r.reason} by {r.source}" for r in dead if r.address in both),
                )
            )
        return found

    def next_looks(self) -> dict[int, datetime | None]:
        """When each message is looked at again."""
        return {row.id: row.wake_at for row in self.world.rows(messages)}

    def breakers(self) -> list[tuple[str, str]]:
        """Key and code of those that are open."""
        with reading(self.world.engine) as conn:
            return [(one.key, one.code) for one in breaker_store.open_ones(conn)]


@contextmanager
def reported(walk: Walk, now: datetime = LATER, **webhooks: Any) -> Iterator[str]:
    """The web process beside it, and the sandbox reporting to it; its address."""
    walk.set_clock(now)
    with serving(walk.app(now)) as web:
        told = {
            "status_delay_ms": 5,
            "events_url": web + EVENTS_PATH,
            "inbound_url": web + INBOUND_PATH,
            **webhooks,
        }
        reply = call(walk.world.sandbox, "POST", "/sandbox/webhooks", json.dumps(told))
        assert reply.status == 200, reply.body
        before = walk.settings
        walk.settings = {**before, "web": {"public_url": web}}
        try:
            yield web
        finally:
            walk.settings = before


def all_told(walk: Walk, count: int) -> None:
    """Wait until ``count`` reports are made and taken by the web process."""

    def counts() -> Any:
        return record(walk.world.sandbox)["callbacks"]

    assert until(lambda: counts()["made"] == count and counts()["waiting"] == 0, 60), counts()
    assert counts()["acknowledged"] == count, counts()
