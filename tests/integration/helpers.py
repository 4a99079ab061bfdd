"""A small world for the use cases: a book with holders and cards, the sandbox, and time."""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, Table, event, insert, select, update

from tests.integration.sandbox_helpers import record
from tests.patience import patient
from worker.clock import Clock, set_file_clock
from worker.content.render import Content
from worker.core.cards import (
    CARD_TIME_ZONE,
    Audience,
    CardState,
    Channel,
    Destination,
    Kind,
    told_by,
)
from worker.core.life import Effect, Happening, LifeEvent
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.retry import RetryPolicy
from worker.core.rules import Rules
from worker.pipeline.check import Checked, Checks
from worker.pipeline.delivery import open_delivery
from worker.pipeline.delivery.limits import Limits
from worker.pipeline.events import Life
from worker.pipeline.receipts import Reconciliation
from worker.processes.once import run_once
from worker.providers.base import EmailOut, Provider, Searchable, Sighting, SmsOut
from worker.providers.sendgrid.client import SendGridProvider
from worker.providers.sendgrid.settings import SendGridSettings
from worker.providers.transport import Transport
from worker.providers.twilio.client import TwilioProvider
from worker.providers.twilio.settings import TwilioSettings
from worker.sandbox.credentials import ACCOUNT_SID, API_KEY, AUTH_TOKEN, SENDER
from worker.setup.app import App
from worker.setup.gateways import choose
from worker.setup.settings import Settings
from worker.store import books as book_store
from worker.store import breakers as breaker_store
from worker.store import card_index
from worker.store import messages as message_store
from worker.store.breakers import Breaker
from worker.store.engine import reading, writing
from worker.store.messages import Woken
from worker.store.tables import (
    attempts,
    books,
    card_events,
    cards,
    messages,
    reminders,
    suppressions,
)

DATABASES = ("sqlite", "postgresql")
# A Friday, 10:00 in Lima.
NOW = datetime(2026, 6, 12, 15, tzinfo=UTC)
TODAY = date(2026, 6, 12)
NIGHT = datetime(2026, 6, 13, 3, tzinfo=UTC)  # 22:00 in Lima
MORNING = datetime(2026, 6, 13, 14, tzinfo=UTC)  # 09:00 in Lima
PHONE, EMAIL = "+51987654321", "rosa@example.com"
OPTED_OUT, NOT_A_NUMBER = "+15005550004", "+15005550001"
NO_PERMISSION = "+15005550003"
SENDER_ADDRESS = "reminders@example.com"

LEASE = timedelta(seconds=120)
HINT = timedelta(seconds=60)
WANTED = {"signature": "Vigencia", "language": "es-PE", "time_zone": CARD_TIME_ZONE}

Out = SmsOut | EmailOut


@dataclass
class Carrier:
    """A provider that keeps what it was given and answers as it is told."""

    answer: Callable[[Out], Awaitable[Outcome]]
    name: str = "twilio"
    sender: str = "+15005550006"
    calls: list[Out] = field(default_factory=list)

    async def send(self, out: Out) -> Outcome:
        self.calls.append(out)
        return await self.answer(out)


def always(outcome: Outcome) -> Carrier:
    """A carrier with one answer."""

    async def answer(out: Out) -> Outcome:
        if outcome.kind is OutcomeKind.ACCEPTED:
            return accepted(f"id-{out.attempt}")
        return outcome

    return Carrier(answer)


@dataclass
class Listing:
    """A provider's list of messages, as told."""

    sightings: list[Sighting] | None

    async def find(self, to: str, since: datetime) -> list[Sighting] | None:
        return self.sightings

    async def fetch(self, provider_id: str) -> Sighting | None:
        found = [one for one in self.sightings or () if one.provider_id == provider_id]
        return found[0] if found else None


