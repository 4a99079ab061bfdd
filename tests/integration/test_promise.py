"""The account of the promise on real databases: what was owed, how it ended, with which proof."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert
from structlog.testing import capture_logs

from tests.integration.helpers import NIGHT, NOW, TODAY, Listing, World, always, causes
from worker.core.cards import Channel, Kind
from worker.core.life import LifeEvent
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.promise import BROKEN, Account
from worker.core.reminders import ReminderState
from worker.core.retry import RetryPolicy
from worker.monitoring import promise as use_case
from worker.monitoring.promise import Line, Promise
from worker.store import promise as store
from worker.store.books import ensure
from worker.store.cards import claim_asked, claim_due
from worker.store.engine import writing
from worker.store.tables import attempts, cards, messages, receipts, reminders

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
UNCHECKED = timedelta(minutes=6)


@pytest.fixture
def promise(world: World) -> Promise:
    return Promise(world.engine, world.rules, UNCHECKED)


def account(promise: Promise, now: datetime = NOW, book: int | None = None) -> list[Line]:
    """The lines of the days around ``NOW``, whose sums are those that the database works out."""
    period = (NOW - 30 * DAY, NOW + 30 * DAY, book, now)
    lines, found = [], Account()
    for line, owed in promise.lines(*period):
        lines.append(line)
        assert found.add(owed, now) == line.verdict
    assert promise.account(*period) == found
    broken = [line for line in lines if line.verdict in BROKEN]
    assert promise.broken(*period, 2) == broken[:2]
    return lines


def test_a_reminder_that_was_sent_is_told_with_its_proof(promise: Promise, world: World) -> None:
    world.card(iccid="8951000000000004321", msisdn=None)
    world.check()
    world.send(providers=dict.fromkeys(Channel, always(accepted(""))))
    sms, mail = account(promise)
    assert {sms.channel, mail.channel} == {"sms", "email"}
    assert (sms.verdict, sms.state, sms.window) == ("on_time", "sent", "plan_end-7d")
    assert (sms.card, sms.operator, sms.book) == ("***4321", "claro", "demo")
    assert sms.provider_id is not None
    assert sms.provider_id.startswith("id-")
    assert sms.accepted_at is not None
    assert sms.late_seconds is not None
    assert 0 <= sms.late_seconds < 60
    assert sms.receipt is None


def test_the_latest_receipt_is_part_of_the_proof(promise: Promise, world: World) -> None:
    world.card(world.holder(email=None))
    world.check()
    world.send(providers=dict.fromkeys(Channel, always(accepted(""))))
    [attempt] = world.rows(attempts)
    with writing(world.engine) as conn:
        for number, status in enumerate(["delivered", "sent"]):
            row = {
                "provider": "twilio",
                "event_id": f"e{number}",
                "attempt_id": attempt.id,
                "provider_id": attempt.provider_id,
                "status": status,
                "received_at": NOW + HOUR,
                "occurred_at": NOW + timedelta(minutes=9 - number),
            }
            conn.execute(insert(receipts).values(**row))
    [line] = [line for line in account(promise) if line.channel == "sms"]
    assert (line.provider, line.receipt) == ("twilio", "delivered")
    assert line.receipt_at == NOW + timedelta(minutes=9)


def test_what_was_taken_after_its_tolerance_is_late(promise: Promise, world: World) -> None:
    world.card(watched_since=NOW - HOUR, plan_end=TODAY + timedelta(days=1))
    world.check()
    world.send(NOW + 7 * HOUR, providers=dict.fromkeys(Channel, always(accepted(""))))
    assert {(line.window, line.verdict) for line in account(promise)} == {("plan_end-1d", "late")}


def test_a_check_that_came_late_makes_its_notices_late(promise: Promise, world: World) -> None:
    """The window opened at 9:00 the day before; nobody looked until 10:00 today."""
    world.card(plan_end=TODAY + timedelta(days=6), watched_since=NOW - 20 * DAY)
    world.check()
    world.send(providers=dict.fromkeys(Channel, always(accepted(""))))
    for line in account(promise):
        assert line.owed_at == NOW - 25 * HOUR
        assert line.late_seconds is not None
        assert line.late_seconds >= timedelta(hours=25).total_seconds()
        assert line.verdict == "late"


def test_a_card_that_comes_into_an_open_window_owes_from_then_on(
    promise: Promise, world: World
) -> None:
    world.card(plan_end=TODAY + timedelta(days=6), watched_since=NOW - HOUR)
    world.check()
    assert {line.owed_at for line in account(promise)} == {NOW - HOUR}


def test_a_night_is_nobodys_lateness(promise: Promise, world: World) -> None:
    card = world.card(plan_end=TODAY + timedelta(days=60))
    world.live(card, LifeEvent.LOW_BALANCE, NIGHT)
    morning = NIGHT + 11 * HOUR
    world.send(morning, providers=dict.fromkeys(Channel, always(accepted(""))))
    for line in account(promise, morning):
        assert (line.window, line.verdict, line.owed_at) == ("event", "on_time", morning)


def test_an_sms_that_gave_its_day_to_another_is_owed_the_next_day(
    promise: Promise, world: World
) -> None:
    holder = world.holder(email=None)
    card = world.card(
        holder,
        kind=Kind.RETENTION,
        plan_end=TODAY + timedelta(days=5),
        last_topup=TODAY - timedelta(days=180 - 7),
        watched_since=NOW - 20 * DAY,
    )
    world.check(NOW - HOUR)
    [due] = [row.next_check_at for row in world.rows(cards) if row.id == card]
    world.check(due)
    lines = [line for line in account(promise, due) if line.channel == "sms"]
    later = [line for line in lines if line.due_at > NOW]
    assert [line.owed_at for line in later] == [due]
    assert [line.due_at for line in later] == [due]


def test_every_missed_one_has_its_cause(promise: Promise, world: World) -> None:
    world.card(world.holder(email=None))
    world.check()
    dead = Outcome(OutcomeKind.MESSAGE_DEAD, "twilio:21617")
    world.send(providers=dict.fromkeys(Channel, always(dead)))
    found = [line for line in account(promise) if line.verdict == "missed"]
    assert [use_case.cause_of(line) for line in found] == ["twilio:21617"]


def test_what_waits_past_its_use_is_unexplained(promise: Promise, world: World) -> None:
    world.card(world.holder(email=None))
    world.check()
    [until] = {row.useful_until for row in world.rows(reminders) if row.state == "pending"}
    before = Counter(line.verdict for line in account(promise, until - timedelta(seconds=1)))
    assert before["overdue"] == 1
    [line] = [line for line in account(promise, until) if line.verdict == "unexplained"]
    assert use_case.cause_of(line) == "still waiting, no longer useful (pending)"


def by_email(lines: Iterable[Line]) -> dict[int, Line]:
    return {line.card_id: line for line in lines if line.channel == Channel.EMAIL}


def test_what_shares_an_unknown_message_with_later_notices_is_explained_and_ends_with_a_look(
    promise: Promise, world: World
) -> None:
    world.retry = RetryPolicy(resend=frozenset())
    holder = world.holder(contact_phone=None)
    soon = world.card(holder, msisdn=None, plan_end=TODAY + timedelta(days=1))
    later = world.card(holder, msisdn=None)
    world.check()
    timeout = Outcome(OutcomeKind.AMBIGUOUS, "timeout")
    world.send(channel=Channel.EMAIL, providers={Channel.EMAIL: always(timeout)})
    nobody_can_tell = Listing(None)
    world.reconcile(NOW + timedelta(minutes=3), sms=nobody_can_tell)
    told = [row for row in world.rows(reminders) if row.channel == Channel.EMAIL]
    until = {row.card_id: row.useful_until for row in told}
    assert until[soon] < until[later]
    while (look := world.message(Channel.EMAIL).wake_at) < until[soon]:
        world.reconcile(look, sms=nobody_can_tell)
    assert look == until[soon], "it is looked at when one of them is over"

    lines = by_email(account(promise, look))
    assert (lines[soon].verdict, lines[later].verdict) == ("overdue", "waiting")
    since, seen = (f"{at:%Y-%m-%dT%H:%MZ}" for at in (NOW, look))
    assert lines[soon].reason == (
        f"unknown: unknown_outcome, since {since}; too late by itself, looked at {seen}"
    )
    abandoned = by_email(account(promise, look + UNCHECKED))
    assert abandoned[soon].verdict == "unexplained", "nobody has looked"
    with capture_logs() as logs:
        world.reconcile(look, sms=nobody_can_tell)
    assert causes(logs) == ["reminder_missed"]
    lines = by_email(account(promise, look))
    assert (lines[soon].verdict, lines[soon].reason) == ("missed", "unknown_outcome")
    assert (lines[later].verdict, lines[later].state) == ("waiting", "pending")


def test_an_end_that_nobody_gave_a_reason_for_is_unexplained(
    promise: Promise, world: World
) -> None:
    world.card(world.holder(email=None))
    world.check()
    world.change(reminders, state=ReminderState.SUPPRESSED, reason=None)
    assert {use_case.cause_of(line) for line in account(promise)} == {"suppressed without a reason"}
    world.change(reminders, state=ReminderState.SENT)
    assert {line.verdict for line in account(promise)} == {"unexplained"}


def test_the_period_holds_its_beginning_and_not_its_end(promise: Promise, world: World) -> None:
    world.card()
    world.check()

    def lines(since: datetime, until: datetime) -> int:
        return len(list(promise.lines(since, until, None, NOW)))

    assert lines(NOW, NOW + HOUR) == 2
    assert lines(NOW - HOUR, NOW) == 0
    assert lines(NOW + timedelta(seconds=1), NOW + HOUR) == 0


def test_a_book_is_accounted_for_alone(promise: Promise, world: World) -> None:
    wanted = {"signature": "Other", "language": "en", "time_zone": "America/Lima"}
    with writing(world.engine) as conn:
        other = int(ensure(conn, "other", wanted, NOW).id)
    world.cards(2)
    world.card(world.holder(book_id=other), book_id=other)
    world.check()
    assert Counter(line.book for line in account(promise)) == {"demo": 4, "other": 2}
    assert {line.book for line in account(promise, book=other)} == {"other"}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_pages_lose_and_repeat_nothing(
    promise: Promise, world: World, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are due at one instant, so that the id alone must order them."""
    world.cards(6)
    world.check()
    monkeypatch.setattr(use_case, "_PAGE", size)
    ids = [line.reminder for line in account(promise)]
    assert ids == sorted(row.id for row in world.rows(reminders))
    assert len(ids) == 12


