"""The program played at random: no message or reminder changes but as the table says, and all end.

Real store and use cases; only the far end is a stand-in that answers as the play wants.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, Row, select, text
from structlog.testing import capture_logs

from tests.integration.card_index_check import is_index_true
from tests.integration.helpers import NOW, TODAY, World
from worker.content.render import Content
from worker.core.cards import Audience, Channel, Kind
from worker.core.deadlines import DeadlineKind
from worker.core.life import Happening, LifeEvent
from worker.core.lifecycle import ENDS, REMINDER_TRANSITIONS, TRANSITIONS
from worker.core.outcomes import Outcome, OutcomeKind, Wait, accepted
from worker.core.promise import Account
from worker.core.reminders import MessageState, ReminderState
from worker.core.reports import Report
from worker.core.rules import Rules
from worker.errors import VigenciaError
from worker.monitoring.promise import Promise
from worker.pipeline.consent import Consent
from worker.pipeline.decisions import DecisionError
from worker.pipeline.delivery import open_delivery
from worker.pipeline.delivery.stages import Ended, Ready
from worker.pipeline.receipts import Fetching, Reconciliation
from worker.pipeline.telling_again import AgainError
from worker.pipeline.undoing import UndoError
from worker.processes import scheduler
from worker.providers.base import EmailOut, Sighting, SmsOut
from worker.setup.app import App
from worker.store.engine import open_engine, reading, writing
from worker.store.tables import attempts, cards, messages, reminders

_SPY = """
CREATE TABLE changes (what TEXT, id INTEGER, old TEXT, new TEXT);
CREATE TRIGGER spy_messages AFTER UPDATE OF state ON messages WHEN old.state <> new.state
BEGIN INSERT INTO changes VALUES ('message', new.id, old.state, new.state); END;
CREATE TRIGGER spy_reminders AFTER UPDATE OF state ON reminders WHEN old.state <> new.state
BEGIN INSERT INTO changes VALUES ('reminder', new.id, old.state, new.state); END;
"""
_K = OutcomeKind
_ANSWERS = [
    accepted(""),
    Outcome(_K.NOT_SENT, "connect"),
    Outcome(_K.TRANSIENT, "twilio:20429"),
    Outcome(_K.TRANSIENT, "twilio:30003", wait=Wait.HOURS, most=2),
    Outcome(_K.AMBIGUOUS, "timeout"),
    Outcome(_K.RECIPIENT_DEAD, "twilio:21614"),
    Outcome(_K.MESSAGE_DEAD, "twilio:30007", alarm=True),
    Outcome(_K.CONFIG_FAULT, "twilio:20003", alarm=True),
]
_SMS_NEWS = [
    *(("sent", None), ("delivered", None), ("undelivered", None), ("undelivered", "30003")),
    *(("undelivered", "30008"), ("failed", "30005"), ("failed", "30007"), ("failed", "30032")),
    *(("failed", "21610"), ("canceled", None)),
]
_MAIL_NEWS = [
    *(("processed", None), ("delivered", None), ("deferred", None), ("bounce", "bounce")),
    *(("bounce", "blocked"), ("dropped", "Spam Content"), ("spamreport", None)),
    *(("dropped", "Recipient List over Package Quota"), ("unsubscribe", None)),
]
_EVENTS = [
    LifeEvent.RENEWED,
    LifeEvent.CONFIRMED,
    LifeEvent.RENEWAL_FAILED,
    LifeEvent.RENEWAL_NOT_EFFECTIVE,
    LifeEvent.RENEWAL_UNANSWERED,
    LifeEvent.CORRECTED,
    LifeEvent.LOW_BALANCE,
    LifeEvent.SUSPENDED,
    LifeEvent.PAUSED,
    LifeEvent.RESUMED,
    LifeEvent.RECYCLED,
]
_PHONE, _ADDRESS = "+51900000001", "rosa@example.com"


class FarEnd:
    """A provider that answers in turn what the play wants, then takes everything; it keeps what
    it was given, and its list shows that or nothing."""

    name = "twilio"

    def __init__(self, sender: str, name: str) -> None:
        self.sender, self.name = sender, name
        self.answers: list[Outcome] = []
        self.always: Outcome | None = None
        self.given: dict[UUID, tuple[SmsOut | EmailOut, datetime]] = {}
        self.shows: str | None = None
        self.now = NOW
        self.witness: Callable[[UUID], None] = lambda _: None

    async def send(self, out: SmsOut | EmailOut) -> Outcome:
        self.witness(out.attempt)
        self.given[out.attempt] = (out, self.now)
        answer = self.answers.pop(0) if self.answers else self.always or accepted("")
        return accepted(f"P-{out.attempt}") if answer.kind is _K.ACCEPTED else answer

    async def find(self, to: str, since: datetime) -> list[Sighting] | None:
        if self.shows is None:
            return None
        shown = [(a, *given) for a, given in self.given.items() if given[0].to == to]
        return [
            Sighting(f"P-{attempt}", out.text, at, self.shows, None)
            for attempt, out, at in shown
            if self.shows != "nothing"
        ]

    async def fetch(self, provider_id: str) -> Sighting | None:
        return None


class Hands:
    """Does at once what the scheduler hints."""

    def __init__(self, play: "Play") -> None:
        self._play = play

    def check_cards(self, ids: Sequence[int]) -> None:
        self._play.app.checks.run(ids, self._play.now)

    def send(self, channel: Channel, ids: Sequence[int]) -> None:
        if not self._play.dead:
            asyncio.run(self._play.delivery.run(channel, ids, self._play.now))
        else:
            for audience in Audience:
                run = self._play.delivery.preparation.run
                self._play.lost += run(channel, ids, self._play.now, audience).ready

    def reconcile(self, ids: Sequence[int]) -> None:
        asyncio.run(self._play.reconciliation.run(ids, self._play.now))

    def fetch(self, ids: Sequence[int]) -> None:
        asyncio.run(self._play.fetching.run(ids, self._play.now))

    def work_jobs(self, ids: Sequence[int]) -> None: ...

    def is_full(self, channel: Channel | None) -> bool:
        return False


class Play(RuleBasedStateMachine):
    """One book, three cards, and everything that may happen to them."""

    rules_of_ours: Rules
    content: Content
    migrated: Path

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="vigencia-play-")
        path = Path(self._folder.name, "vigencia.db")
        shutil.copy(self.migrated, path)
        self.engine: Engine = open_engine(f"sqlite:///{path}")
        with self.engine.begin() as conn:
            raw: Any = conn.connection.dbapi_connection
            raw.executescript(_SPY)
        self.now = NOW
        self.dead = False  # workers are killed between the commit of an attempt and its call
        self.lost: list[Ready] = []
        self.sms = FarEnd("+15005550006", "twilio")
        self.mail = FarEnd("reminders@example.com", "sendgrid")
        world = World(self.engine, "http://127.0.0.1:8825", None, self.rules_of_ours, self.content)
        self.app: App = world.app(lambda: self.now)
        carriers = {Channel.SMS: self.sms, Channel.EMAIL: self.mail}
        self.delivery = open_delivery(
            self.engine,
            self.rules_of_ours,
            self.content,
            carriers,
            self.app.retry,
            self.app.limits,
            lease=timedelta(seconds=120),
            in_flight=8,
        )
        lists = {self.sms.name: self.sms}
        self.reconciliation = Reconciliation(self.engine, lists, self.app.retry)
        self.fetching = Fetching(self.engine, lists, self.app.receipts)
        self.world, self.hands = world, Hands(self)
        self.seen = 0
        self.told_to_pay: list[Any] = []
        self.before: dict[int, Row[Any]] = {}  # what the last event of each card found
        self.sms.witness = self.mail.witness = self._witness

    @initialize(days=st.tuples(*[st.integers(-2, 7)] * 3), second=st.booleans())
    def begin(self, days: tuple[int, int, int], second: bool) -> None:
        first = self.world.holder(contact_phone=_PHONE, email=_ADDRESS)
        other = self.world.holder(contact_phone="+51900000002", email=None if second else "l@x.pe")
        owners, kinds = (first, first, other), (Kind.DATA, Kind.ESIM, Kind.RETENTION)
        for owner, kind, day in zip(owners, kinds, days, strict=True):
            end: date = TODAY + timedelta(days=day)
            top = TODAY - timedelta(days=30 - day)
            self.world.cards(1, owner, kind=kind, plan_end=end, last_topup=top)
        with writing(self.engine) as conn:
            conn.execute(text("UPDATE books SET guardian_email = 'keeper@example.com'"))

    def _witness(self, attempt: UUID) -> None:
        """Keeps what is sent of a card's deadlines while its renewal is a question."""
        query = (
            select(reminders.c.id, reminders.c.deadline, reminders.c.card_id)
            .join(attempts, attempts.c.message_id == reminders.c.message_id)
            .join(cards, cards.c.id == reminders.c.card_id)
            .where(
                attempts.c.id == attempt,
                reminders.c.state == ReminderState.PENDING,
                reminders.c.deadline.in_(list(DeadlineKind)),
                cards.c.renewed_at.is_not(None),
            )
        )
        with reading(self.engine) as conn:
            self.told_to_pay += conn.execute(query).all()

    def advance(self, by: timedelta) -> None:
        self.now = self.sms.now = self.mail.now = self.now + by

    def work(self) -> None:
        for _ in range(30):
            if not scheduler.tick(self.app, self.now, self.hands):
                break

    @rule(minutes=st.sampled_from([0, 1, 3, 6, 20, 90, 300, 720, 1500]), dead=st.booleans())
    def time_passes(self, minutes: int, dead: bool) -> None:
        self.advance(timedelta(minutes=minutes))
        self.dead = dead and minutes % 2 == 1
        self.work()
        self.dead = False

    @rule(minutes=st.integers(1, 30))
    def clock_is_set_back(self, minutes: int) -> None:
        self.advance(-timedelta(minutes=minutes))
        self.work()

    @rule(
        answers=st.lists(st.sampled_from(_ANSWERS), min_size=1, max_size=6),
        mail=st.booleans(),
        shows=st.sampled_from([None, "nothing", "sent", "delivered", "undelivered"]),
    )
    def providers_will(self, answers: list[Outcome], mail: bool, shows: str | None) -> None:
        (self.mail if mail else self.sms).answers = list(answers)
        self.sms.shows = shows

    @rule(refusal=st.sampled_from(_ANSWERS[1:]), data=st.data())
    def an_answer_is_lost_and_comes_when_the_next_call_was_refused(
        self, refusal: Outcome, data: st.DataObject
    ) -> None:
        before = {row.id for row in self._tried()}
        for far in (self.sms, self.mail):
            far.answers = [_ANSWERS[4], refusal]
        self.sms.shows = "nothing"
        for _ in range(2):
            self.advance(timedelta(minutes=3))
            self.work()
        rows = [row for row in self._tried() if row.id not in before and _may_have_arrived(row)]
        for row in rows[:2]:
            self._report(data, row)

    @rule(data=st.data(), count=st.integers(1, 4))
    def reports_come(self, data: st.DataObject, count: int) -> None:
        for _ in range(count):
            if rows := [row for row in self._tried() if _may_have_arrived(row)]:
                self._report(data, data.draw(st.sampled_from(rows)))

    def _report(self, data: st.DataObject, row: Row[Any]) -> None:
        sms = row.channel == Channel.SMS
        status, code = data.draw(st.sampled_from(_SMS_NEWS if sms else _MAIL_NEWS))
        provider_id = row.provider_id or f"P-{row.id}"
        provider = "twilio" if sms else "sendgrid"
        event = str(uuid4())
        told = Report(provider, event, status, row.id, provider_id, code, self.now)
        for _ in range(data.draw(st.integers(1, 2))):
            self.app.receipts.take([told], self.now)

    @rule(data=st.data(), answer=st.sampled_from(_ANSWERS))
    def a_lost_worker_comes_back_with_its_answer(
        self, data: st.DataObject, answer: Outcome
    ) -> None:
        if not self.lost:
            return
        one = data.draw(st.sampled_from(self.lost))
        self.lost.remove(one)
        far = self.sms if one.outgoing.channel is Channel.SMS else self.mail
        far.answers.insert(0, answer)
        self.delivery.recorder.write([Ended(one, asyncio.run(far.send(one.out)), self.now)])

    @rule(
        card=st.integers(1, 3),
        event=st.sampled_from(_EVENTS),
        days=st.sampled_from([30, 3, 0]),
        held=st.sampled_from([0, 1, 3]),
    )
    def something_happens_to_a_card(
        self, card: int, event: LifeEvent, days: int, held: int
    ) -> None:
        renews = event in (LifeEvent.RENEWED, LifeEvent.CORRECTED)
        end = self.now.date() + timedelta(days=days) if renews else None
        before, length = self._card(card), timedelta(minutes=held)
        with suppress(VigenciaError):  # it cannot happen to the card as it is
            what = Happening(event, plan_end=end)
            self.app.life.record(card, what, self.now, undo_for=length)
            self.before[card] = before

    @rule(
        card=st.integers(1, 3),
        event=st.sampled_from(_EVENTS),
        seconds=st.sampled_from([0, 30, 59, 60]),
        dead=st.booleans(),
    )
    def something_is_recorded_by_mistake(
        self, card: int, event: LifeEvent, seconds: int, dead: bool
    ) -> None:
        self.something_happens_to_a_card(card, event, 30, 1)
        self.dead = dead
        self.work()
        self.advance(timedelta(seconds=seconds))
        self.dead = False
        self.it_was_a_mistake(card)

    @rule(card=st.integers(1, 3))
    def it_was_a_mistake(self, card: int) -> None:
        with suppress(UndoError):  # it cannot be undone, or not any more
            self.app.undoing.undo(card, self.now)
            assert self._card(card) == self.before[card]

    @rule(
        card=st.integers(1, 3),
        channel=st.sampled_from([None, *Channel]),
        deadline=st.sampled_from([None, DeadlineKind.PLAN_END, DeadlineKind.LINE_LOSS]),
    )
    def the_keeper_has_it_told_again(
        self, card: int, channel: Channel | None, deadline: DeadlineKind | None
    ) -> None:
        with suppress(AgainError):
            self.app.telling_again.card(card, self.now, deadline=deadline, channel=channel)

    def _card(self, card: int) -> Row[Any]:
        """What events change of a card."""
        by_time = ("next_check_at", "check_since", "check_asked_at", "updated_at")
        shown = [c for c in cards.c if c.name not in by_time]
        with reading(self.engine) as conn:
            return conn.execute(select(*shown).where(cards.c.id == card)).one()

    @rule(data=st.data(), word=st.sampled_from(["retry", "cancel", "sent", "not sent"]))
    def the_keeper_decides(self, data: st.DataObject, word: str) -> None:
        with reading(self.engine) as conn:
            ids = conn.execute(select(messages.c.id).order_by(messages.c.id)).scalars().all()
        if not ids:
            return
        one, own = data.draw(st.sampled_from(ids)), self.app.decisions
        with suppress(DecisionError):  # it is somewhere else
            match word:
                case "retry":
                    own.retry_now(one, self.now)
                case "cancel":
                    own.cancel(one, self.now)
                case _:
                    own.settle(one, self.now, was_sent=word == "sent")

    @rule(channel=st.sampled_from([Channel.SMS, Channel.EMAIL]), out=st.booleans())
    def the_holder_opts(self, channel: Channel, out: bool) -> None:
        address = _PHONE if channel is Channel.SMS else _ADDRESS
        consent = Consent(self.engine)
        if out:
            consent.opt_out(channel, address, self.now, source="word", reason="opted_out")
        else:
            consent.opt_in(channel, address, self.now, source="word")

    def _tried(self) -> Sequence[Row[Any]]:
        query = select(attempts, messages.c.channel).join(messages).order_by(*_ORDER)
        with reading(self.engine) as conn:
            return conn.execute(query).all()

    def check_changes(self) -> None:
        assert not self.told_to_pay
        with reading(self.engine) as conn:
            found = conn.execute(text("SELECT what, old, new FROM changes")).all()
        for what, old, new in found[self.seen :]:
            if what == "message":
                assert (MessageState(old), MessageState(new)) in TRANSITIONS, (what, old, new)
            else:
                pair = (ReminderState(old), ReminderState(new))
                assert pair in REMINDER_TRANSITIONS, (what, old, new)
        self.seen = len(found)
        with reading(self.engine) as conn:
            assert is_index_true(conn, self.rules_of_ours)
        self._check_sums()

    def _check_sums(self) -> None:
        """The database sums the ledger up as the account does."""
        found, period = Account(), (NOW - timedelta(days=400), self.now + timedelta(days=400))
        own = Promise(self.engine, self.rules_of_ours, self.app.unchecked)
        for _, owed in own.lines(*period, None, self.now):
            found.add(owed, self.now)
        assert own.account(*period, None, self.now) == found

    def teardown(self) -> None:
        try:
            self.check_changes()
            self._play_on()
        finally:
            self.engine.dispose()
            self._folder.cleanup()

    def _play_on(self) -> None:
        """Nothing comes from outside any more; time passes until all there is has lost its use."""
        with reading(self.engine) as conn:
            untils = conn.execute(select(messages.c.useful_until)).scalars().all()
        over = max([*untils, self.now]) + timedelta(days=1)
        while self.now < over:
            self.advance(min(timedelta(hours=11), over - self.now + timedelta(minutes=1)))
            self.work()
        self.check_changes()
        limit = self.now - timedelta(days=1)
        with reading(self.engine) as conn:
            past = conn.execute(select(messages).where(messages.c.useful_until <= limit)).all()
            owed = conn.execute(select(reminders).where(reminders.c.useful_until <= limit)).all()
        for row in past:
            assert row.state in ENDS, (row.id, row.channel, row.state, row.reason)
        for row in owed:
            assert row.state != ReminderState.PENDING, (row.id, row.channel, row.message_id)
            told = row.state in (ReminderState.SENT, ReminderState.DELIVERED)
            assert told or row.reason, (row.id, row.state)
            assert row.ended_at, (row.id, row.state)