@dataclass
class World:
    """One book and everything that can happen to it; ``send`` and ``reconcile`` use the sandbox
    through the real SDKs unless they are given something else."""

    engine: Engine
    sandbox: str
    clock: Path | None
    rules: Rules
    content: Content
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    read_timeout: float = 0.3
    limits: Limits = field(default_factory=Limits)

    def app(self, now: Clock, **sections: Any) -> App:
        """The real app on this database and sandbox; ``sections`` of settings. The texts, which
        take a second to compile, are those of the world."""
        values: dict[str, Any] = {
            "database_url": self.engine.url.render_as_string(hide_password=False),
            "sandbox": {"url": self.sandbox},
            "delivery": {"read_timeout": self.read_timeout},
            **sections,
        }
        settings = Settings(**values)
        app = App(settings, self.rules, choose(settings), self.engine, now)
        app.content = self.content
        return app

    def book(self) -> int:
        with writing(self.engine) as conn:
            return int(book_store.ensure(conn, "demo", WANTED, NOW).id)

    def holder(self, **changes: Any) -> int:
        values = {
            "book_id": self.book(),
            "name": "Rosa Quispe",
            "language": "en",
            "time_zone": "America/Lima",
            "contact_phone": PHONE,
            "email": EMAIL,
            "created_at": NOW,
            "updated_at": NOW,
        }
        with writing(self.engine) as conn:
            return book_store.add_holders(conn, [{**values, **changes}])[0]

    def card(self, holder: int | None = None, **changes: Any) -> int:
        """A card whose plan ends in 5 days: the window plan_end-7d (SMS, email) is open."""
        return self.cards(1, holder, **changes)[0]

    def cards(self, count: int, holder: int | None = None, **changes: Any) -> list[int]:
        """Cards with numbers of their own; all of ``holder``."""
        holder_id = self.holder() if holder is None else holder
        start = len(self.rows(cards))
        rows = [
            {
                "book_id": self.book(),
                "holder_id": holder_id,
                "kind": Kind.DATA,
                "operator": "claro",
                "msisdn": f"+519{start + n:08}",
                "iccid": f"8951{start + n:015}",
                "imsi": None,
                "plan": "30 dias",
                "plan_days": 30,
                "plan_end": TODAY + timedelta(days=5),
                "last_topup": None,
                "balance": None,
                "state": CardState.ACTIVE,
                "time_zone": CARD_TIME_ZONE,
                "note": None,
                "watched_since": NOW,
                "next_check_at": None,
                "check_asked_at": None if "next_check_at" in changes else NOW,
                "created_at": NOW,
                "updated_at": NOW,
                **changes,
            }
            for n in range(count)
        ]
        with writing(self.engine) as conn:
            ids = book_store.add_cards(conn, rows)
            card_index.renew(conn, self.rules, ids)
            return ids

    def people(
        self, count: int, *, email: bool = False, now: datetime = NOW, **changes: Any
    ) -> list[str]:
        """``count`` more holders with a phone of their own, and an ``email`` if wanted, each with a
        card; returns the phones. What they are owed is looked for at ``now``."""
        first = len(self.rows(cards))
        phones = [f"+5191000{n:04}" for n in range(first, first + count)]
        for n, phone in enumerate(phones, first):
            address = f"h{n}@example.com" if email else None
            self.card(self.holder(contact_phone=phone, email=address), **changes)
        self.check(now)
        return phones

    def check(self, now: datetime = NOW, ids: Sequence[int] | None = None) -> Checked:
        wanted = [row.id for row in self.rows(cards)] if ids is None else ids
        return Checks(self.engine, self.rules, HINT).run(wanted, now)

    def send(
        self,
        now: datetime = NOW,
        channel: Channel | Destination | None = None,
        *,
        ids: Sequence[int] | None = None,
        providers: Mapping[Channel, Provider[Any]] | None = None,
        content: Content | None = None,
        lease: timedelta = LEASE,
        in_flight: int = 64,
        url: str | None = None,
        played: Clock | None = None,
    ) -> Counter[str]:
        """Send what is due at ``now``, of ``channel`` or of both, or to the guardian alone."""
        if channel is Destination.GUARDIAN:
            ids = [row.id for row in self.rows(messages) if row.audience == Audience.GUARDIAN]

        async def run() -> Counter[str]:
            transport = self._transport()
            carriers = self._providers(transport, now, url) if providers is None else providers
            delivery = open_delivery(
                self.engine,
                self.rules,
                content or self.content,
                carriers,
                self.retry,
                self.limits,
                lease=lease,
                in_flight=in_flight,
                played=played,
            )
            states: Counter[str] = Counter()
            try:
                for one in [Destination(channel).channel] if channel else list(Channel):
                    states += await delivery.run(one, self._ids(ids), now)
            finally:
                await transport.close()
            return states

        if providers is None and self.clock is not None:
            set_file_clock(self.clock, now)
        return asyncio.run(run())

    def reconcile(
        self,
        now: datetime,
        *,
        ids: Sequence[int] | None = None,
        sms: Listing | None = None,
        lists: Mapping[str, Listing] | None = None,
    ) -> Counter[str]:
        """Settle what is unknown at ``now``, with what ``sms`` lists, or the ``lists`` of several
        providers; else with what the sandbox does."""

        async def run() -> Counter[str]:
            transport = self._transport()
            try:
                asked: Mapping[str, Searchable] = lists or {
                    "twilio": sms or self._twilio(transport, now)
                }
                return await Reconciliation(self.engine, asked, self.retry).run(self._ids(ids), now)
            finally:
                await transport.close()

        if sms is None and lists is None and self.clock is not None:
            set_file_clock(self.clock, now)
        return asyncio.run(run())

    def live(self, card: int, event: LifeEvent, now: datetime = NOW, **told: Any) -> Effect:
        """Let ``event`` happen to a card."""
        return Life(self.engine, self.rules).record(card, Happening(event, **told), now)

    def wake(self, now: datetime) -> Woken:
        with writing(self.engine) as conn:
            return message_store.wake(conn, now, 5_000, HINT, self.retry.park)

    def change(self, table: Table, row_id: int | None = None, **values: Any) -> None:
        statement = update(table).values(**values)
        if row_id is not None:
            statement = statement.where(table.c.id == row_id)
        with writing(self.engine) as conn:
            conn.execute(statement)

    def suppress(self, channel: Channel, address: str, reason: str) -> None:
        with writing(self.engine) as conn:
            conn.execute(
                insert(suppressions).values(
                    channel=channel, address=address, reason=reason, created_at=NOW
                )
            )

    def rows(self, table: Table) -> Sequence[Row[Any]]:
        order = [table.c.started_at] if table is attempts else list(table.primary_key)
        with reading(self.engine) as conn:
            return conn.execute(select(table).order_by(*order)).all()

    def message(self, to: Channel | Destination) -> Row[Any]:
        """The only message that goes there."""
        rows = self.rows(messages)
        [found] = [row for row in rows if told_by(row.channel, row.audience) == Destination(to)]
        return found

    def told(self) -> list[tuple[str, str, str | None]]:
        """Destination, state and reason of each reminder, in order."""
        rows = self.rows(reminders)
        return [(told_by(row.channel, row.audience), row.state, row.reason) for row in rows]

    def guard(self, keeper: str = "keeper@example.com") -> None:
        """The book has somebody who is told of its holders."""
        self.change(books, self.book(), guardian_email=keeper)

    def open_breakers(self) -> list[Breaker]:
        with reading(self.engine) as conn:
            return breaker_store.open_ones(conn)

    def work(self, now: datetime) -> None:
        """`vigencia once`: the scheduler and the workers, until nothing is due."""
        assert self.clock is not None
        set_file_clock(self.clock, now)
        asyncio.run(run_once(self.app(lambda: now), now))

    def events(self) -> list[tuple[int, str]]:
        return [(row.card_id, row.event) for row in self.rows(card_events)]

    def accepted(self, channel: Channel | None = None) -> list[Any]:
        """What the sandbox took."""
        found = record(self.sandbox)["messages"]
        return [m for m in found if channel is None or m["channel"] == channel]

    def calls(self) -> int:
        """How many calls the sandbox saw."""
        return int(record(self.sandbox)["counters"]["calls"])

    def _ids(self, ids: Sequence[int] | None) -> Sequence[int]:
        return [row.id for row in self.rows(messages)] if ids is None else ids

    def _transport(self) -> Transport:
        return Transport(connect_timeout=2, read_timeout=self.read_timeout)

    def _twilio(
        self, transport: Transport, now: datetime, url: str | None = None
    ) -> TwilioProvider:
        settings = TwilioSettings(ACCOUNT_SID, AUTH_TOKEN, SENDER, url or self.sandbox)
        return TwilioProvider(settings, transport, lambda: now)

    def _providers(
        self, transport: Transport, now: datetime, url: str | None
    ) -> dict[Channel, Provider[Any]]:
        mail = SendGridSettings(API_KEY, SENDER_ADDRESS, url or self.sandbox)
        email = SendGridProvider(mail, transport, lambda: now)
        return {
            Channel.SMS: self._twilio(transport, now, url),
            Channel.EMAIL: email,
        }