def test_no_more_than_a_page_is_in_memory(
    promise: Promise, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.cards(8)
    world.check()
    read: list[int] = []
    page = store.page

    def counted(*args: Any) -> Any:
        read.append(len(found := page(*args)))
        return found

    monkeypatch.setattr(use_case, "_PAGE", 4)
    monkeypatch.setattr(store, "page", counted)
    lines = promise.lines(NOW - DAY, NOW + DAY, None, NOW)
    next(lines)
    assert read == [4]
    next(lines)
    world.change(cards, operator="entel")  # nothing is locked while somebody reads
    assert sum(1 for _ in lines) == 14
    assert read == [4, 4, 4, 4, 0]


def test_the_sums_are_those_of_the_ledger(promise: Promise, world: World) -> None:
    world.cards(3)
    world.card(world.holder(contact_phone=None, email=None), msisdn=None)
    world.check()
    world.send(channel=Channel.SMS, providers=dict.fromkeys(Channel, always(accepted(""))))
    found = Account()
    for _, owed in promise.lines(NOW - DAY, NOW + DAY, None, NOW):
        found.add(owed, NOW)
    states = Counter(row.state for row in world.rows(reminders))
    assert found.by_state == states
    assert found.owed == len(world.rows(reminders))
    assert found.kept


# Cards that nobody has looked at


def claim(engine: Engine, now: datetime) -> list[int]:
    with writing(engine) as conn:
        lease = timedelta(seconds=120)
        claimed = claim_due(conn, now, 100, lease) + claim_asked(conn, now, 100, lease)
        return [one.card for one in claimed]


def test_a_check_that_is_handed_out_and_never_done_is_overdue(
    promise: Promise, world: World
) -> None:
    """Its lease moves on with each claim; since when it is owed does not."""
    world.card(next_check_at=NOW)
    for minutes in range(0, 9, 2):
        assert claim(world.engine, NOW + timedelta(minutes=minutes))
    assert promise.checks_overdue(None, NOW + timedelta(minutes=5)) == 0
    assert promise.checks_overdue(None, NOW + timedelta(minutes=7)) == 1
    assert promise.checks_overdue(world.book(), NOW + timedelta(minutes=7)) == 1
    assert promise.checks_overdue(world.book() + 1, NOW + timedelta(minutes=7)) == 0
    world.check(NOW + timedelta(minutes=8))
    assert promise.checks_overdue(None, NOW + timedelta(minutes=9)) == 0


def test_a_check_that_no_scheduler_hands_out_is_overdue(promise: Promise, world: World) -> None:
    world.card(next_check_at=NOW)
    assert promise.checks_overdue(None, NOW + timedelta(minutes=5)) == 0
    assert promise.checks_overdue(None, NOW + timedelta(minutes=7)) == 1


def test_a_card_just_imported_is_not_overdue(promise: Promise, world: World) -> None:
    world.card()
    assert promise.checks_overdue(None, NOW + timedelta(minutes=5)) == 0
    assert promise.checks_overdue(None, NOW + timedelta(minutes=7)) == 1
    claim(world.engine, NOW + timedelta(minutes=30))
    assert promise.checks_overdue(None, NOW + timedelta(minutes=31)) == 0


def test_nothing_of_a_holder_is_in_a_line(promise: Promise, world: World) -> None:
    world.card(note="a note")
    world.check()
    world.send(providers=dict.fromkeys(Channel, always(accepted(""))))
    told = " ".join(map(str, account(promise)))
    for row in world.rows(cards):
        assert row.msisdn not in told
        assert row.iccid not in told
    for secret in ("Rosa", "rosa@", "87654321", "a note"):
        assert secret not in told
    assert None not in {row.body for row in world.rows(messages)}