# Ids of attempts are drawn anew in each run; the play must be the same.
_ORDER = (messages.c.id, attempts.c.started_at)


def _may_have_arrived(row: Row[Any]) -> bool:
    """Would a provider report of this attempt?"""
    return (
        row.provider_id is not None
        or row.outcome in (None, _K.AMBIGUOUS)
        or row.code == "reconciled:not_found"
    )


def test_a_card_whose_number_is_gone_with_a_renewal_open_does_not_stop_the_others(
    world: World,
) -> None:
    gone, other = world.cards(2)
    world.live(gone, LifeEvent.RENEWED, plan_end=TODAY + timedelta(days=30))
    world.live(gone, LifeEvent.RECYCLED)
    assert world.check(NOW + timedelta(days=2)).cards == 2
    told = [row for row in world.rows(reminders) if row.card_id == other]
    assert {row.state for row in told} == {ReminderState.PENDING}
    assert told


def test_no_state_changes_but_as_the_table_says_and_every_path_ends(
    rules: Rules, content: Content, migrated_sqlite: Path
) -> None:
    Play.rules_of_ours, Play.content, Play.migrated = rules, content, migrated_sqlite
    play = settings(
        max_examples=15,
        stateful_step_count=30,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        phases=(Phase.generate, Phase.shrink) if "CI" in os.environ else (Phase.generate,),
    )
    with capture_logs():  # thousands of alarms
        run_state_machine_as_test(Play, settings=play)