def causes(logs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The causes of the alarms in captured logs."""
    return [str(entry["cause"]) for entry in logs if entry["event"] == "alarm"]


def in_turn(cases: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Each case with a database of its own in turn, for ``parametrize(("engine", ...), ...,
    indirect=["engine"])``: for long tables of what is decided above the store."""
    turns = zip(cycle(DATABASES), cases, strict=False)
    return [(database, *(case if isinstance(case, tuple) else [case])) for database, case in turns]


def flat(lists: Iterable[Iterable[int]]) -> list[int]:
    """One list of them all."""
    return [one for several in lists for one in several]


def run_together(code: str, *args: str, count: int = 3) -> list[tuple[int, str]]:
    """Run Python code in several processes that start its last line at one time.

    Returns the exit code and the error output of each.
    """
    head, _, last = code.strip().rpartition("\n")
    started = f"{head}\nprint('ready', flush=True)\ninput()\n{last}"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", started, *args],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    return [(child.wait(patient(60)), child.communicate()[1]) for child in children]


def until(condition: Callable[[], object], seconds: float = 10) -> bool:
    """Wait until ``condition`` holds; whether it did."""
    give_up = time.monotonic() + patient(seconds)
    while not (met := bool(condition())) and time.monotonic() < give_up:
        time.sleep(0.01)
    return met


def explained(conn: Connection, ask: Callable[[], object]) -> str:
    """How the database goes about what ``ask`` asks it; the tables of a test are too small for
    PostgreSQL to bother with indexes by itself."""
    sqlite = conn.dialect.name == "sqlite"
    if not sqlite:
        conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
    asked: list[tuple[str, Any]] = []

    def note(_conn: object, _cursor: object, statement: str, given: Any, *_: object) -> None:
        asked.append((statement, given))

    event.listen(conn, "before_cursor_execute", note)
    ask()
    event.remove(conn, "before_cursor_execute", note)
    word = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
    plans = [conn.exec_driver_sql(f"{word} {statement}", given) for statement, given in asked]
    return "\n".join(str(row) for plan in plans for row in plan)
