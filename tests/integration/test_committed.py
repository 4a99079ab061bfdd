"""What is told of a transaction is told once it is committed: of what a database takes back
neither an alarm nor a count may speak."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Connection, event
from structlog.testing import capture_logs

from tests.integration.helpers import NOW, TODAY, World, always, causes
from worker import metrics
from worker.core.cards import Channel, Kind
from worker.core.outcomes import Outcome, OutcomeKind, accepted
from worker.core.reminders import MessageState
from worker.errors import UnreachableError
from worker.providers.registry import STATUSES
from worker.store.committed import after_commit
from worker.store.engine import writing
from worker.store.tables import messages, reminders

SMS = Channel.SMS
DEAD = Outcome(OutcomeKind.MESSAGE_DEAD, "twilio:21617", alarm=True)


@contextmanager
def commits_that_fail(world: World, table: str, count: int) -> Iterator[list[str]]:
    """The next ``count`` transactions that change ``table`` come to nothing."""
    changed: set[Connection] = set()
    failed: list[str] = []

    def look(conn: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(f"UPDATE {table}"):
            changed.add(conn)

    def fail(conn: Connection) -> None:
        if conn in changed and len(failed) < count:
            failed.append(table)
            raise UnreachableError("The database is gone amid a commit.")
        changed.discard(conn)

    event.listen(world.engine, "before_cursor_execute", look)
    event.listen(world.engine, "commit", fail)
    try:
        yield failed
    finally:
        event.remove(world.engine, "commit", fail)
        event.remove(world.engine, "before_cursor_execute", look)


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"vigencia_{name}", labels) or 0.0


def ended(state: str, reason: str, channel: str = "sms") -> float:
    return count("reminders_total", state=state, channel=channel, reason=reason)


def test_an_alarm_of_an_end_that_was_rolled_back_is_raised_once(world: World) -> None:
    metrics.enable(STATUSES)
    world.card(world.holder(contact_phone="+51987650001", email=None))
    world.check()
    before = ended("missed", "twilio")
    with capture_logs() as logs, commits_that_fail(world, "reminders", 2) as failed:
        world.send(NOW, SMS, providers={SMS: always(DEAD)})
    assert len(failed) == 2
    [missed] = [row for row in world.rows(reminders) if row.channel == SMS]
    assert missed.state == "missed"
    assert causes(logs).count("reminder_missed") == 1
    assert causes(logs).count("message_dead") == 1
    assert ended("missed", "twilio") - before == 1


def test_a_reminder_that_was_told_is_counted_once_however_often_it_is_written(
    world: World,
) -> None:
    metrics.enable(STATUSES)
    world.card(world.holder(contact_phone="+51987650001", email=None))
    world.check()

    def counts() -> list[float]:
        return [
            ended("sent", ""),
            count("messages_total", channel="sms", state="sent"),
            count("reminder_delay_seconds_count", window="plan_end-7d"),
        ]

    before = counts()
    with commits_that_fail(world, "reminders", 2) as failed:
        world.send(NOW, SMS, providers={SMS: always(accepted("id"))})
    assert len(failed) == 2
    assert [row.state for row in world.rows(messages) if row.channel == SMS] == [MessageState.SENT]
    assert [b - a for a, b in zip(before, counts(), strict=True)] == [1, 1, 1]


def test_a_check_that_is_rolled_back_counts_nothing_and_one_that_commits_once(
    world: World,
) -> None:
    metrics.enable(STATUSES)
    world.card(world.holder(email=None))
    before = ended("suppressed", "no_address", "email")
    with commits_that_fail(world, "cards", 2) as failed:
        for _ in range(2):
            with pytest.raises(UnreachableError):
                world.check()
        assert len(failed) == 2
        assert ended("suppressed", "no_address", "email") == before
        world.check()
    assert ended("suppressed", "no_address", "email") - before == 1


def superseded() -> float:
    found = REGISTRY.collect()
    samples = (sample for family in found for sample in family.samples)
    wanted = (s for s in samples if s.name == "vigencia_reminders_total")
    return sum(s.value for s in wanted if s.labels["state"] == "superseded")


def test_what_one_card_of_a_check_takes_back_is_not_counted(world: World) -> None:
    """Its end is written in a part of the transaction: that alone is undone, the rest committed."""
    metrics.enable(STATUSES)
    lost = TODAY - timedelta(days=210)
    world.card(kind=Kind.RETENTION, operator="movistar", plan_end=None, last_topup=lost)
    world.check()
    waiting = len(world.rows(reminders))
    assert waiting
    before, broken = superseded(), iter([True])

    def fail(_conn: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO card_events") and next(broken, False):
            raise ZeroDivisionError

    event.listen(world.engine, "before_cursor_execute", fail)
    try:
        with capture_logs() as logs:
            world.check(NOW + timedelta(days=90))
    finally:
        event.remove(world.engine, "before_cursor_execute", fail)
    assert "card_check_failed" in causes(logs)
    assert {row.state for row in world.rows(reminders)} == {"pending"}
    assert superseded() == before
    world.check(NOW + timedelta(days=90))
    assert [row.state for row in world.rows(reminders)].count("superseded") == waiting
    assert superseded() - before == waiting


def test_what_waits_for_a_commit_is_told_in_order_and_at_once_where_there_is_none(
    world: World,
) -> None:
    told: list[str] = []
    with writing(world.engine):
        after_commit(told.append)("first")
        after_commit(told.append)("second")
        assert told == []
    assert told == ["first", "second"]
    after_commit(told.append)("at once")
    assert told == ["first", "second", "at once"]

    def fails() -> None:
        with writing(world.engine):
            after_commit(told.append)("never")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert told == ["first", "second", "at once"]
